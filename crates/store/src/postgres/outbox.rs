//! Writes whose answer nobody needs: entries, the feed, new rows, heads. They wait until something is read or the
//! transaction ends, and then travel together, a column at a time. Decides nothing; a row that the server refuses
//! fails the transaction.

use crate::{
    Head, Prepared,
    head::{Chain, Heads, Link},
};
use domain::{Lineage, Stream, Table};
use kernel::Timestamp;
use std::{borrow::Cow, collections::BTreeSet};
use tokio_postgres::types::ToSql;

const ENTRIES: &str = "INSERT INTO audit_events (stream, seq, time, event_id, state_rev, type, actor, resource, agent, \
    lineage, expires_at, body, hash) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], \
    $5::bigint[], $6::text[], $7::text[], $8::text[], $9::bytea[], $10::bytea[], $11::bigint[], $12::bytea[], $13::bytea[])";
const FEED: &str = "INSERT INTO change_feed (stream, state_rev, seq, changes) \
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[])";
const HEADS: &str = "INSERT INTO stream_head (stream, seq, state_rev, authority_rev, hash, time, frontier) \
    SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bytea[], $6::bigint[], $7::bytea[]) \
    ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, state_rev = excluded.state_rev, \
    authority_rev = excluded.authority_rev, hash = excluded.hash, time = excluded.time, frontier = excluded.frontier";

struct EntryRow {
    stream: [u8; 16],
    event: [u8; 16],
    agent: Option<[u8; 16]>,
    entry: Prepared,
    lineage: Option<Vec<u8>>,
    link: Link,
    state_rev: Option<i64>,
}

struct FeedRow {
    stream: [u8; 16],
    state_rev: i64,
    seq: i64,
    changes: String,
}

struct NewRow {
    table: Table,
    stream: [u8; 16],
    key: [u8; 16],
    at: i64,
    body: String,
}

struct HeadRow {
    stream: [u8; 16],
    head: Head,
    frontier: Vec<u8>,
}

/// What waits.
#[derive(Default)]
pub(crate) struct Held {
    entries: Vec<EntryRow>,
    feed: Vec<FeedRow>,
    rows: Vec<NewRow>,
    heads: Vec<HeadRow>,
}

/// What waits, and what of it belongs to the present command.
#[derive(Default)]
pub(crate) struct Outbox {
    held: Held,
    /// How many entries, changes and rows waited when the present command began.
    mark: [usize; 3],
    /// Whether something that the present command wrote is at the server.
    sent: bool,
}

impl Outbox {
    /// Holds back an entry.
    pub(crate) fn entry(
        &mut self,
        stream: Stream,
        entry: &Prepared,
        link: &Link,
        state_rev: Option<u64>,
    ) {
        let lineage = entry.projection.lineage.as_ref();
        self.held.entries.push(EntryRow {
            stream: stream.bytes(),
            event: entry.event_id.bytes(),
            agent: entry.projection.agent.map(|agent| agent.bytes()),
            lineage: lineage.map(Lineage::to_bytes),
            entry: entry.clone(),
            link: *link,
            state_rev: state_rev.map(signed),
        });
    }

    /// Holds back a revision of the feed.
    pub(crate) fn feed(&mut self, stream: Stream, state_rev: u64, seq: u64, changes: String) {
        self.held.feed.push(FeedRow {
            stream: stream.bytes(),
            state_rev: signed(state_rev),
            seq: signed(seq),
            changes,
        });
    }

    /// Holds back a new row; one that is there already fails the transaction.
    pub(crate) fn row(
        &mut self,
        table: Table,
        (stream, key): (Stream, [u8; 16]),
        at: Timestamp,
        body: String,
    ) {
        self.held.rows.push(NewRow {
            table,
            stream: stream.bytes(),
            key,
            at: at.micros(),
            body,
        });
    }

    /// Adds the heads that moved.
    pub(super) fn heads(&mut self, heads: &Heads) {
        let row = |(stream, chain): (Stream, &Chain)| HeadRow {
            stream: stream.bytes(),
            head: chain.head,
            frontier: chain.frontier.to_bytes(),
        };
        self.held.heads = heads.dirty().map(row).collect();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn mark(&mut self) {
        let held = &self.held;
        self.mark = [held.entries.len(), held.feed.len(), held.rows.len()];
        self.sent = false;
    }

    /// Takes back what the present command added; false when some of it is gone already.
    pub(super) fn undo(&mut self) -> bool {
        let [entries, feed, rows] = self.mark;
        self.held.entries.truncate(entries);
        self.held.feed.truncate(feed);
        self.held.rows.truncate(rows);
        !self.sent
    }

    /// Notes that a statement goes to the server by itself.
    pub(super) fn sees(&mut self, sql: &str) {
        self.sent |= !sql.starts_with("SELECT");
    }

    /// Everything that waits, to be sent.
    pub(super) fn take(&mut self) -> Held {
        let [entries, feed, rows] = self.mark;
        let held = std::mem::take(&mut self.held);
        self.sent |=
            held.entries.len() > entries || held.feed.len() > feed || held.rows.len() > rows;
        self.mark = [0; 3];
        held
    }
}

/// A statement with its columns.
pub(super) struct Write<'a> {
    sql: Cow<'static, str>,
    columns: Vec<Column<'a>>,
}

type Column<'a> = Box<dyn ToSql + Sync + 'a>;

impl Write<'_> {
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    pub(super) fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.columns.iter().map(|column| &**column as _).collect()
    }
}

fn column<'a, R, T: ToSql + Sync + 'a>(
    rows: impl IntoIterator<Item = &'a R>,
    of: impl Fn(&'a R) -> T,
) -> Column<'a>
where
    R: 'a,
{
    Box::new(rows.into_iter().map(of).collect::<Vec<T>>())
}

impl Held {
    /// A statement for each kind of thing that waits.
    pub(super) fn writes(&self) -> Vec<Write<'_>> {
        let tables: BTreeSet<&str> = self.rows.iter().map(|row| row.table.name()).collect();
        let mut writes: Vec<_> = tables.into_iter().map(|table| self.table(table)).collect();
        if !self.entries.is_empty() {
            writes.push(entries(&self.entries));
        }
        if !self.feed.is_empty() {
            writes.push(feed(&self.feed));
        }
        if !self.heads.is_empty() {
            writes.push(heads(&self.heads));
        }
        writes
    }

    fn table(&self, table: &str) -> Write<'_> {
        let sql = format!(
            "INSERT INTO {table} (stream, id, version, created_at, body) SELECT s, i, 1, c, b \
             FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::text[]) AS n (s, i, c, b)"
        );
        let own = || self.rows.iter().filter(|row| row.table.name() == table);
        Write {
            sql: sql.into(),
            columns: vec![
                column(own(), |row| row.stream.as_slice()),
                column(own(), |row| row.key.as_slice()),
                column(own(), |row| row.at),
                column(own(), |row| row.body.as_str()),
            ],
        }
    }
}

fn entries(rows: &[EntryRow]) -> Write<'_> {
    let columns = vec![
        column(rows, |row| row.stream.as_slice()),
        column(rows, |row| signed(row.link.seq)),
        column(rows, |row| row.link.time.micros()),
        column(rows, |row| row.event.as_slice()),
        column(rows, |row| row.state_rev),
        column(rows, |row| &*row.entry.projection.kind),
        column(rows, |row| row.entry.projection.actor.as_str()),
        column(rows, |row| row.entry.projection.resource.as_deref()),
        column(rows, |row| row.agent.as_ref().map(<[u8; 16]>::as_slice)),
        column(rows, |row| row.lineage.as_deref()),
        column(rows, |row| {
            row.entry.projection.expires_at.map(Timestamp::micros)
        }),
        column(rows, |row| row.entry.body.as_slice()),
        column(rows, |row| row.link.hash.as_slice()),
    ];
    let sql = ENTRIES.into();
    Write { sql, columns }
}

fn feed(rows: &[FeedRow]) -> Write<'_> {
    let columns = vec![
        column(rows, |row| row.stream.as_slice()),
        column(rows, |row| row.state_rev),
        column(rows, |row| row.seq),
        column(rows, |row| row.changes.as_str()),
    ];
    let sql = FEED.into();
    Write { sql, columns }
}

fn heads(rows: &[HeadRow]) -> Write<'_> {
    let columns = vec![
        column(rows, |row| row.stream.as_slice()),
        column(rows, |row| signed(row.head.seq)),
        column(rows, |row| signed(row.head.state_rev)),
        column(rows, |row| signed(row.head.authority_rev)),
        column(rows, |row| row.head.hash.as_slice()),
        column(rows, |row| row.head.time.micros()),
        column(rows, |row| row.frontier.as_slice()),
    ];
    let sql = HEADS.into();
    Write { sql, columns }
}

fn signed(number: u64) -> i64 {
    // Counters start at zero and go up by one: they do not reach 2^63.
    i64::try_from(number).unwrap_or(i64::MAX)
}
