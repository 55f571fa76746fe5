//! Single changes to the log's tables: every column, every way in which a row can be more, less or elsewhere.

use testkit::sqlite::{Intruder, Value, params};

/// Where a change is made and with which byte.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub stream: [u8; 16],
    /// An entry that no neighbour of another change lies beside.
    pub seq: u64,
    /// An entry near it that changed state.
    pub moved: u64,
    /// Any number, for the place of a byte.
    pub at: usize,
    /// What a byte is changed by; never zero.
    pub by: u8,
}

/// A change and the entry that it is expected to be told of.
pub struct Change {
    pub name: &'static str,
    make: fn(&Intruder, &Target),
    state: bool,
}

impl Change {
    /// Makes it; gives the entry that it is about.
    pub fn make(&self, intruder: &Intruder, target: Target) -> u64 {
        let seq = if self.state { target.moved } else { target.seq };
        (self.make)(intruder, &Target { seq, ..target });
        seq
    }
}

const fn any(name: &'static str, make: fn(&Intruder, &Target)) -> Change {
    Change {
        name,
        make,
        state: false,
    }
}

const fn state(name: &'static str, make: fn(&Intruder, &Target)) -> Change {
    Change {
        name,
        make,
        state: true,
    }
}

/// All of them.
pub const CHANGES: [Change; 37] = [
    any("position", |i, t| {
        set(
            i,
            t,
            "position = (SELECT max(position) + 1 FROM audit_events)",
        )
    }),
    any("stream to another's", |i, t| {
        set(i, t, "stream = zeroblob(16)")
    }),
    any("stream to nobody's", |i, t| {
        set(i, t, "stream = x'07070707070707070707070707070707'")
    }),
    any("seq to a free one", |i, t| set(i, t, "seq = seq + 1000000")),
    any("seq to the next one's", |i, t| set(i, t, "seq = seq + 1")),
    any("seq below zero", |i, t| set(i, t, "seq = -seq")),
    any("seq to zero", |i, t| set(i, t, "seq = 0")),
    any("time forth", |i, t| set(i, t, "time = time + 1")),
    any("time back", |i, t| set(i, t, "time = time - 1000000")),
    any("event id", |i, t| flip(i, t, "event_id")),
    any("event id cut", |i, t| {
        set(i, t, "event_id = substr(event_id, 1, 15)")
    }),
    any("revision there or gone", |i, t| {
        set(i, t, "state_rev = CASE WHEN state_rev IS NULL THEN 1 END")
    }),
    state("revision gone", |i, t| set(i, t, "state_rev = NULL")),
    state("revision", |i, t| set(i, t, "state_rev = state_rev + 1")),
    any("type", |i, t| set(i, t, "type = type || 'x'")),
    any("type null", |i, t| set(i, t, "type = NULL")),
    any("actor", |i, t| set(i, t, "actor = actor || 'x'")),
    any("resource", |i, t| set(i, t, "resource = 'tok_1'")),
    any("resource there or gone", |i, t| {
        set(i, t, "resource = CASE WHEN resource IS NULL THEN '' END")
    }),
    any("agent", |i, t| set(i, t, "agent = zeroblob(16)")),
    any("agent there or gone", |i, t| {
        set(
            i,
            t,
            "agent = CASE WHEN agent IS NULL THEN zeroblob(16) END",
        )
    }),
    any("lineage", |i, t| set(i, t, "lineage = zeroblob(8)")),
    any("lineage there or gone", |i, t| {
        set(i, t, "lineage = CASE WHEN lineage IS NULL THEN x'' END")
    }),
    any("expiry", |i, t| {
        set(i, t, "expires_at = coalesce(expires_at, 0) + 1")
    }),
    any("a byte of the body", |i, t| flip(i, t, "body")),
    any("a byte of the hash", |i, t| flip(i, t, "hash")),
    any("the body", |i, t| set(i, t, "body = '{}'")),
    any("the hash cut", |i, t| {
        set(i, t, "hash = substr(hash, 1, 31)")
    }),
    any("deleted", |i, t| {
        one(
            i,
            "DELETE FROM audit_events WHERE stream = ?1 AND seq = ?2",
            t,
        )
    }),
    any("numbers swapped", |i, t| swap(i, t, "seq")),
    any("places swapped", |i, t| swap(i, t, "position")),
    any("bodies swapped", |i, t| swap(i, t, "body")),
    any("inserted", |i, t| copy(i, t, "x'7b7d'", "zeroblob(32)")),
    any("duplicated", |i, t| copy(i, t, "body", "hash")),
    state("feed elsewhere", |i, t| {
        one(
            i,
            "UPDATE change_feed SET seq = seq + 3 WHERE stream = ?1 AND seq = ?2",
            t,
        )
    }),
    state("feed deleted", |i, t| {
        one(
            i,
            "DELETE FROM change_feed WHERE stream = ?1 AND seq = ?2",
            t,
        )
    }),
    any("feed inserted", |i, t| {
        let sql = "INSERT INTO change_feed SELECT ?1, max(state_rev) + 1, ?2, '[]' FROM change_feed WHERE stream = ?1";
        one(i, sql, t);
    }),
];

fn one(intruder: &Intruder, sql: &str, target: &Target) {
    let changed = intruder.run(sql, params![target.stream, target.seq as i64]);
    assert_eq!(changed, 1, "{sql} at {target:?}");
}

fn set(intruder: &Intruder, target: &Target, what: &str) {
    one(
        intruder,
        &format!("UPDATE audit_events SET {what} WHERE stream = ?1 AND seq = ?2"),
        target,
    );
}

fn cell(intruder: &Intruder, target: &Target, seq: u64, column: &str) -> Value {
    let sql = format!("SELECT {column} FROM audit_events WHERE stream = ?1 AND seq = ?2");
    intruder.one(&sql, params![target.stream, seq as i64], |row| row.get(0))
}

fn write(intruder: &Intruder, position: i64, column: &str, value: Value) {
    let sql = format!("UPDATE audit_events SET {column} = ?1 WHERE position = ?2");
    assert_eq!(intruder.run(&sql, params![value, position]), 1);
}

fn position(intruder: &Intruder, target: &Target, seq: u64) -> i64 {
    match cell(intruder, target, seq, "position") {
        Value::Integer(position) => position,
        other => panic!("{other:?} is no position"),
    }
}

fn flip(intruder: &Intruder, target: &Target, column: &str) {
    let Value::Blob(mut bytes) = cell(intruder, target, target.seq, column) else {
        panic!("{column} holds no bytes")
    };
    let at = target.at % bytes.len();
    bytes[at] ^= target.by;
    write(
        intruder,
        position(intruder, target, target.seq),
        column,
        Value::Blob(bytes),
    );
}

/// Between an entry and the next.
fn swap(intruder: &Intruder, target: &Target, column: &str) {
    let (seq, next) = (target.seq, target.seq + 1);
    let (here, there) = (
        position(intruder, target, seq),
        position(intruder, target, next),
    );
    let (this, that) = (
        cell(intruder, target, seq, column),
        cell(intruder, target, next, column),
    );
    if column == "position" {
        write(intruder, here, column, Value::Integer(-1));
        write(intruder, there, column, this);
        write(intruder, -1, column, that);
    } else {
        write(intruder, here, column, that);
        write(intruder, there, column, this);
    }
}

/// Another row with the same number, at the end of the file.
fn copy(intruder: &Intruder, target: &Target, body: &str, hash: &str) {
    let sql = format!(
        "INSERT INTO audit_events SELECT (SELECT max(position) + 1 FROM audit_events), stream, seq, time, event_id, \
         state_rev, type, actor, resource, agent, lineage, expires_at, {body}, {hash} \
         FROM audit_events WHERE stream = ?1 AND seq = ?2"
    );
    one(intruder, &sql, target);
}

/// Changes to one checkpoint's row, by its size.
pub const CHECKPOINT_CHANGES: [&str; 5] = [
    "size = size + 1",
    "time = time + 1",
    "stream = zeroblob(16)",
    "note = replace(note, 'chain ', 'chain  ')",
    "note = substr(note, 1, length(note) - 9) || 'AAAAAAA=' || char(10)",
];
