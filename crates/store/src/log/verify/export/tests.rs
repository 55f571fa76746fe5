//! An export is verified like the log it was made from, and a changed byte of it does not pass.

use super::super::fixture::{Log, STREAM, key, log};
use super::*;

fn export(log: &Log, from: u64, to: u64) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Stream::from_bytes(STREAM), from, to).unwrap();
    let rows = log.rows.iter();
    for row in rows.filter(|row| (from..=to).contains(&row.seq)) {
        writer.row(row).unwrap();
    }
    writer.finish(log.notes.last().map(String::as_str)).unwrap()
}

fn read(bytes: &[u8], deep: bool) -> Result<Report, ExportError> {
    verify(bytes, Claims::new(&[key()]), deep)
}

/// 0 to 3 as `audit verify` exits.
fn code(bytes: &[u8], deep: bool) -> u8 {
    read(bytes, deep).map_or(2, |report| report.exit_code())
}

#[test]
fn an_export_is_as_whole_as_its_log() {
    let log = log(40);
    let report = read(&export(&log, 1, 40), true).unwrap();
    assert_eq!(
        (report.exit_code(), report.entries, report.checkpoints),
        (0, 40, 1)
    );
    assert_eq!(report.after_last_checkpoint, 7);
    let without = verify(&export(&log, 1, 40)[..], Claims::default(), true).unwrap();
    assert_eq!(without.exit_code(), 3);
}

#[test]
fn holes_make_it_incomplete() {
    let log = log(40);
    assert_eq!(code(&export(&log, 5, 40), true), 3);
    let (whole, rest) = (export(&log, 1, 40), export(&log, 5, 40));
    let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
    let report = read(&[&lines[..9], &lines[10..]].concat().concat(), true).unwrap();
    assert_eq!(report.exit_code(), 3);
    let told = report.findings[0].to_string();
    assert!(
        told.starts_with("entry 9 of org_") && told.ends_with("not in the export"),
        "{told}"
    );
    // Shorter than signed is broken, whatever the manifest says.
    assert_eq!(code(&export(&log, 1, 20), true), 1);
    assert_ne!(code(&[lines[0], &rest].concat(), true), 0);
    let swapped = [&lines[..7], &[lines[8], lines[7]], &lines[9..]]
        .concat()
        .concat();
    assert_eq!(code(&swapped, false), 1);
    let twice = [&lines[..7], &lines[6..]].concat().concat();
    assert_eq!(code(&twice, false), 1);
}

#[test]
fn no_changed_byte_passes() {
    let whole = export(&log(8), 1, 8);
    let ends = |at: &usize| *at < 200 || whole.len() - at < 420;
    for at in (0..whole.len()).filter(|at| at % 17 == 0 || ends(at)) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 7);
        assert_ne!(code(&changed, true), 0, "byte {at}");
    }
    for cut in (0..whole.len()).rev().step_by(41) {
        assert_eq!(code(&whole[..cut], false), 2, "first {cut} bytes");
    }
    assert_eq!(code(&[&whole[..], b"\n"].concat(), false), 2);
    let spaced = String::from_utf8(whole)
        .unwrap()
        .replacen("\"seq\":", "\"seq\": ", 1);
    let error = read(spaced.as_bytes(), false).unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2 of the export is not an entry or the checkpoint; export again"
    );
}
