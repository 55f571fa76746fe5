//! `cardea audit verify` as an auditor runs it: on a folder, a database server or an export, with keys and
//! checkpoints kept elsewhere, told by its exit code: 0 whole, 1 broken, 2 unreadable, 3 incomplete, 64 usage.

mod kept;

use crate::{
    program::{Place, run},
    world::text,
};
use kept::Kept;
use kernel::Entropy;
use serde_json::{Value, json};
use std::fs;
use store::log::{VerifierKey, note::origin};
use testkit::{
    clock::SeededEntropy,
    postgres::{Postgres, psql},
    sqlite::{Intruder, params},
    tools::{Tool, require},
};

/// How often a text stands in another, and each replaced.
fn replace_all(bytes: &mut [u8], old: &[u8], new: &[u8]) -> usize {
    let found: Vec<usize> = (0..bytes.len() - old.len())
        .filter(|at| bytes[*at..].starts_with(old))
        .collect();
    found
        .iter()
        .for_each(|at| bytes[*at..at + new.len()].copy_from_slice(new));
    found.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_a_byte_changed_in_the_file_is_found_and_its_entry_named() {
    let kept = Kept::make(None).await;
    let clean = kept.with_bytes(|_| {}).with(0);
    assert!(
        clean
            .out
            .contains("whole; 0 entries after the last checkpoints"),
        "{}",
        clean.out
    );
    let dice = SeededEntropy::new(0xf11e_0001);
    let draw = || (&dice as &dyn Entropy).number() as usize;
    let rows = kept.rows().await;
    for _ in 0..24 {
        let row = &rows[draw() % rows.len()];
        let old = if draw() % 3 == 0 {
            row.hash.to_vec()
        } else {
            row.body.clone()
        };
        let mut new = old.clone();
        let at = draw() % new.len();
        new[at] ^= 1 << (draw() % 8);
        let told = kept.with_bytes(|bytes| {
            assert!(
                replace_all(bytes, &old, &new) > 0,
                "entry {} is not in the file",
                row.seq
            )
        });
        let told = told.with(1);
        let named = format!("entry {} of {}", row.seq, kept.stream);
        assert!(
            told.out.contains(&named),
            "byte {at} of entry {}: {}",
            row.seq,
            told.out
        );
        assert!(told.out.contains("broken"), "{}", told.out);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_printed_says_how_far_signatures_reach() {
    let kept = Kept::make(None).await;
    let entries = kept.rows().await.len();
    let told = kept.verify(&["--deep", "--output", "json"]).with(0).json();
    assert_eq!(told["verdict"], "whole");
    let log = |told: &Value| {
        told["logs"]
            .as_array()
            .unwrap()
            .iter()
            .find(|log| log["org"] == "acme")
            .unwrap()
            .clone()
    };
    let acme = log(&told);
    assert_eq!(
        (&acme["entries"], &acme["after_last_checkpoint"]),
        (&json!(entries), &json!(0)),
        "{acme}"
    );
    assert!(
        acme["checkpoints"].as_u64().unwrap() > 1 && text(&acme, "head").len() == 64,
        "{acme}"
    );
    let uncovered = kept
        .with_rows(&["--output", "json"], |intruder| {
            intruder.batch("DELETE FROM checkpoint")
        })
        .with(0);
    assert_eq!(
        log(&uncovered.json())["after_last_checkpoint"],
        json!(entries)
    );
    let only = kept
        .verify(&["--org", "acme", "--output", "json"])
        .with(0)
        .json();
    assert_eq!(only["logs"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_anchors_kept_elsewhere_are_believed_over_the_database() {
    let kept = Kept::make(None).await;
    let key = kept.key.as_str();
    kept.verify(&["--key", key, "--deep"]).with(0);
    let other = VerifierKey::new(&origin(kept.stream), [7; 32])
        .unwrap()
        .to_string();
    kept.verify(&["--key", &other]).with(1);
    kept.verify(&["--key", "no key"]).with(64);

    kept.verify(&["--require-anchor", "--org", "acme"]).with(3);
    let anchored = kept
        .verify(&[
            "--require-anchor",
            "--org",
            "acme",
            "--anchor",
            kept.anchor(),
            "--key",
            key,
            "--output",
            "json",
        ])
        .with(0);
    assert!(
        anchored.json()["logs"][0]["anchored_size"]
            .as_u64()
            .unwrap()
            > 30,
        "{}",
        anchored.out
    );
    kept.verify(&["--require-anchor", "--anchor", kept.anchor()])
        .with(3);
    kept.verify(&["--anchor", "/not/there"]).with(2);
    let spoiled = kept.folder.path().join("spoiled");
    for text in ["", "garbage", "{\"checkpoint\":\"x\"}\n"] {
        fs::write(&spoiled, text).unwrap();
        let told = kept
            .verify(&["--anchor", spoiled.to_str().unwrap()])
            .with(64);
        assert!(told.err.contains("spoiled"), "{}", told.err);
    }
    let note = fs::read_to_string(&kept.anchor).unwrap();
    fs::write(&spoiled, format!("{note}\n")).unwrap();
    let spoiled = spoiled.to_str().unwrap();
    let told = kept
        .verify(&["--require-anchor", "--org", "acme", "--anchor", spoiled])
        .with(0);
    assert!(told.out.contains("ANCHORED"), "{}", told.out);

    // A log that is not here, as one is whose every trace was removed.
    let stranger = Kept::make(None).await;
    kept.verify(&["--anchor", stranger.anchor()]).with(3);
    let both = [
        "--org",
        "acme",
        "--anchor",
        kept.anchor(),
        "--anchor",
        stranger.anchor(),
    ];
    let told = kept.verify(&both).with(0);
    assert!(told.out.contains("anchors nothing"), "{}", told.out);
    kept.verify(&[&both[..], &["--require-anchor"]].concat())
        .with(3);
    let bare = kept.verify(&["--require-anchor", "--org", "acme"]).with(3);
    assert!(bare.out.contains("found right for acme"), "{}", bare.out);
    let gone = kept.verify(&["--anchor", stranger.anchor(), "--key", &stranger.key]);
    assert!(
        gone.with(1).out.contains("0 entries, but "),
        "every entry of it is missing"
    );
    let forged = fs::read_to_string(&kept.anchor)
        .unwrap()
        .replacen("\nchain ", "\nchain A", 1);
    let file = kept.folder.path().join("forged");
    fs::write(&file, forged).unwrap();
    kept.verify(&["--anchor", file.to_str().unwrap()]).with(1);

    let cut = |intruder: &Intruder| {
        let gone = intruder.run(
            "DELETE FROM audit_events WHERE stream = ?1 AND seq > 20",
            params![kept.stream.bytes()],
        );
        assert!(gone > 10);
        intruder.batch("DELETE FROM checkpoint");
    };
    let told = kept
        .with_rows(&["--deep", "--anchor", kept.anchor()], cut)
        .with(1);
    assert!(told.out.contains("20 entries, but "), "{}", told.out);
    let unkeyed = kept
        .with_rows(&[], |intruder| intruder.batch("DELETE FROM signing_key"))
        .with(3);
    assert!(
        unkeyed.out.contains("give the key of") && unkeyed.out.contains("incomplete"),
        "{}",
        unkeyed.out
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_and_what_was_not_understood_have_codes_of_their_own() {
    let kept = Kept::make(None).await;
    kept.verify(&["--nonsense"]).with(64);
    kept.verify(&["--file", "x"]).with(64);
    run(&["audit", "verify", "--key"]).with(64);
    kept.verify(&["--org", "nobody"]).with(2);
    let empty = tempfile::tempdir().unwrap();
    let nothing = Place::new(empty.path()).run(&["audit", "verify"]).with(2);
    assert!(
        nothing.err.contains("--data") && fs::read_dir(empty.path()).unwrap().next().is_none(),
        "{}",
        nothing.err
    );
    fs::write(
        empty.path().join("cardea.db"),
        "no database at all, and long enough to be looked at ".repeat(40),
    )
    .unwrap();
    Place::new(empty.path()).run(&["audit", "verify"]).with(2);
    let nowhere = Place {
        database_url: Some("postgres://nobody@127.0.0.1:1/none".into()),
        ..kept.place.clone()
    };
    nowhere.run(&["audit", "verify"]).with(2);
    // Broken comes before incomplete.
    let both = kept.with_rows(&["--require-anchor"], |intruder| {
        intruder.run(
            "UPDATE audit_events SET body = x'7b7d' WHERE stream = ?1 AND seq = 9",
            params![kept.stream.bytes()],
        );
    });
    both.with(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_is_held_against_its_checkpoint_and_a_key() {
    let kept = Kept::make(None).await;
    let file = kept.folder.path().join("export.jsonl");
    let path = file.to_str().unwrap();
    let made = ["audit", "export", "--org", "acme", "--file", path];
    kept.place.run(&made).with(0);
    let whole = fs::read_to_string(&file).unwrap();
    // The header, then entry n on line n + 1.
    let export = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        change(&mut lines);
        fs::write(&file, lines.join("\n") + "\n").unwrap();
    };
    let key = [
        "audit", "verify", "--deep", "--file", path, "--key", &kept.key,
    ];
    export(&|_| {});
    run(&key).with(0);
    run(&["audit", "verify", "--file", path]).with(3);
    run(&[&key[..], &["--require-anchor"]].concat()).with(3);
    run(&[&key[..], &["--require-anchor", "--anchor", kept.anchor()]].concat()).with(0);
    export(&|lines| lines[12] = lines[12].replacen("\"actor\":\"", "\"actor\":\"x", 1));
    let told = run(&key).with(1);
    assert!(
        told.out.contains(&format!("entry 12 of {}", kept.stream)),
        "{}",
        told.out
    );
    export(&|lines| drop(lines.remove(12)));
    let told = run(&key).with(1);
    assert!(told.out.contains("entry 12 of"), "{}", told.out);
    // Nobody vouches for what is left when the signatures are taken away too.
    let end = r#"{"checkpoint":null,"manifest":""}"#;
    export(&|lines| *lines.last_mut().unwrap() = end.into());
    run(&key).with(1);
    export(&|_| {});
    fs::write(
        &file,
        fs::read_to_string(&file)
            .unwrap()
            .replacen("\"seq\"", "\"sec\"", 1),
    )
    .unwrap();
    let told = run(&key).with(1);
    assert!(told.out.contains("line 2 of the export"), "{}", told.out);
    fs::write(&file, "{}\n").unwrap();
    run(&key).with(2);
    run(&["audit", "verify", "--file", "/not/there"]).with(2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_a_superusers_change_in_a_database_server_is_found() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let url = Postgres::shared().database();
    let kept = Kept::make(Some(url.clone())).await;
    let verify = || kept.verify(&["--deep"]);
    verify().with(0);
    let org: String = kept
        .stream
        .bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let place = format!("WHERE stream = '\\x{org}' AND seq = 17");
    let change = |set: &str| {
        psql(
            &url,
            &format!(
                "ALTER TABLE audit_events DISABLE TRIGGER ALL; UPDATE audit_events SET {set} {place}; ALTER TABLE audit_events ENABLE TRIGGER ALL"
            ),
        );
    };
    for (there, back) in [
        (
            "body = set_byte(body, 40, get_byte(body, 40) # 1)",
            "body = set_byte(body, 40, get_byte(body, 40) # 1)",
        ),
        ("actor = actor || 'x'", "actor = left(actor, -1)"),
        (
            "state_rev = state_rev + 1000",
            "state_rev = state_rev - 1000",
        ),
        ("hash = substr(hash, 1, 31) || '\\x00'", "hash = hash"),
    ] {
        change(there);
        let told = verify().with(1);
        assert!(
            told.out.contains(&format!("entry 17 of {}", kept.stream)),
            "{there}: {}",
            told.out
        );
        change(back);
    }
    let stray = format!(
        "INSERT INTO audit_events SELECT '\\x{}', seq, time, event_id, state_rev, type, actor, resource, agent, lineage, expires_at, body, hash FROM audit_events {place}",
        "07".repeat(16)
    );
    psql(&url, &stray);
    let told = verify().with(1);
    assert!(
        told.out.contains("entry 17 of org_"),
        "a log that nobody knows: {}",
        told.out
    );
}

/// The instance's key covers every log: whoever keeps the first follows to the last, and sees what the last one signed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aud_8_the_instances_key_hands_over_and_verifiers_follow() {
    let kept = Kept::make(None).await;
    let rotate = ["keys", "rotate-log", "--instance", "--output", "json"];
    let key = |done: &Value| text(&done["key"], "verifier_key");
    let first = key(&kept.place.run(&rotate).with(0).json());
    let serving = kept.place.serve();
    let second = kept.place.run(&rotate).with(0).json();
    assert!(text(&second, "checkpoint").starts_with(&origin(domain::Stream::INSTANCE)));
    // The organization's log goes on after the first key's end.
    kept.place.run(&["recover-admin", "--org", "acme"]).with(0);
    assert_eq!(serving.stop(), 0);
    let second = key(&second);
    assert_ne!(first, second);
    for known in [&first, &second] {
        kept.verify(&["--deep", "--key", known]).with(0);
    }
    let stranger = VerifierKey::new(&origin(domain::Stream::INSTANCE), [7; 32]).unwrap();
    kept.verify(&["--key", &stranger.to_string()]).with(1);

    // Only what the last key signed covers the organization's end.
    let own = kept.stream.bytes();
    let only = ["--key", &first, "--output", "json"];
    let verified = kept.with_rows(&only, |intruder| {
        intruder.run("DELETE FROM checkpoint WHERE stream = ?1", params![own]);
    });
    let verified = verified.with(0).json();
    let logs = verified["logs"].as_array().unwrap();
    let acme = logs.iter().find(|log| log["org"] == "acme").unwrap();
    assert_eq!(acme["after_last_checkpoint"], 0, "{acme}");
    kept.place
        .run(&["keys", "rotate-log", "--instance", "--org", "acme"])
        .with(2);
    let other = Place::new(&kept.folder.path().join("nothing"));
    assert_ne!(other.run(&["keys", "rotate-log", "--instance"]).code, 0);
    assert!(!other.data.exists(), "nothing is made");
}
