//! What happens when the log cannot be written (F4): whatever should have an entry does not happen, nothing is
//! issued, and failed attempts are told of exactly once it can be written again.

use crate::world::{Engine, World, start_server, text};
use futures::FutureExt;
use serde_json::{Value, json};
use std::{path::PathBuf, sync::Arc};
use testkit::{
    postgres::{Postgres, psql},
    sqlite::Intruder,
    tools::{Tool, require},
};

/// A server whose log somebody can close.
struct Closable {
    world: World,
    url: Option<String>,
    file: PathBuf,
}

impl Closable {
    async fn on(engine: Engine) -> Option<Self> {
        let url = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                require(Tool::Postgres)?;
                Some(Postgres::shared().database())
            }
        };
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let server = start_server(folder.path(), url.as_deref()).await;
        let file = folder.path().join("cardea.db");
        let world = World::of(server, engine, folder).await;
        Some(Self { world, url, file })
    }

    fn close(&self) {
        match &self.url {
            None => Intruder::beside(&self.file).batch(
                "CREATE TRIGGER closed BEFORE INSERT ON audit_events BEGIN SELECT RAISE(ABORT, 'full'); END",
            ),
            Some(url) => drop(psql(
                url,
                "CREATE FUNCTION closed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'full'; END $$; \
                 CREATE TRIGGER closed BEFORE INSERT ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION closed()",
            )),
        }
    }

    fn open(&self) {
        match &self.url {
            None => Intruder::beside(&self.file).batch("DROP TRIGGER closed"),
            Some(url) => drop(psql(url, "DROP TRIGGER closed ON audit_events")),
        }
    }

    /// How many failed attempts the log tells of, one by one and by count.
    async fn told(&self) -> (u64, u64) {
        let list = async |kind: &str| {
            let path = format!("/audit/events?type={kind}&limit=200");
            let listed = self.world.owner.api.get(&path).await.ok();
            listed["items"].as_array().unwrap().clone()
        };
        let of_client = |item: &&Value| item["outcome"]["error_code"] == "invalid_client";
        let single = list("authentication.failed").await;
        let single = single.iter().filter(of_client).count() as u64;
        let counted = list("authentication.failures_counted").await;
        let count = |item: &Value| item["action"]["details"]["after"]["count"].as_u64();
        (single, counted.iter().filter_map(count).sum())
    }
}

async fn nothing_happens_without_its_entry(engine: Engine) {
    let Some(it) = Closable::on(engine).await else {
        return;
    };
    let world = &it.world;
    world.orders("https://api.example", 0).await;
    let agent = world.agent(&world.owner, "a", &["orders:read"]).await;
    let attempt = async || {
        let wrong = [
            ("grant_type", "client_credentials"),
            ("client_id", &agent.id),
            ("client_secret", "cds_wrong"),
        ];
        world
            .form("/o/acme/oauth2/token", &wrong)
            .await
            .refused(401)
            .to_owned()
    };
    for _ in 0..4 {
        attempt().await;
    }
    assert_eq!(it.told().await, (4, 0));

    it.close();
    let api = &world.owner.api;
    let refused = [
        api.post(
            "/roles",
            json!({ "name": "r", "permissions": [], "scopes": [] }),
        )
        .await,
        api.post(
            "/tokens",
            json!({ "name": "t", "permissions": ["audit.read"] }),
        )
        .await,
        api.post("/keys/rotate-log", json!({})).await,
        api.get("/audit/events").await,
        world.token(&agent, &[]).await,
    ];
    for answer in refused {
        assert!(answer.status >= 500, "{} {}", answer.status, answer.body);
        assert!(answer.body.get("access_token").is_none() && answer.body.get("token").is_none());
        assert!(
            answer.body.get("items").is_none(),
            "a restricted read is not answered either"
        );
    }
    // Refusals stay refusals, and none is forgotten.
    for _ in 0..23 {
        assert_eq!(attempt().await, "invalid_client");
    }
    let platform = world.server.platform();
    let later = |seconds| platform.clock.now().plus(kernel::Micros::seconds(seconds));
    service::flush_failures(platform, later(120)).await;
    assert_eq!(platform.failures.owed(), 23, "nothing was written");

    it.open();
    service::flush_failures(platform, later(240)).await;
    assert_eq!((platform.failures.owed(), it.told().await), (0, (4, 23)));
    let roles = api.get("/roles").await.ok();
    let made = roles["items"]
        .as_array()
        .unwrap()
        .iter()
        .any(|role| role["name"] == "r");
    assert!(!made, "what was refused did not happen");
    assert!(
        world
            .token(&agent, &[])
            .await
            .ok()
            .get("access_token")
            .is_some()
    );
    let told = api.get("/audit/events?type=token.issued").await.ok();
    assert_eq!(
        told["items"].as_array().unwrap().len(),
        1,
        "the token that was given out"
    );
    assert!(text(&told["items"][0], "event_id").starts_with("evt_"));
}

/// Decisions come from memory and go on; the log says afterwards of how many it does not tell.
async fn decisions_are_counted_while_the_log_is_closed(engine: Engine) {
    let Some(it) = Closable::on(engine).await else {
        return;
    };
    let (world, platform) = (&it.world, it.world.server.platform());
    world.orders("https://api.example", 0).await;
    let asked = json!({ "subject": { "type": "user", "id": world.owner.id }, "action": { "name": "read" },
        "resource": { "type": "orders", "id": "1" } });
    let ask = async || {
        let path = "!/o/acme/access/v1/evaluation";
        let answer = world.owner.api.post(path, &asked).await.ok();
        assert_eq!(answer["decision"], true);
    };
    it.close();
    for _ in 0..7 {
        ask().await;
    }
    service::decisions::write_decisions(platform).await;
    it.open();
    ask().await;
    service::decisions::write_decisions(platform).await;
    let path = "/audit/events?type=decisions.made&limit=200";
    let told = world.owner.api.get(path).await.ok();
    let sum = |name: &str| -> u64 {
        let entries = told["items"].as_array().unwrap().iter();
        let after = entries.map(|entry| &entry["action"]["details"]["after"][name]);
        after.filter_map(Value::as_u64).sum()
    };
    assert_eq!((sum("count"), sum("dropped")), (1, 7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_counted_while_the_log_is_closed_in_a_file() {
    decisions_are_counted_while_the_log_is_closed(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_counted_while_the_log_is_closed_in_a_server() {
    decisions_are_counted_while_the_log_is_closed(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_nothing_happens_without_its_entry_in_a_file() {
    nothing_happens_without_its_entry(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_nothing_happens_without_its_entry_in_a_server() {
    nothing_happens_without_its_entry(Engine::Postgres).await;
}

/// Counts outlive a flush that is cut off, as at an orderly end, and the process itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aud_9_counts_of_failures_survive_an_orderly_end() {
    let it = Closable::on(Engine::Sqlite).await.unwrap();
    let world = &it.world;
    for name in ["a", "b", "c"] {
        let agent = world.agent(&world.owner, name, &[]).await;
        for _ in 0..12 {
            let wrong = [
                ("grant_type", "client_credentials"),
                ("client_id", &*agent.id),
                ("client_secret", "cds_wrong"),
            ];
            world
                .form("/o/acme/oauth2/token", &wrong)
                .await
                .refused(401);
        }
    }
    let platform = world.server.platform().clone();
    let counted = platform.failures.owed();
    assert!(counted > 0, "not all are entries of their own");
    let until = platform.clock.now().plus(kernel::Micros::seconds(120));
    let cut = service::flush_failures(&platform, until).now_or_never();
    assert!(cut.is_none(), "it was cut off");
    let left = platform.failures.owed();
    assert!(
        left >= counted / 3 * 2,
        "all are owed but the one that is being written: {left}"
    );

    let World { server, folder, .. } = it.world;
    server.shutdown().await;
    assert_eq!(platform.failures.owed(), 0);
    let server = start_server(folder.path(), None).await;
    let store = &server.platform().store;
    let stream = *store.streams().await.unwrap().last().unwrap();
    let all = move |reader: &mut store::Reader<'_>| reader.event_rows(stream, 0, 1_000);
    let rows = store.read(stream, all).await.unwrap();
    let told = rows
        .iter()
        .filter(|row| row.kind == "authentication.failures_counted");
    let count = |row: &store::EventRow| {
        let body: Value = serde_json::from_slice(&row.body).unwrap();
        body["action"]["details"]["after"]["count"]
            .as_u64()
            .unwrap()
    };
    assert_eq!(told.map(count).sum::<u64>(), counted);
    server.shutdown().await;
}
