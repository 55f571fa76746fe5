//! A log whose key handed over: whoever keeps the first key follows to the last, and to no other.

use super::super::fixture::{STREAM, entry, key, note_by, pair, row};
use super::*;
use crate::log::{
    VerifierKey,
    note::{handover, origin, sign_text},
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
    let stream = Stream::from_bytes(STREAM);
    sign_text(&handover(stream, &key_of(next)), &origin(stream), signer)
}

/// Thirty entries, with these statements at the tenth and the twentieth, and these keys signing after each ten.
fn report(keys: &[VerifierKey], statements: [String; 2], signers: [&Ed25519KeyPair; 3]) -> Report {
    let (mut frontier, mut hash, mut time) = (Frontier::new(), FIRST_PREVIOUS, 0);
    let mut claims = Claims::new(keys);
    let mut verifier = Verifier::new(STREAM, Options::default());
    for seq in 1..=30u64 {
        let mut entry = entry(seq);
        if seq == 10 || seq == 20 {
            let statement = &statements[seq as usize / 10 - 1];
            entry.kind = LOG_KEY_ROTATED.into();
            let after = serde_json::json!({ "statement": statement });
            entry.action.details.after = Some(After::Value(after));
        }
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
