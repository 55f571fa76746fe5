//! What the rows are held against: head, feed, checkpoints, anchors and instance checkpoints.

use super::super::fixture::{STREAM, key, log, note, pair};
use super::*;
use crate::log::VerifierKey;
use crate::log::note::{Checkpoint, Head, InstanceCheckpoint, origin, sign_instance};
use domain::Stream;
use kernel::{Id, Timestamp};

#[test]
fn the_head_is_checked() {
    let changes: [fn(&mut HeadRow); 5] = [
        |head| head.seq -= 1,
        |head| head.hash[3] ^= 1,
        |head| head.time += 1,
        |head| head.frontier[20] ^= 1,
        |head| head.state_rev += 1,
    ];
    for change in changes {
        let mut log = SMALL.clone();
        change(&mut log.head);
        let report = log.verify(true);
        assert_eq!(report.findings.len(), 1, "{:?}", told(&report));
        assert!(matches!(
            report.findings[0].fault,
            Fault::HeadMismatch { .. }
        ));
    }
}

#[test]
fn the_feed_is_checked() {
    let small = log(40);
    for at in 0..small.feed.len() {
        let mut log = small.clone();
        let (_, seq) = log.feed[at];
        log.feed[at].0 += 1;
        assert!(
            located(&log.verify(true), seq),
            "{:?}",
            told(&log.verify(true))
        );
        if at > 0 {
            let mut log = small.clone();
            log.feed.remove(at);
            assert!(
                located(&log.verify(true), seq),
                "{:?}",
                told(&log.verify(true))
            );
        }
    }
    let mut late = small.clone();
    late.feed.drain(..9);
    assert_eq!(told(&late.verify(true)), Vec::<String>::new());
}

#[test]
fn checkpoints_are_checked() {
    let bad = |note: String| {
        let mut log = SMALL.clone();
        log.notes.push(note);
        let report = log.verify(false);
        assert_eq!(report.exit_code(), 1);
        let [only] = told(&report).try_into().unwrap();
        only
    };
    let good = SMALL.notes[0].clone();
    let changed = bad(good.replacen("epoch 0", "epoch 1", 1));
    assert!(
        changed.ends_with("the signature does not match the text"),
        "{changed}"
    );
    assert!(
        bad(note(50, [1; 32], SMALL.rows[49].hash)).contains("at 50 entries: not what was signed")
    );
    assert!(bad("x".into()).contains("not a signed note"));
    let mut log = SMALL.clone();
    log.notes.push(note(121, [1; 32], [1; 32]));
    assert!(told(&log.verify(false))[0].ends_with("120 entries, but 121 were signed"));
}

fn against(kept: Kept, notes: &[String], keys: &[VerifierKey]) -> Report {
    let mut claims = Claims::new(keys);
    notes.iter().for_each(|note| claims.add(note, kept));
    let mut verifier = Verifier::new(STREAM, Options::default());
    SMALL.rows.iter().for_each(|row| verifier.row(row));
    verifier.finish(Against {
        head: None,
        claims: &claims,
        feed: None,
    })
}

#[test]
fn a_missing_key_is_incomplete_and_anchors_count() {
    assert_eq!(
        against(Kept::Stream(STREAM), &SMALL.notes, &[]).exit_code(),
        3
    );
    let report = against(Kept::Anchor, &SMALL.notes, &[key()]);
    assert_eq!(
        (report.exit_code(), report.anchored, report.anchored_size),
        (0, true, 113)
    );
    let other = VerifierKey::new(key().name(), [9; 32]).unwrap();
    assert_eq!(
        against(Kept::Stream(STREAM), &SMALL.notes, &[other]).exit_code(),
        1
    );
}

fn instance_note(size: u64, root: [u8; 32], chain: [u8; 32]) -> String {
    let name = origin(Stream::INSTANCE);
    let instance = Checkpoint {
        origin: name.clone(),
        size: 0,
        root: Frontier::new().root(),
        chain: [0; 32],
        time: Timestamp::from_seconds(1),
        epoch: 0,
    };
    let org = Id::from_bytes(STREAM);
    let heads = vec![Head {
        org,
        size,
        root,
        chain,
    }];
    sign_instance(&InstanceCheckpoint { instance, heads }, &name, &pair())
}

#[test]
fn instance_checkpoints_vouch_for_the_streams_they_name() {
    let instance = VerifierKey::new("cardea/instance", *key().public()).unwrap();
    let root = Frontier::from_bytes(&SMALL.head.frontier).unwrap().root();
    for kept in [Kept::Instance, Kept::Anchor] {
        let good = [instance_note(120, root, SMALL.head.hash)];
        let report = against(kept, &good, std::slice::from_ref(&instance));
        let expected = (0, 1, 0, kept == Kept::Anchor);
        let seen = (
            report.exit_code(),
            report.checkpoints,
            report.after_last_checkpoint,
        );
        assert_eq!((seen.0, seen.1, seen.2, report.anchored), expected);
        let longer = [instance_note(121, root, SMALL.head.hash)];
        let report = against(kept, &longer, std::slice::from_ref(&instance));
        assert_eq!(report.exit_code(), 1);
        let other = [instance_note(120, [1; 32], SMALL.head.hash)];
        let report = against(kept, &other, std::slice::from_ref(&instance));
        assert_eq!(report.exit_code(), 1);
    }
    // A key of one stream's does not speak for another.
    let mut claims = Claims::new(&[key()]);
    claims.add(&SMALL.notes[0], Kept::Stream([6; 16]));
    let against = Against {
        head: None,
        claims: &claims,
        feed: None,
    };
    let report = Verifier::new([6; 16], Options::default()).finish(against);
    assert!(told(&report)[0].ends_with("it is another stream's"));
}
