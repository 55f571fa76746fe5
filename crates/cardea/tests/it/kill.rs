//! A server that is killed under load, twenty times on each engine: what was acknowledged is there after every
//! restart, once, and the log is whole. What was in flight may be sent again under its key.

mod wire;
mod worker;

use crate::{program::Place, world::text};
use futures::future::join_all;
use serde_json::json;
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
    postgres::Postgres,
    tools::{Tool, require},
};
use wire::{Log, Owner, Wire, draw, prepare};
use worker::{Done, Worker};

const KILLS: u64 = 20;
const WORKERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_sqlite_loses_and_doubles_nothing() {
    killed_twenty_times(None, 0x5eed_0001).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_postgres_loses_and_doubles_nothing() {
    if require(Tool::Postgres).is_some() {
        killed_twenty_times(Some(Postgres::shared().database()), 0x5eed_0002).await;
    }
}

async fn killed_twenty_times(database_url: Option<String>, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place {
        data: folder.path().join("data"),
        database_url,
    };
    let owner = Owner::of(&place.init());
    let mut serving = place.serve();
    let orders = prepare(&serving.url, &owner).await;
    let dice = SeededEntropy::new(seed);
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|at| Worker::new(at, &orders, &dice))
        .collect();
    let (mut log, mut total, mut resent) = (Log::default(), 0, 0);
    for kill in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let load = workers
            .into_iter()
            .map(|worker| tokio::spawn(worker.work(Wire::new(&serving.url, &owner), stop.clone())));
        let load: Vec<_> = load.collect();
        tokio::time::sleep(Duration::from_millis(200 + draw(&dice) % 200)).await;
        serving.kill();
        stop.store(true, Ordering::SeqCst);
        workers = join_all(load)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        place.run(&["audit", "verify", "--deep"]).with(0);
        serving = place.serve();
        let wire = Wire::new(&serving.url, &owner);
        resent += workers
            .iter()
            .map(|worker| worker.pending.len())
            .sum::<usize>();
        total += settle(&wire, &mut workers, &mut log).await;
        assert!(
            total > kill * 10,
            "only {total} writes in {kill} rounds: this is no load"
        );
    }
    assert!(resent > 0, "no kill came between a request and its answer");
    everything(&Wire::new(&serving.url, &owner), &workers).await;
    assert_eq!(serving.stop(), 0);
    place.run(&["audit", "verify", "--deep"]).with(0);
}

/// After a restart: sends again what was in flight, then holds every acknowledgement of this round against the
/// server and its log. Gives how many there were.
async fn settle(wire: &Wire, workers: &mut [Worker], log: &mut Log) -> u64 {
    for worker in workers.iter_mut() {
        for pending in std::mem::take(&mut worker.pending) {
            let again = wire
                .post(&pending.path, &pending.body, &pending.key)
                .await
                .unwrap()
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
    let seen = wire.api.get(&path).await.ok();
    assert_eq!(seen[field], expected, "{path}: {seen}");
}

/// At the end: what was revoked in any round still is, and every list has each thing once.
async fn everything(wire: &Wire, workers: &[Worker]) {
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
