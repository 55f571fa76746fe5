//! A log whose key handed over: whoever keeps the first key follows to the last, and to no other.

use super::super::fixture::{STREAM, entry, key, note_by, pair, row};
use super::*;
use crate::log::{
    VerifierKey,
    note::{Handover, origin, sign_text},
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use domain::{
    Stream,
    entry::{After, LOG_KEY_ROTATED},
};

fn pair_of(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn key_of(pair: &Ed25519KeyPair) -> VerifierKey {
    let public = pair.public_key().as_ref().try_into().unwrap();
    VerifierKey::new(&origin(Stream::from_bytes(STREAM)), public).unwrap()
}

/// What `signer` says of the key that comes after.
fn statement(signer: &Ed25519KeyPair, next: &Ed25519KeyPair) -> String {
    let (old, new) = (key_of(signer), key_of(next));
    Handover { old, new }.sign(signer)
}

/// An entry, or the one in which the log is handed over.
fn nth(seq: u64, statement: Option<&String>) -> domain::Entry {
    let mut entry = entry(seq);
    if let Some(statement) = statement {
        entry.kind = LOG_KEY_ROTATED.into();
        let after = serde_json::json!({ "statement": statement });
        entry.action.details.after = Some(After::Value(after));
    }
    entry
}

/// Thirty entries, with these statements at the tenth and the twentieth, and these keys signing after each ten.
fn report(keys: &[VerifierKey], statements: [String; 2], signers: [&Ed25519KeyPair; 3]) -> Report {
    let (mut frontier, mut hash, mut time) = (Frontier::new(), FIRST_PREVIOUS, 0);
    let mut claims = Claims::new(keys);
    let mut verifier = Verifier::new(STREAM, Options::default());
    for seq in 1..=30u64 {
        let handed = (seq == 10 || seq == 20).then(|| &statements[seq as usize / 10 - 1]);
        let entry = nth(seq, handed);
        let row = row(&entry, seq, time, &hash, None);
        (hash, time) = (row.hash, row.time);
        frontier.push(&hash);
        verifier.row(&row);
        if seq % 10 == 9 {
            let note = note_by(signers[seq as usize / 10], seq, frontier.root(), hash);
            claims.add(&note, Kept::Stream(STREAM));
        }
    }
    let (head, feed, claims) = (None, None, &claims);
    verifier.finish(Against { head, claims, feed })
}

#[test]
fn the_first_key_leads_to_the_last() {
    let (first, second, third) = (pair(), pair_of(2), pair_of(3));
    let handed = || [statement(&first, &second), statement(&second, &third)];
    let signers = [&first, &second, &third];
    let whole = report(&[key()], handed(), signers);
    assert_eq!((told(&whole), whole.checkpoints), (vec![], 3));
    assert_eq!(whole.after_last_checkpoint, 1);
    // Nobody may sign who was not handed the log.
    let stranger = pair_of(4);
    let forged = report(&[key()], handed(), [&first, &second, &stranger]);
    assert_eq!((forged.exit_code(), forged.checkpoints), (1, 2));
    let without = report(&[], handed(), signers);
    assert_eq!(without.exit_code(), 3, "{:?}", told(&without));
}

#[test]
fn a_key_that_handed_over_signs_nothing_more() {
    let (first, second, third) = (pair(), pair_of(2), pair_of(3));
    let handed = || [statement(&first, &second), statement(&second, &third)];
    for signers in [
        [&first, &first, &third],
        [&first, &second, &second],
        [&first, &second, &first],
    ] {
        let report = report(&[key()], handed(), signers);
        assert_eq!(report.exit_code(), 1);
        let told = told(&report);
        assert!(
            told[0].contains("signed by a key that had handed the log over in entry"),
            "{told:?}"
        );
    }
    // Whoever has all of the keys is told the same.
    let all = [key(), key_of(&second), key_of(&third)];
    assert_eq!(
        report(&all, handed(), [&first, &second, &third]).exit_code(),
        0
    );
    assert_eq!(
        report(&all, handed(), [&first, &second, &first]).exit_code(),
        1
    );
    // A log is handed over once.
    let twice = [statement(&first, &second), statement(&first, &third)];
    let taken = report(&[key()], twice, [&first, &second, &third]);
    assert!(located(&taken, 20), "{:?}", told(&taken));
}

#[test]
fn a_later_key_leads_back_to_the_first_as_far_as_it_signed() {
    let (first, second, third, stranger) = (pair(), pair_of(2), pair_of(3), pair_of(4));
    let handed = || [statement(&first, &second), statement(&second, &third)];
    for pinned in [key_of(&second), key_of(&third)] {
        let whole = report(&[pinned], handed(), [&first, &second, &third]);
        assert_eq!((told(&whole), whole.checkpoints), (vec![], 3));
    }
    // Without anything that the key at hand signed after it took over, nobody vouches for who was before it.
    let bare = report(&[key_of(&third)], handed(), [&first, &second, &second]);
    assert_eq!(bare.exit_code(), 1);
    let claimed = [statement(&stranger, &third), statement(&third, &second)];
    let taken = report(&[key_of(&third)], claimed, [&stranger, &stranger, &second]);
    assert!(located(&taken, 10), "{:?}", told(&taken));
}

#[test]
fn a_forged_handover_is_found_at_its_entry() {
    let (first, second, third, stranger) = (pair(), pair_of(2), pair_of(3), pair_of(4));
    let right = || statement(&first, &second);
    for wrong in [
        statement(&stranger, &third),
        statement(&third, &third),
        right().replacen("log-key", "log-kex", 1),
        String::new(),
        "nothing".into(),
    ] {
        let report = report(&[key()], [right(), wrong], [&first, &second, &second]);
        assert!(located(&report, 20), "{:?}", told(&report));
    }
    let taken = report(
        &[key()],
        [statement(&stranger, &stranger), right()],
        [&first, &stranger, &stranger],
    );
    assert_eq!(
        (taken.exit_code(), taken.checkpoints),
        (1, 1),
        "{:?}",
        told(&taken)
    );
    assert!(
        told(&taken)[0].starts_with("entry 10 of"),
        "{:?}",
        told(&taken)
    );
}

#[test]
fn a_manifest_is_signed_by_whoever_signs_at_its_end() {
    let (first, second) = (pair(), pair_of(2));
    let code = |signer: &Ed25519KeyPair, to: u64| {
        let stream = Stream::from_bytes(STREAM);
        let mut writer = export::Writer::new(Vec::new(), stream, 1, to).unwrap();
        let (mut hash, mut time) = (FIRST_PREVIOUS, 0);
        let handed = statement(&first, &second);
        for seq in 1..=to {
            let row = row(
                &nth(seq, (seq == 10).then_some(&handed)),
                seq,
                time,
                &hash,
                None,
            );
            (hash, time) = (row.hash, row.time);
            writer.row(&row).unwrap();
        }
        let sign = |text: &str| sign_text(text, &origin(stream), signer);
        let file = writer.finish(None, sign).unwrap();
        let claims = Claims::new(&[key()]);
        export::verify(&file[..], claims, true).unwrap().exit_code()
    };
    assert_eq!((code(&first, 9), code(&second, 12)), (0, 0));
    assert_eq!(
        (code(&first, 10), code(&first, 12), code(&second, 9)),
        (1, 1, 1)
    );
}
