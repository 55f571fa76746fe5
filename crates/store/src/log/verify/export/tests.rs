//! An export is verified like the log it was made from, and a changed byte of it does not pass.

use super::super::fixture::{Log, STREAM, key, log, pair};
use super::*;
use crate::log::note::sign_text;

fn export(log: &Log, from: u64, to: u64) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Stream::from_bytes(STREAM), from, to).unwrap();
    let rows = log.rows.iter();
    for row in rows.filter(|row| (from..=to).contains(&row.seq)) {
        writer.row(row).unwrap();
    }
    let name = origin(Stream::from_bytes(STREAM));
    let sign = |text: &str| sign_text(text, &name, &pair());
    writer
        .finish(log.notes.last().map(String::as_str), sign)
        .unwrap()
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
    assert_eq!(
        report.exit_code(),
        1,
        "a line was taken out of what was signed"
    );
    let told: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(
        told[0].starts_with("entry 9 of org_") && told[0].ends_with("not in the export"),
        "{told:?}"
    );
    assert!(told[1].contains("the file was changed"), "{told:?}");
    let mut sparse = log.clone();
    sparse.rows.remove(8);
    let report = read(&export(&sparse, 1, 40), true).unwrap();
    assert_eq!(report.exit_code(), 3, "one that was signed with a hole");
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
fn any_changed_byte_breaks_it() {
    let whole = export(&log(8), 1, 8);
    assert_eq!(code(&whole, true), 0);
    let ends = |at: &usize| *at < 200 || whole.len() - at < 900;
    for at in (0..whole.len()).filter(|at| at % 17 == 0 || ends(at)) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 7);
        assert_eq!(code(&changed, false), 1, "byte {at}");
    }
    let header = whole.iter().position(|byte| *byte == b'\n').unwrap();
    for cut in (0..whole.len()).rev().step_by(41) {
        let wanted = if cut > header { 1 } else { 2 };
        assert_eq!(code(&whole[..cut], false), wanted, "first {cut} bytes");
    }
    assert_eq!(code(&[&whole[..], b"\n"].concat(), false), 1);
    let spaced = String::from_utf8(whole).unwrap();
    let spaced = spaced.replacen("\"seq\":", "\"seq\": ", 1);
    let report = read(spaced.as_bytes(), false).unwrap();
    let told: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
    assert!(
        told.iter().any(|told| told.ends_with("not an entry")),
        "{told:?}"
    );
    for nothing in [&b""[..], b"{}\n", b"no export"] {
        let error = read(nothing, false).unwrap_err().to_string();
        assert_eq!(
            error,
            "line 1 of the export is not the header of an export; export again"
        );
    }
}

#[test]
fn a_manifest_of_another_file_or_another_key_is_none() {
    let (mut log, whole) = (log(40), export(&log(40), 1, 33));
    assert_eq!(code(&whole, true), 0);
    log.rows[3].resource = Some("agt_other".into());
    let other = export(&log, 1, 33);
    let last = |bytes: &[u8]| {
        bytes[..bytes.len() - 1]
            .iter()
            .rposition(|b| *b == b'\n')
            .unwrap()
    };
    let mixed = [&other[..=last(&other)], &whole[last(&whole) + 1..]].concat();
    assert_eq!((code(&other, false), code(&mixed, false)), (0, 1));
    let mut writer = Writer::new(Vec::new(), Stream::from_bytes(STREAM), 1, 0).unwrap();
    assert!(!writer.out().is_empty());
    let stranger = aws_lc_rs::signature::Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
    let name = origin(Stream::from_bytes(STREAM));
    let forged = writer.finish(None, |text| sign_text(text, &name, &stranger));
    assert_eq!(code(&forged.unwrap(), false), 1);
    // Whoever cannot sign leaves nothing in the signatures' place either.
    let text = String::from_utf8(whole.clone()).unwrap();
    let header = text
        .lines()
        .next()
        .unwrap()
        .replace("\"to\":33", "\"to\":20");
    let kept: Vec<&str> = text.lines().skip(1).take(20).collect();
    for last in [
        r#"{"checkpoint":null,"manifest":null}"#,
        r#"{"checkpoint":null}"#,
        r#"{"checkpoint":null,"manifest":""}"#,
    ] {
        let bare = format!("{header}\n{}\n{last}\n", kept.join("\n"));
        assert_eq!(code(bare.as_bytes(), true), 1, "{last}");
    }
}
