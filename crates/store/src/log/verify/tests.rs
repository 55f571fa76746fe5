//! Every change to a log is found and located; a log as it was written is not complained of.

mod handover;
mod held;

use super::fixture::{Log, STREAM, entry, log, row};
use super::*;
use crate::log::Frontier;
use proptest::prelude::*;
use std::sync::LazyLock;

static WHOLE: LazyLock<Log> = LazyLock::new(|| log(2_000));
static SMALL: LazyLock<Log> = LazyLock::new(|| log(120));

fn told(report: &Report) -> Vec<String> {
    report.findings.iter().map(ToString::to_string).collect()
}

fn located(report: &Report, seq: u64) -> bool {
    report.exit_code() == 1
        && report.findings.len() <= 6
        && report.findings.iter().any(|finding| match finding.fault {
            Fault::Changed { seq: from, to, .. } => (from..=to).contains(&seq),
            ref fault => fault.seq() == Some(seq),
        })
}

/// Changes one column of a row; the last two are a byte of the body and of the hash.
fn change(row: &mut Row, column: usize, at: usize, by: u8) {
    let flip = |bytes: &mut [u8]| {
        let at = at % bytes.len();
        bytes[at] ^= by;
    };
    let number = 1 + u64::from(by);
    match column {
        0 => row.stream[at % 16] ^= by,
        1 => row.seq += number,
        2 => row.time += number as i64,
        3 => flip(&mut row.event_id),
        4 => row.state_rev = row.state_rev.is_none().then_some(number),
        5 => row.state_rev = Some(row.state_rev.unwrap_or(0) + number),
        6 => row.kind.push('x'),
        7 => row.actor.push('x'),
        8 => row.resource = row.resource.is_none().then(String::new),
        9 => row.agent = row.agent.is_none().then_some([by; 16]),
        10 => row.lineage = row.lineage.is_none().then(Vec::new),
        11 => row.expires_at = Some(row.expires_at.unwrap_or(0) + number as i64),
        12 => flip(&mut row.body),
        13 => flip(&mut row.hash),
        _ => row.time -= number as i64,
    }
}
const COLUMNS: usize = 15;

#[test]
fn a_whole_log_is_whole() {
    for deep in [false, true] {
        let report = WHOLE.verify(deep);
        assert_eq!((told(&report), report.exit_code()), (vec![], 0));
        assert_eq!((report.entries, report.after_last_checkpoint), (2_000, 7));
        assert_eq!(report.checkpoints, WHOLE.notes.len() as u64);
        assert!(report.checkpoints > 20 && !report.anchored);
        assert_eq!(report.head, WHOLE.head.hash);
        let frontier = Frontier::from_bytes(&WHOLE.head.frontier).unwrap();
        assert_eq!(report.root, frontier.root());
    }
    assert_eq!(told(&WHOLE.verify_rows()), Vec::<String>::new());
    assert_eq!(told(&log(0).verify(true)), Vec::<String>::new());
}

#[test]
fn every_column_of_every_row_is_checked() {
    for column in 0..COLUMNS {
        for at in (column % 11..SMALL.rows.len()).step_by(11) {
            let mut log = SMALL.clone();
            change(&mut log.rows[at], column, at * 7, 1 + (at % 255) as u8);
            let report = log.verify(true);
            let seq = SMALL.rows[at].seq;
            assert!(
                located(&report, seq),
                "column {column} of {seq}: {:?}",
                told(&report)
            );
            let hashed = matches!(column, 0..=2 | 12..);
            assert!(
                !hashed || log.verify(false).exit_code() == 1,
                "{column} of {seq}"
            );
        }
    }
}

#[test]
fn every_position_is_checked() {
    let small = log(24);
    for at in 0..small.rows.len() {
        for to in [0, 1, 12, 1_000] {
            let mut log = small.clone();
            if log.rows[at].position.replace(to) == Some(to) {
                continue;
            }
            let mut positions = Positions::new();
            log.rows
                .iter()
                .for_each(|row| positions.seen(&Look::new(false).row(&row.lying())));
            assert!(!positions.finish().is_empty(), "{at} to {to}");
            let inside = to < 24 || at < 23;
            assert!(
                !inside || log.verify_rows().exit_code() == 1,
                "{at} to {to}"
            );
        }
    }
}

#[test]
fn one_change_is_one_finding() {
    for (column, what) in [
        (12, "hash does not match"),
        (13, "hash does not match"),
        (6, "type differs"),
    ] {
        let mut log = WHOLE.clone();
        change(&mut log.rows[1_233], column, 40, 1);
        let report = log.verify(true);
        let [only] = told(&report).try_into().unwrap();
        let start = format!(
            "entry 1234 of {}: {what}",
            domain::Stream::from_bytes(STREAM)
        );
        assert!(only.starts_with(&start), "{only}");
    }
    // What is not shown from the entry is for --deep alone.
    let mut log = WHOLE.clone();
    log.rows[9].kind.push('x');
    assert_eq!(log.verify(false).exit_code(), 0);
}

#[test]
fn every_bit_of_a_body_and_a_hash_counts() {
    let log = log(12);
    for (column, length) in [(12, log.rows[5].body.len()), (13, 32)] {
        for at in 0..length {
            let mut log = log.clone();
            change(&mut log.rows[5], column, at, 1 << (at % 8));
            let report = log.verify(false);
            assert!(
                located(&report, 6) && report.findings.len() == 1,
                "{:?}",
                told(&report)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn rows_that_change_places_are_found(at in 0usize..119, other in 0usize..120) {
        let (low, high) = (at.min(other), at.max(other).max(at.min(other) + 1));
        let mut log = SMALL.clone();
        log.rows.swap(low, high);
        let report = log.verify(true);
        prop_assert!(located(&report, low as u64 + 1), "{:?}", told(&report));
        // The same when they take each other's number and position along.
        let mut log = SMALL.clone();
        log.rows.swap(low, high);
        for at in [low, high] {
            log.rows[at].seq = at as u64 + 1;
            log.rows[at].position = Some(at as u64 + 1);
        }
        let report = log.verify(false);
        prop_assert!(located(&report, low as u64 + 1), "{:?}", told(&report));
        prop_assert!(located(&report, high as u64 + 1), "{:?}", told(&report));
    }

    #[test]
    fn a_removed_row_is_found(at in 0usize..119) {
        let mut log = SMALL.clone();
        log.rows.remove(at);
        for deep in [false, true] {
            let report = log.verify(deep);
            let fault = Fault::Missing { from: at as u64 + 1, to: at as u64 + 1 };
            prop_assert!(report.findings.iter().any(|finding| finding.fault == fault));
            prop_assert!(located(&report, at as u64 + 1), "{:?}", told(&report));
        }
        // And when the rest is numbered anew.
        for (at, row) in log.rows.iter_mut().enumerate() {
            row.seq = at as u64 + 1;
        }
        prop_assert!(located(&log.verify(false), at as u64 + 1));
    }

    #[test]
    fn a_duplicate_and_a_forged_row_are_found(at in 0usize..120, to in 0usize..120) {
        let mut log = SMALL.clone();
        log.rows.insert(to, SMALL.rows[at].clone());
        let report = log.verify(true);
        prop_assert!(report.exit_code() == 1 && !report.findings.is_empty());
        let near = located(&report, at as u64 + 1) || located(&report, to as u64 + 1);
        prop_assert!(near, "{:?}", told(&report));
        // A row that is right in itself, in front of or behind the one whose place it takes.
        let before = at.checked_sub(1).map_or([0; 32], |at| SMALL.rows[at].hash);
        let forged = row(&entry(9_999), at as u64 + 1, 0, &before, None);
        for place in [at, at + 1] {
            let mut log = SMALL.clone();
            log.rows.insert(place, forged.clone());
            let report = log.verify(false);
            let fault = Fault::Inserted { seq: at as u64 + 1, to: at as u64 + 1 };
            // Beside the last entry either row may pass for the last, and the head then says another time.
            let most = if at + 1 == SMALL.rows.len() { 2 } else { 1 };
            prop_assert!(report.findings.len() <= most, "{:?}", told(&report));
            prop_assert_eq!(&report.findings[0].fault, &fault);
        }
    }

    #[test]
    fn a_shortened_log_is_found(keep in 0usize..2_000) {
        let mut log = WHOLE.clone();
        log.rows.truncate(keep);
        let report = log.verify(false);
        prop_assert_eq!(report.exit_code(), 1);
        let fault = Fault::Truncated { size_signed: 1_993, size_found: keep as u64 };
        let told = report.findings.iter().any(|finding| finding.fault == fault);
        prop_assert_eq!(told, keep < 1_993);
        let headed = report.findings.iter().any(|finding| matches!(finding.fault, Fault::HeadMismatch { .. }));
        prop_assert!(headed);
    }

    #[test]
    fn a_log_written_anew_is_not_what_was_signed(at in 0usize..110) {
        let mut log = SMALL.clone();
        let (mut hash, mut frontier) = ([0; 32], Frontier::new());
        for (place, row) in log.rows.iter_mut().enumerate() {
            let number = if place == at { 7_777 } else { row.seq };
            let floor = if place == 0 { 0 } else { row.time };
            *row = fixture::row(&entry(number), row.seq, floor, &hash, row.state_rev);
            hash = row.hash;
            frontier.push(&hash);
        }
        (log.head.hash, log.head.frontier) = (hash, frontier.to_bytes());
        let bad = |report: &Report| report.findings.iter().any(|finding| {
            matches!(finding.fault, Fault::BadCheckpoint { size: Some(size), .. } if size > at as u64)
        });
        let report = log.verify(false);
        prop_assert!(report.exit_code() == 1 && bad(&report), "{:?}", told(&report));
        prop_assert_eq!(report.findings.len(), 1);
    }
}
