//! A server that is killed under load, twenty times on each engine, and its database's server too: what was acknowledged is there after every
//! restart, once, and the log is whole. What was in flight may be sent again under its key.

pub mod wire;
pub mod worker;

use crate::{program::Place, world::text};
use futures::future::join_all;
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use testkit::{
    clock::SeededEntropy,
    postgres::{Cluster, Postgres},
    tools::{Tool, require},
};
use wire::{Log, Owner, Wire, draw, prepare};
use worker::{Done, Worker};

const KILLS: u64 = 20;
const WORKERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_sqlite_loses_and_doubles_nothing() {
    println!("sqlite: {}", killed(None, KILLS).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_postgres_loses_and_doubles_nothing() {
    if require(Tool::Postgres).is_some() {
        let shared = Database::Shared(Postgres::shared().database());
        println!("postgres: {}", killed(Some(shared), KILLS).await);
    }
}

/// The postmaster is killed too, with the server or alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_postgres_that_is_killed_itself_loses_and_doubles_nothing() {
    if require(Tool::Postgres).is_some() {
        println!(
            "postgres: {}",
            killed(Some(Database::own()), KILLS / 3).await
        );
    }
}

/// What `cargo xtask kill` asks for instead.
fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// The database server of a test.
#[expect(
    clippy::large_enum_variant,
    reason = "one value a run, and it is never moved about"
)]
enum Database {
    /// Everybody's, which nobody kills.
    Shared(String),
    Own(Cluster, String),
}

impl Database {
    fn own() -> Self {
        let cluster = Cluster::alone();
        let url = cluster.first.database();
        Self::Own(cluster, url)
    }
    fn url(&self) -> String {
        match self {
            Self::Shared(url) | Self::Own(_, url) => url.clone(),
        }
    }
}

/// What is killed in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    Postmaster,
    Both,
}

impl Victim {
    fn draw(database: Option<&Database>, dice: &SeededEntropy) -> Self {
        match (database, draw(dice) % 3) {
            (Some(Database::Own(..)), 0) => Self::Postmaster,
            (Some(Database::Own(..)), 1) => Self::Both,
            _ => Self::Server,
        }
    }
}

/// What a row of kills did.
#[derive(Default)]
struct Figures {
    kills: u64,
    postmasters: u64,
    acknowledged: u64,
    resent: usize,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kills,
            postmasters,
            acknowledged,
            resent,
        } = self;
        write!(
            f,
            "{kills} kills, {postmasters} of them of the postmaster; {acknowledged} acknowledged writes, none lost; {resent} sent again, none doubled; chain whole each time"
        )
    }
}

async fn killed(mut database: Option<Database>, kills: u64) -> Figures {
    let kills = asked("CARDEA_KILLS").unwrap_or(kills);
    let seed = asked("CARDEA_SEED").unwrap_or(0x5eed_0001);
    let folder = tempfile::tempdir().unwrap();
    let place = Place {
        data: folder.path().join("data"),
        database_url: database.as_ref().map(Database::url),
    };
    let owner = Owner::of(&place.init());
    let way = |url: &str, own: bool| Wire {
        database_may_go: own,
        ..Wire::new(url, &owner)
    };
    let own = matches!(database, Some(Database::Own(..)));
    let mut serving = place.serve();
    let orders = prepare(&serving.url, &owner).await;
    let dice = SeededEntropy::new(seed);
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|at| Worker::new(at, &orders, &dice))
        .collect();
    let (mut log, mut figures) = (Log::default(), Figures::default());
    for kill in 0..kills {
        let stop = Arc::new(AtomicBool::new(false));
        let load = workers
            .into_iter()
            .map(|worker| tokio::spawn(worker.work(way(&serving.url, own), stop.clone())));
        let load: Vec<_> = load.collect();
        tokio::time::sleep(Duration::from_millis(200 + draw(&dice) % 200)).await;
        let victim = Victim::draw(database.as_ref(), &dice);
        if victim != Victim::Server
            && let Some(Database::Own(cluster, _)) = &mut database
        {
            cluster.first.kill();
            figures.postmasters += 1;
        }
        let alive = if victim == Victim::Postmaster {
            Some(serving)
        } else {
            serving.kill();
            None
        };
        stop.store(true, Ordering::SeqCst);
        workers = join_all(load)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        if victim != Victim::Server
            && let Some(Database::Own(cluster, _)) = &mut database
        {
            cluster.first.start();
        }
        place.run(&["audit", "verify", "--deep"]).with(0);
        serving = alive.unwrap_or_else(|| place.serve());
        let wire = way(&serving.url, own);
        let pending = workers.iter().map(|worker| worker.pending.len());
        figures.resent += pending.sum::<usize>();
        figures.acknowledged += settle(&wire, &mut workers, &mut log).await;
        figures.kills += 1;
        let total = figures.acknowledged;
        assert!(
            total > kill * 10,
            "only {total} writes in {kill} rounds: this is no load"
        );
    }
    assert!(
        figures.resent > 0,
        "no kill came between a request and its answer"
    );
    everything(&way(&serving.url, own), &workers).await;
    assert_eq!(serving.stop(), 0);
    place.run(&["audit", "verify", "--deep"]).with(0);
    figures
}

/// After a restart: sends again what was in flight, then holds every acknowledgement of this round against the
/// server and its log. Gives how many there were.
pub async fn settle(wire: &Wire, workers: &mut [Worker], log: &mut Log) -> u64 {
    for worker in workers.iter_mut() {
        for pending in std::mem::take(&mut worker.pending) {
            let again = wire
                .resent(&pending.path, &pending.body, &pending.key)
                .await
                .ok();
            worker.acknowledged.push(Done::Made {
                kind: pending.kind,
                id: text(&again, pending.field),
            });
        }
    }
    log.read(wire).await;
    let mut count = 0;
    for worker in workers.iter_mut() {
        count += worker.acknowledged.len() as u64;
        for done in worker.acknowledged.drain(..) {
            log.holds(&done);
            stands(wire, &done).await;
            worker.settled.push(done);
        }
    }
    count
}

/// Whether the server says of it what it said before.
async fn stands(wire: &Wire, done: &Done) {
    let (path, field, expected) = match done {
        Done::Made {
            kind: "user.created",
            id,
        } => (format!("/users/{id}"), "id", json!(id)),
        Done::Made {
            kind: "agent.registered",
            id,
        } => (format!("/agents/{id}"), "id", json!(id)),
        Done::Made {
            kind: "run.started",
            id,
        } => (format!("/runs/{id}"), "id", json!(id)),
        Done::Made { .. } => return,
        Done::AgentRevoked(id) => (format!("/agents/{id}"), "state", json!("revoked")),
        Done::TokenRevoked { token, .. } => {
            let seen = wire.introspect(token).await;
            assert_eq!(
                seen,
                json!({ "active": false }),
                "a revoked token came back"
            );
            return;
        }
    };
    let seen = settled(wire, &path).await;
    assert_eq!(seen[field], expected, "{path}: {seen}");
}

/// What a read answers once the server can prove its state again: it is often killed on a busy machine.
async fn settled(wire: &Wire, path: &str) -> Value {
    for _ in 0..50 {
        let answer = wire.api.get(path).await;
        if answer.status != 503 {
            return answer.ok();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    wire.api.get(path).await.ok()
}

/// At the end: what was revoked in any round still is, and every list has each thing once.
pub async fn everything(wire: &Wire, workers: &[Worker]) {
    let all: Vec<&Done> = workers.iter().flat_map(|worker| &worker.settled).collect();
    for done in all
        .iter()
        .filter(|done| matches!(done, Done::AgentRevoked(_) | Done::TokenRevoked { .. }))
    {
        stands(wire, done).await;
    }
    for (kind, path) in [
        ("user.created", "/users"),
        ("role.created", "/roles"),
        ("agent.registered", "/agents"),
    ] {
        let mut listed: HashMap<String, usize> = HashMap::new();
        let mut names: HashMap<String, usize> = HashMap::new();
        let mut next = format!("{path}?limit=200");
        loop {
            let page = wire.api.get(&next).await.ok();
            for item in page["items"].as_array().unwrap() {
                *listed.entry(text(item, "id")).or_default() += 1;
                *names
                    .entry(text(item, if path == "/users" { "email" } else { "name" }))
                    .or_default() += 1;
            }
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            next = format!("{path}?limit=200&cursor={cursor}");
        }
        assert!(
            names.values().all(|count| *count == 1),
            "{path}: doubled {names:?}"
        );
        for done in &all {
            if let Done::Made { kind: own, id } = done
                && *own == kind
            {
                assert_eq!(listed.get(id), Some(&1), "{path}: {id}");
            }
        }
    }
}
