//! NEG F3: every secret that the binary ever showed or was sent is looked for in everything it wrote: logs at their
//! loudest, metrics, refusals, reads, the log's entries, the database and the data folder. None may be found.

mod days;
mod mistakes;
mod needles;
mod visitor;

use crate::{
    program::{Place, Serving, cardea},
    world::text,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Stream;
use kernel::{SecretString, ambient};
use needles::Needles;
use serde_json::json;
use std::{collections::BTreeMap, path::Path, sync::Arc};
use visitor::Canary;

const USER_AGENT: &str = "canary-browser/7.3 (of a person)";
const AUDIENCE: &str = "https://orders.canary.example";
/// What belongs to people and stands in no entry in clear.
const PERSONAL: [&str; 7] = [
    "owner@canary.example",
    "ada@canary.example",
    "Ada Canary",
    USER_AGENT,
    "127.0.0.1",
    "purpose told by a person",
    "task told by a person",
];

/// Every file that the server wrote, but the two that are there to hold a secret.
fn files(canary: &mut Canary, data: &Path, when: &str) {
    for entry in std::fs::read_dir(data).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_file() && !["instance.key", "setup.txt"].contains(&name.as_str()) {
            canary.keep(format!("{name} {when}"), std::fs::read(&path).unwrap());
        }
    }
}

/// The bodies of every entry, as they lie in the database.
async fn bodies(place: &Place) -> Vec<Vec<u8>> {
    let options = store::Options {
        clock: Arc::new(ambient::SystemClock),
        entropy: Arc::new(ambient::SystemEntropy),
        connections: 1,
    };
    let (file, url) = (place.data.join("cardea.db"), place.database_url.clone());
    let open = move || match url {
        Some(url) => store::Store::postgres(&url, options),
        None => store::Store::sqlite_to_read(&file, options),
    };
    let store = tokio::task::spawn_blocking(open).await.unwrap().unwrap();
    let mut all = Vec::new();
    for (stream, _) in store.heads(None).await.unwrap() {
        let rows = store
            .read(stream, move |reader| reader.event_rows(stream, 0, 10_000))
            .await
            .unwrap();
        assert!(!rows.is_empty() || stream == Stream::INSTANCE);
        all.extend(rows.into_iter().map(|row| row.body));
    }
    tokio::task::spawn_blocking(move || store.close())
        .await
        .unwrap();
    all
}

async fn sing(place: Place) {
    let mut loud = cardea();
    loud.env("CARDEA_LOG", "trace");
    let mut server: Serving = place.serve_by(loud);
    server.line("set-up link");
    let mut canary = Canary {
        url: server.url.clone(),
        token: SecretString::default(),
        secrets: BTreeMap::new(),
        emitted: Vec::new(),
    };
    let told = std::fs::read_to_string(place.data.join("setup.txt")).unwrap();
    let setup = told
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .find(|word| word.starts_with("cdu_"))
        .unwrap();
    let setup = canary.learn(setup, "the set-up secret");
    let redeem = json!({ "secret": setup, "org": "acme", "email": "owner@canary.example" });
    let request = canary
        .request("POST", "/api/v1/setup")
        .json(&redeem)
        .unwrap();
    let done = canary.send(request.clone(), "setup", true).await.ok();
    canary.token = SecretString::from(text(&done, "token"));
    canary
        .send(request, "setup again", false)
        .await
        .refused(401);

    let (agent, secret) = days::ordinary(&mut canary).await;
    mistakes::make(&mut canary, &agent, &secret).await;
    for command in [
        &[
            "init",
            "--org",
            "beta",
            "--owner",
            "beta@canary.example",
            "--token",
            "--output",
            "json",
        ][..],
        &["recover-admin", "--org", "acme", "--output", "json"],
    ] {
        let shown = place.run(command).with(0).json();
        canary.harvest(&shown, command[0]);
    }
    days::end(&mut canary, &agent).await;
    files(&mut canary, &place.data, "while the server runs");
    canary.keep("the output", server.said());
    assert_eq!(server.stop(), 0);
    files(&mut canary, &place.data, "after the end");
    let errors = std::fs::read(place.data.with_extension("err")).unwrap();
    assert!(
        errors
            .windows(17)
            .any(|seen| seen == b"\"target\":\"access\""),
        "each request has its line"
    );
    canary.keep("the server's log", errors);
    canary.keep(
        "what `audit verify` says",
        place.run(&["audit", "verify", "--deep"]).with(0).said(),
    );
    canary.keep("what `doctor` says", place.run(&["doctor"]).said());
    let bodies = bodies(&place).await;
    if let Some(url) = &place.database_url {
        let dump =
            std::process::Command::new(testkit::postgres::programs().unwrap().join("pg_dump"))
                .arg(url)
                .output()
                .unwrap();
        assert!(dump.status.success());
        canary.keep("the database", dump.stdout);
    }
    judge(&canary, &place.data, &bodies);
}

fn judge(canary: &Canary, data: &Path, bodies: &[Vec<u8>]) {
    let mut needles = Needles::default();
    canary
        .secrets
        .iter()
        .for_each(|(secret, what)| needles.secret(secret, what));
    let key = std::fs::read_to_string(data.join("instance.key")).unwrap();
    needles.bytes(
        &STANDARD
            .decode(key.split_whitespace().next_back().unwrap())
            .unwrap(),
        "the instance key",
    );
    let kinds = ["cda_", "cdt_", "cdu_", "cdx_", "eyJ"];
    assert!(
        kinds
            .iter()
            .all(|kind| canary.secrets.keys().any(|secret| secret.starts_with(kind))),
        "a secret of each kind was seen"
    );
    assert!(
        canary.secrets.len() > 18 && bodies.len() > 30,
        "{} secrets, {} entries",
        canary.secrets.len(),
        bodies.len()
    );
    let everything: Vec<String> = canary
        .emitted
        .iter()
        .flat_map(|(place, bytes)| needles.found(bytes, place))
        .collect();
    assert!(everything.is_empty(), "{}", everything.join("\n"));

    let mut personal = Needles::default();
    PERSONAL
        .iter()
        .for_each(|value| personal.add(value.as_bytes(), value));
    let told: Vec<String> = bodies
        .iter()
        .flat_map(|body| personal.found(body, &String::from_utf8_lossy(body)))
        .collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f3_no_secret_is_written_anywhere_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    sing(Place::new(&folder.path().join("data"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f3_no_secret_is_written_anywhere_on_postgres() {
    if testkit::tools::require(testkit::tools::Tool::Postgres).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database_url = Some(testkit::postgres::Postgres::shared().database());
    sing(Place {
        data: folder.path().join("data"),
        database_url,
    })
    .await;
}
