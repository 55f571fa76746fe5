//! Somebody writes in the database itself: whatever single change they make to a log of ten thousand entries is
//! found, and said of the entry it was made to. A rewritten or shortened log is held against what was signed.

mod change;
mod log;

use cardea::verify::Asked;
use change::{CHANGES, CHECKPOINT_CHANGES, Target};
use kernel::Entropy;
use log::{Found, Log, ZONE};
use store::log::{Frontier, digest, entry_hash, verify::Fault};
use testkit::{
    clock::SeededEntropy,
    sqlite::{Intruder, params},
};

const ZONES: u64 = 200;
const SAMPLES: usize = 2_000;

fn deep() -> Asked {
    Asked {
        deep: true,
        ..Asked::default()
    }
}

fn draw(dice: &dyn Entropy) -> u64 {
    dice.number()
}

/// A dozen databases with nearly two hundred changes each, one a zone, some zones left alone: a change is told of its
/// own entry or it does not count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_two_thousand_changes_are_found_where_they_are() {
    let log = Log::build(ZONES).await;
    let clean = log.found("clean", deep(), |_| {}).await;
    assert_eq!(
        (clean.code(), clean.told().as_str()),
        (0, ""),
        "the copy without a change"
    );
    assert_eq!(clean.report().entries, log.entries);
    assert!(clean.report().checkpoints > 20, "signed at several sizes");
    let dice = SeededEntropy::new(0x7a4e_0001);
    let (mut made, mut round) = (0, 0);
    while made < SAMPLES {
        made += round_of_changes(&log, round, &dice).await;
        round += 1;
    }
}

async fn round_of_changes(log: &Log, round: usize, dice: &SeededEntropy) -> usize {
    let alone = |zone: &u64| (zone + 7 * round as u64).is_multiple_of(40);
    let mut expected = Vec::new();
    let found = log
        .found("round", deep(), |intruder| {
            for zone in (0..ZONES).filter(|zone| !alone(zone)) {
                let change = &CHANGES[(zone as usize + round) % CHANGES.len()];
                let seq = change.make(intruder, target(log, intruder, zone, dice));
                expected.push((change.name, seq));
            }
            for n in 0..2 {
                forge_checkpoint(log, intruder, 2 * round + n, dice);
            }
        })
        .await;
    assert_eq!(found.code(), 1);
    for (name, seq) in &expected {
        assert!(
            found.names(*seq),
            "round {round}: {name} at {seq} was not found; told was\n{}",
            found.told()
        );
    }
    for zone in (0..ZONES).filter(alone) {
        assert!(
            !found.suspects(zone),
            "round {round}: nothing was changed in zone {zone}; told was\n{}",
            found.told()
        );
    }
    assert_eq!(
        found.forged_checkpoints(),
        2,
        "round {round}: {}",
        found.told()
    );
    expected.len() + 2
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_a_change_alone_is_told_of_its_entry_and_of_no_other() {
    let log = Log::build(10).await;
    let dice = SeededEntropy::new(0x7a4e_0002);
    for (n, change) in CHANGES.iter().enumerate() {
        let mut seq = 0;
        let zone = n as u64 % 10;
        let make =
            |intruder: &Intruder| seq = change.make(intruder, target(&log, intruder, zone, &dice));
        let found = log.found("alone", deep(), make).await;
        assert!(
            found.code() == 1 && found.names(seq),
            "{} at {seq}: {}",
            change.name,
            found.told()
        );
        let elsewhere = (0..10).find(|other| *other != zone && found.suspects(*other));
        assert_eq!(
            elsewhere,
            None,
            "{} at {seq}: {}",
            change.name,
            found.told()
        );
    }
}

/// Somewhere in a zone: away from its neighbours, and for what any entry may suffer away from those that changed state.
fn target(log: &Log, intruder: &Intruder, zone: u64, dice: &SeededEntropy) -> Target {
    let (first, middle) = (zone * ZONE + 1, zone * ZONE + ZONE / 2);
    let stream = log.stream.bytes();
    let sql = "SELECT seq FROM audit_events WHERE stream = ?1 AND seq BETWEEN ?2 AND ?3 AND state_rev IS NOT NULL";
    let moved = intruder.all(
        sql,
        params![stream, middle as i64 - 2, middle as i64 + 5],
        |row| row.get::<_, i64>(0),
    );
    let moved = moved[draw(dice) as usize % moved.len()] as u64;
    let free = [first + 4 + draw(dice) % 12, middle + 8 + draw(dice) % 12];
    let seq = free[draw(dice) as usize % 2];
    Target {
        stream,
        seq,
        moved,
        at: draw(dice) as usize % 100_000,
        by: 1 << (draw(dice) % 8),
    }
}

/// One of the organization's checkpoints.
fn forge_checkpoint(log: &Log, intruder: &Intruder, n: usize, dice: &SeededEntropy) {
    let stream = log.stream.bytes();
    let whole =
        "SELECT size FROM checkpoint WHERE stream = ?1 AND size % ?2 = 0 AND length(note) > 100";
    let sizes = intruder.all(whole, params![stream, 10 * ZONE as i64], |row| {
        row.get::<_, i64>(0)
    });
    let half = sizes.len() / 2;
    let size = sizes[draw(dice) as usize % half + (n % 2) * half];
    let sql = format!(
        "UPDATE checkpoint SET {} WHERE stream = ?1 AND size = ?2",
        CHECKPOINT_CHANGES[n % CHECKPOINT_CHANGES.len()]
    );
    assert_eq!(intruder.run(&sql, params![stream, size]), 1, "{sql}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_a_log_that_was_rewritten_or_cut_is_held_against_what_was_signed() {
    let log = Log::build(20).await;
    a_head_that_was_changed(&log).await;
    a_head_that_lags_and_is_none(&log).await;
    a_rewritten_tail(&log).await;
    a_cut_tail(&log).await;
}

async fn a_head_that_was_changed(log: &Log) {
    let columns = [
        "seq = seq + 1",
        "seq = seq - 1",
        "state_rev = state_rev + 1",
        "hash = zeroblob(32)",
        "hash = x'00'",
        "time = time + 1",
        "frontier = zeroblob(length(frontier))",
        "frontier = x''",
        "stream = x'07070707070707070707070707070707'",
    ];
    for what in columns {
        let sql = format!("UPDATE stream_head SET {what} WHERE stream = ?1");
        let found = log
            .found("head", deep(), |intruder| {
                assert_eq!(intruder.run(&sql, params![log.stream.bytes()]), 1)
            })
            .await;
        let head = found
            .faults()
            .any(|fault| matches!(fault, Fault::HeadMismatch { .. }));
        let row = found
            .verified
            .wrong
            .iter()
            .any(|wrong| wrong.contains("`stream_head`"));
        assert!(
            found.code() == 1 && (head || row),
            "{what}: {}",
            found.told()
        );
    }
}

/// A head that is behind its log may be one that was not stored yet, but not with a hash that its entry has not.
async fn a_head_that_lags_and_is_none(log: &Log) {
    let found = log
        .found("lagging head", deep(), |intruder| {
            let stream = log.stream.bytes();
            let hashes = "SELECT hash FROM audit_events WHERE stream = ?1 AND seq <= 500 ORDER BY seq";
            let hashes = intruder.all(hashes, params![stream], |row| row.get::<_, [u8; 32]>(0));
            let mut frontier = Frontier::new();
            hashes.iter().for_each(|hash| frontier.push(hash));
            let behind = "UPDATE stream_head SET seq = 500, hash = zeroblob(32), frontier = ?2 WHERE stream = ?1";
            assert_eq!(intruder.run(behind, params![stream, frontier.to_bytes()]), 1);
        })
        .await;
    let mismatch = |fault: &Fault| matches!(fault, Fault::HeadMismatch { .. });
    assert!(
        found.code() == 1 && found.faults().any(mismatch),
        "{}",
        found.told()
    );
}

/// Somebody who knows how entries are hashed writes everything from one of them on again.
async fn a_rewritten_tail(log: &Log) {
    let found = log
        .found("tail", deep(), |intruder| {
            let body =
                "body = CAST(replace(CAST(body AS TEXT), '\"success\"', '\"failure\"') AS BLOB)";
            let sql = format!("UPDATE audit_events SET {body} WHERE stream = ?1 AND seq = ?2");
            assert_eq!(intruder.run(&sql, params![log.stream.bytes(), 601]), 1);
            rechain(log, intruder);
        })
        .await;
    let wrong: Vec<&Fault> = found.faults().collect();
    let held = |fault: &&Fault| matches!(fault, Fault::BadCheckpoint { size: Some(601..), why } if why.ends_with("after entry 500"));
    assert!(
        found.code() == 1 && wrong.iter().any(held),
        "{}",
        found.told()
    );
    assert!(
        wrong
            .iter()
            .all(|fault| matches!(fault, Fault::BadCheckpoint { .. })),
        "the chain itself was made right: {}",
        found.told()
    );
}

/// Writes hashes and head as if the rows were what had been written.
fn rechain(log: &Log, intruder: &Intruder) {
    let stream = log.stream.bytes();
    let rows = intruder.all(
        "SELECT seq, time, body FROM audit_events WHERE stream = ?1 ORDER BY seq",
        params![stream],
        |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, i64>(1)?,
                row.get::<_, Vec<u8>>(2)?,
            ))
        },
    );
    let (mut before, mut tree, mut last) = ([0; 32], Frontier::new(), (0, 0));
    for (seq, time, body) in rows {
        before = entry_hash(stream, seq as u64, time, &before, &digest(&body));
        tree.push(&before);
        last = (seq, time);
        intruder.run(
            "UPDATE audit_events SET hash = ?1 WHERE stream = ?2 AND seq = ?3",
            params![before, stream, seq],
        );
    }
    let revision = "(SELECT coalesce(max(state_rev), 0) FROM audit_events WHERE stream = ?5)";
    let head = format!(
        "UPDATE stream_head SET hash = ?1, frontier = ?2, seq = ?3, time = ?4, state_rev = {revision} WHERE stream = ?5"
    );
    assert_eq!(
        intruder.run(
            &head,
            params![before, tree.to_bytes(), last.0, last.1, stream]
        ),
        1
    );
}

/// Takes away what comes after an entry and leaves everything else right, positions too.
fn cut(log: &Log, intruder: &Intruder, after: u64) {
    let stream = log.stream.bytes();
    intruder.run(
        "DELETE FROM audit_events WHERE stream = ?1 AND seq > ?2",
        params![stream, after as i64],
    );
    intruder.run(
        "DELETE FROM change_feed WHERE stream = ?1 AND seq > ?2",
        params![stream, after as i64],
    );
    // From the first on, so that no two are the same at any moment.
    let all = intruder.all(
        "SELECT position FROM audit_events ORDER BY position",
        [],
        |row| row.get::<_, i64>(0),
    );
    for (place, position) in (1i64..).zip(all) {
        intruder.run(
            "UPDATE audit_events SET position = ?1 WHERE position = ?2",
            params![place, position],
        );
    }
    rechain(log, intruder);
}

async fn a_cut_tail(log: &Log) {
    let careless = log
        .found("careless", deep(), |intruder| {
            intruder.run(
                "DELETE FROM audit_events WHERE stream = ?1 AND seq > 990",
                params![log.stream.bytes()],
            );
        })
        .await;
    assert!(
        careless
            .faults()
            .any(|fault| matches!(fault, Fault::HeadMismatch { .. })),
        "{}",
        careless.told()
    );

    let kept = log
        .found("kept", deep(), |intruder| cut(log, intruder, 700))
        .await;
    let short = |found: &Found| {
        found.faults().any(|fault| {
            matches!(
                fault,
                Fault::Truncated {
                    size_signed: 1000,
                    size_found: 700
                }
            )
        })
    };
    assert!(kept.code() == 1 && short(&kept), "{}", kept.told());

    let all_gone = |intruder: &Intruder| {
        cut(log, intruder, 700);
        intruder.batch("DELETE FROM checkpoint");
    };
    let gone = log.found("gone", deep(), all_gone).await;
    assert_eq!(
        (gone.code(), gone.report().after_last_checkpoint),
        (0, 700),
        "nothing in the file can tell: {}",
        gone.told()
    );
    let anchored = Asked {
        anchors: vec![log.notes.last().unwrap().clone()],
        ..deep()
    };
    let anchored = log.found("anchored", anchored, all_gone).await;
    assert!(
        anchored.code() == 1 && short(&anchored),
        "an anchor can: {}",
        anchored.told()
    );

    let above = log
        .found("above", deep(), |intruder| {
            intruder.run(
                "DELETE FROM checkpoint WHERE stream = ?1 AND size > 500 OR stream <> ?1",
                params![log.stream.bytes()],
            );
            cut(log, intruder, 700);
        })
        .await;
    assert_eq!(
        (above.code(), above.report().after_last_checkpoint),
        (0, 200),
        "told as not covered: {}",
        above.told()
    );
}
