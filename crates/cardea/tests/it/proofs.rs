//! The log given away: proofs and tiles that an independent tree bears out, however large the log, tiles that
//! somebody spoiled, and exports that verify by themselves.

use crate::{
    program::run,
    world::{Api, text},
};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use domain::{Entry, Stream};
use kernel::{Clock, Code, Entropy, Id, ambient};
use serde_json::{Value, json};
use service::{Cx, Envelope, Peer, log::Export};
use sha2::Sha256;
use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
};
use store::{
    Prepared, Reader, Record,
    log::merkle::tile::{Builder, Tiles},
};
use testkit::sqlite::Intruder;

/// Two full tiles of leaves and a rest.
const MANY: usize = 600;

/// Appends so many entries that each look like the log's last.
async fn grow(world: &crate::world::World, stream: Stream, count: usize) {
    let store = &world.server.platform().store;
    let read = move |reader: &mut Reader<'_>| reader.event_rows(stream, 0, 1);
    let row = store.read(stream, read).await.unwrap().remove(0);
    let model: Entry = serde_json::from_slice(&row.body).unwrap();
    let (clock, entropy) = (ambient::SystemClock, ambient::SystemEntropy);
    for _ in 0..count {
        let entry = Entry {
            event_id: Id::generate(&clock as &dyn Clock, &entropy as &dyn Entropy),
            timestamp: clock.now(),
            ..model.clone()
        };
        let record = Record {
            stream,
            entry: Prepared::new(&entry).unwrap(),
            decided_at: None,
            once: None,
        };
        store.record(record).await.unwrap();
    }
}

async fn hashes(world: &crate::world::World, stream: Stream) -> Vec<[u8; 32]> {
    let read = move |reader: &mut Reader<'_>| reader.entry_hashes(stream, 0, 100_000);
    world
        .server
        .platform()
        .store
        .read(stream, read)
        .await
        .unwrap()
}

fn bytes(hexes: &Value) -> Vec<u8> {
    let hexes = hexes.as_array().unwrap().iter();
    hexes.flat_map(|hex| unhex(hex.as_str().unwrap())).collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

async fn agrees(api: &Api, entries: &[[u8; 32]], size: usize) {
    let mut oracle = MemoryBackedTree::<Sha256, [u8; 32]>::new();
    entries[..size].iter().for_each(|entry| oracle.push(*entry));
    for at in [0, 255, 256, size - 1].into_iter().filter(|at| *at < size) {
        let path = format!("/audit/proof/inclusion?sequence={}&size={size}", at + 1);
        let told = api.get(&path).await.ok();
        assert_eq!(
            unhex(&text(&told, "root")),
            oracle.root().as_bytes().to_vec()
        );
        assert_eq!(unhex(&text(&told, "hash")), entries[at]);
        assert_eq!(bytes(&told["proof"]), oracle.prove_inclusion(at).as_bytes());
    }
    for old in [1, 256, size - 1].into_iter().filter(|old| *old < size) {
        let path = format!("/audit/proof/consistency?from={old}&to={size}");
        let told = api.get(&path).await.ok();
        let theirs = oracle.prove_consistency(size - old);
        assert_eq!(bytes(&told["proof"]), theirs.as_bytes(), "{old} to {size}");
    }
}

on_both_engines! {
    aud_3_proofs_and_tiles_are_those_of_another_tree, world => {
        let stream = Stream::org(world.org.parse().unwrap());
        grow(&world, stream, MANY).await;
        let api = &world.owner.api;
        let entries = hashes(&world, stream).await;
        for size in [2, 256, 257, 512, 600] {
            agrees(api, &entries, size).await;
        }
        assert_eq!(api.get("/audit/proof/inclusion?sequence=7&size=999999").await.refused(400), "invalid_input");

        let tile = async |path: &str| api.get(&format!("/log/tile/{path}")).await;
        let full = tile("0/001").await;
        assert_eq!(full.response.header("content-type"), Some("application/octet-stream"));
        let leaves: Vec<u8> = entries[256..512].iter().flat_map(store::log::merkle::leaf_hash).collect();
        assert_eq!(full.response.body, leaves);
        assert_eq!(tile("1/000.p/2").await.response.body.len(), 64);
        let own = tile("entries/000.p/3").await.response.body;
        assert_eq!((own.len(), &own[..2], &own[2..34]), (102, &[0, 32][..], &entries[0][..]));
        for missing in ["1/000", "0/009", "0/002", "0/1"] {
            assert!([400, 404].contains(&tile(missing).await.status), "{missing}");
        }
        let note = api.get("/log/checkpoint").await.response;
        assert!(note.text().starts_with(&format!("cardea/{}\n", world.org)), "{}", note.text());
        let nobody = api.with(kernel::SecretString::from("cdt_none".to_owned()));
        assert_eq!(nobody.get("/log/tile/0/001").await.status, 401);

        // Whoever spoils the tiles spoils no proof, and no tile that is given out.
        let spoil = async |sql: &str| {
            if world.engine == Engine::Sqlite {
                let file = world.folder.path().join("cardea.db");
                Intruder::beside(&file).batch(sql);
                true
            } else {
                false
            }
        };
        const ZERO: &str = "UPDATE log_tile SET hashes = zeroblob(length(hashes))";
        const MOVED: &str = "DELETE FROM log_tile WHERE level = 1 OR tile = 0; UPDATE log_tile SET tile = 9223372036854775807";
        for sql in [ZERO, MOVED] {
            if spoil(sql).await {
                agrees(api, &entries, 520).await;
            }
            if spoil(sql).await {
                assert_eq!(tile("0/001").await.response.body, leaves);
            }
        }
        // Nor do tiles that fit each other and are of another log.
        for round in 0..2 {
            forge_tiles(&world, stream, &entries).await;
            match round {
                0 => agrees(api, &entries, 512).await,
                _ => assert_eq!(tile("0/001").await.response.body, leaves),
            }
        }
    }
}

/// Keeps the tiles that the log would have if one of its entries were another.
async fn forge_tiles(world: &crate::world::World, stream: Stream, entries: &[[u8; 32]]) {
    let store = &world.server.platform().store;
    let mut other = entries.to_vec();
    other[300][0] ^= 1;
    let (mut builder, mut tiles) = (Builder::new(0, Tiles::new()), Tiles::new());
    for chunk in other.as_chunks::<256>().0 {
        tiles.extend(builder.push(chunk).unwrap());
    }
    store.forget_tiles(stream).await.unwrap();
    store.put_tiles(stream, tiles).await.unwrap();
}

on_both_engines! {
    aud_3_an_export_verifies_by_itself, world => {
        let stream = Stream::org(world.org.parse().unwrap());
        grow(&world, stream, MANY).await;
        let api = &world.owner.api;
        let keys = api.get("/keys").await.ok();
        let key = keys["items"].as_array().unwrap().iter().find_map(|key| key["verifier_key"].as_str()).unwrap();
        let file = world.folder.path().join("given.jsonl");
        let path = file.to_str().unwrap();
        let verify = |more: &[&str]| {
            let own = ["audit", "verify", "--deep", "--file", path, "--key", key];
            run(&[&own[..], more].concat())
        };
        let whole = api.get("/log/export").await;
        assert_eq!(whole.status, 200);
        fs::write(&file, &whole.response.body).unwrap();
        assert!(verify(&[]).with(0).out.contains("whole; 0 entries after the last checkpoints"));
        let told = api.get("/audit/events?type=audit.exported").await.ok();
        let recorded = told["items"].as_array().unwrap();
        assert_eq!(recorded.len(), 1, "recorded before it left");
        let after = &recorded[0]["action"]["details"]["after"];
        assert_eq!((&after["from"], &after["whole"]), (&json!(1), &json!(true)), "{after}");
        assert_eq!(after["count"], after["to"]);

        let mut changed = whole.response.body.clone();
        let middle = changed.len() / 2;
        changed[middle] ^= 1;
        fs::write(&file, changed).unwrap();
        verify(&[]).with(1);
        fs::write(&file, &whole.response.body[..middle]).unwrap();
        verify(&[]).with(1);
        let part = api.get("/log/export?from=100&to=120").await.response.body;
        fs::write(&file, part).unwrap();
        verify(&[]).with(3);
        assert_eq!(api.get("/log/export?from=9&to=8").await.status, 400);

        fs::remove_file(&file).unwrap();
        let token = world.folder.path().join("token");
        fs::write(&token, kernel::ExposeSecret::expose_secret(&api.token)).unwrap();
        let token = token.to_str().unwrap();
        let export = ["audit", "export", "--file", path, "--org", "acme", "--server", &world.url, "--token-file", token];
        run(&export).with(0);
        verify(&[]).with(0);
        run(&export).with(2);
    }
}

on_both_engines! {
    aud_8_the_logs_key_hands_over_to_the_next, world => {
        let api = &world.owner.api;
        let log_keys = async || {
            let keys = api.get("/keys").await.ok();
            let keys = keys["items"].as_array().unwrap().iter();
            keys.filter(|key| key["purpose"] == "log").cloned().collect::<Vec<_>>()
        };
        let first = text(&log_keys().await[0], "verifier_key");
        let file = world.folder.path().join("rotated.jsonl");
        let verify = |key: &str| run(&["audit", "verify", "--deep", "--file", file.to_str().unwrap(), "--key", key]);
        for round in 1..3 {
            let made = api.post("/keys/rotate-log", json!({})).await.ok();
            let listed = log_keys().await;
            assert_eq!(listed.len(), round + 1);
            let active: Vec<_> = listed.iter().filter(|key| key["state"] == "active").collect();
            assert_eq!((active.len(), &active[0]["id"]), (1, &made["key"]["id"]));
            let note = text(&api.get("/audit/checkpoint").await.ok(), "checkpoint");
            assert_ne!(note.lines().last(), text(&made, "checkpoint").lines().last());
            fs::write(&file, api.get("/log/export").await.response.body).unwrap();
            verify(&first).with(0);
        }
        let last = text(log_keys().await.iter().find(|key| key["state"] == "active").unwrap(), "verifier_key");
        assert_ne!(last, first);
        verify(&last).with(0);
        // A key that nobody was handed the log by.
        let stranger = store::log::VerifierKey::new(&format!("cardea/{}", world.org), [7; 32]).unwrap();
        verify(&stranger.to_string()).with(1);
        let jwks = world.get("/o/acme/jwks.json").await.ok().to_string();
        for key in log_keys().await {
            assert!(!jwks.contains(&text(&key["public_jwk"], "x")), "a log's key is not published");
        }
    }
}

on_both_engines! {
    aud_3_an_export_is_of_one_moment_whatever_happens_meanwhile, world => {
        let stream = Stream::org(world.org.parse().unwrap());
        grow(&world, stream, MANY).await;
        let api = &world.owner.api;
        let keys = api.get("/keys").await.ok();
        let key = keys["items"].as_array().unwrap().iter().find_map(|key| key["verifier_key"].as_str()).unwrap();
        let wanted = json!({ "from": 1, "to": MANY, "whole": true, "count": MANY });
        let platform = world.server.platform().clone();
        let wanted = serde_json::from_value(wanted).unwrap();
        let mut export = Export::begin(platform, stream, wanted, None).await.unwrap();
        let mut file = Vec::new();
        while let Some(page) = export.next().await.unwrap() {
            file.extend(page);
            // The log grows, and its key hands over.
            grow(&world, stream, 9).await;
            api.post("/keys/rotate-log", json!({})).await.ok();
            api.get("/audit/checkpoint").await.ok();
        }
        let path = world.folder.path().join("moment.jsonl");
        fs::write(&path, file).unwrap();
        let told = run(&["audit", "verify", "--deep", "--file", path.to_str().unwrap(), "--key", key]).with(0);
        assert!(told.out.contains("whole; 0 entries after the last checkpoints"), "{}", told.out);
    }
}

on_both_engines! {
    neg_b4_an_export_ends_when_whoever_reads_it_loses_the_right, world => {
        let stream = Stream::org(world.org.parse().unwrap());
        grow(&world, stream, MANY).await;
        let auditor = world.member("auditor@acme.example", &["auditor"]).await;
        let platform = world.server.platform().clone();
        let begin = async || {
            let view = platform.node.view_of("acme").await.unwrap();
            let (peer, token) = (Peer::default(), kernel::ExposeSecret::expose_secret(&auditor.api.token));
            let caller = service::authenticate(&platform, &view, token, &peer).await.unwrap();
            let cx = Cx::new(platform.clone(), peer, Envelope::default(), caller, view);
            let wanted = json!({ "from": 1, "to": MANY, "whole": false, "count": MANY });
            let wanted = serde_json::from_value(wanted).unwrap();
            Export::begin(platform.clone(), stream, wanted, Some(cx)).await.unwrap()
        };
        let mut whole = begin().await;
        let mut pages = 0;
        while whole.next().await.unwrap().is_some() {
            pages += 1;
        }
        assert!(pages > 2, "{pages}");
        let mut cut = begin().await;
        assert!(cut.next().await.unwrap().is_some());
        world.owner.api.post(&format!("/users/{}/suspend", auditor.id), json!({})).await.ok();
        assert_eq!(cut.next().await.unwrap_err().code, Code::Unauthenticated);
        assert!(cut.next().await.unwrap().is_none(), "nothing more comes of it");
    }
}

/// A server that answers an export with so much of it and is gone.
fn ending_early(bytes: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).unwrap() > 0);
        let start = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(start).unwrap();
        stream.write_all(bytes).unwrap();
    });
    url
}

#[test]
fn an_export_that_breaks_off_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(file("token"), "cdt_x").unwrap();
    for part in [&b""[..], b"5\r\n{\"ver\r\n", b"5\r\n{\"v"] {
        let (url, path) = (ending_early(part), file("export"));
        let ended = run(&[
            "audit",
            "export",
            "--org",
            "acme",
            "--file",
            &path,
            "--server",
            &url,
            "--token-file",
            &file("token"),
        ]);
        ended.with(4);
        assert!(!fs::exists(&path).unwrap(), "{part:?}");
    }
}
