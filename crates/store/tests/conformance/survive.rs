//! A primary that dies under load: what was acknowledged is there once, whoever answers afterwards.

use crate::world::{World, revocation};
use domain::Stream;
use kernel::{Event, Id, ambient};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::Duration,
};
use store::{EventQuery, Options, Plan, Record, Store, Tx};
use testkit::{
    postgres::{Cluster, psql},
    tools::{Tool, require},
};

type Acknowledged = BTreeMap<u64, Id<Event>>;

fn options() -> Options {
    Options {
        clock: Arc::new(ambient::SystemClock),
        entropy: Arc::new(ambient::SystemEntropy),
        connections: 4,
    }
}

/// Writes until it is told to stop, commits and records in turn; returns what was acknowledged.
async fn writer(
    world: Arc<World>,
    store: Store,
    org: Stream,
    stop: Arc<AtomicBool>,
) -> Acknowledged {
    let mut acknowledged = BTreeMap::new();
    let next = AtomicU8::new(0);
    while !stop.load(Ordering::SeqCst) {
        let entry = world.entry("x.happened");
        let event = entry.event_id;
        let seq = if next.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            let run = move |tx: &mut Tx<'_>| {
                tx.put(org, &revocation(1, 1))?;
                tx.entry(org, entry.clone())
            };
            let done = store.commit(Plan::new(org), run).await;
            done.ok().map(|done| done.moved[0].head.seq)
        } else {
            let record = Record {
                stream: org,
                entry,
                decided_at: None,
                once: None,
            };
            store.record(record).await.ok().map(|done| done.seq)
        };
        match seq {
            Some(seq) => assert_eq!(acknowledged.insert(seq, event), None),
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    acknowledged
}

/// Every entry of the log, by number.
async fn logged(store: &Store, org: Stream) -> Acknowledged {
    let mut all = BTreeMap::new();
    loop {
        let after_seq = all.last_key_value().map_or(0, |(seq, _)| *seq);
        let query = EventQuery {
            after_seq,
            limit: 500,
            ..EventQuery::default()
        };
        let page = store
            .read(org, move |reader| reader.events(org, &query))
            .await
            .unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page.into_iter().map(|row| (row.seq, row.event_id)));
    }
}

async fn reached(store: &Store, org: Stream, seq: u64) {
    for _ in 0..1_500 {
        let heads = store.heads(Some(vec![org])).await;
        if heads.is_ok_and(|heads| heads[0].1.seq >= seq) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the store did not come back");
}

/// Loads the store at `url`, lets `happen` happen and checks what is left.
async fn survives<T: Send + 'static>(url: &str, happen: impl FnOnce() -> T + Send + 'static) {
    let store = Store::postgres(url, options()).unwrap();
    let world = Arc::new(World::sqlite().unwrap());
    let (org, stop) = (world.org(), Arc::new(AtomicBool::new(false)));
    let writers: Vec<_> = (0..8)
        .map(|_| writer(world.clone(), store.clone(), org, stop.clone()))
        .map(tokio::spawn)
        .collect();
    reached(&store, org, 200).await;
    let _servers = tokio::task::spawn_blocking(happen).await.unwrap();
    reached(&store, org, 1).await;
    let there = store.heads(Some(vec![org])).await.unwrap()[0].1.seq;
    reached(&store, org, there + 200).await;
    stop.store(true, Ordering::SeqCst);
    let mut acknowledged = BTreeMap::new();
    for writer in writers {
        for (seq, event) in writer.await.unwrap() {
            assert_eq!(
                acknowledged.insert(seq, event),
                None,
                "{seq} was given twice"
            );
        }
    }
    let logged = logged(&store, org).await;
    for (seq, event) in &acknowledged {
        assert_eq!(logged.get(seq), Some(event), "{seq} was acknowledged");
    }
    let numbers: Vec<u64> = logged.keys().copied().collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    let events: std::collections::BTreeSet<_> = logged.values().collect();
    assert_eq!(events.len(), logged.len(), "nothing happened twice");
    assert!(acknowledged.len() >= 300, "{}", acknowledged.len());
    store.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_that_comes_back_has_everything_it_acknowledged_once() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let mut cluster = Cluster::alone();
    let url = cluster.first.database();
    let happen = move || {
        for _ in 0..3 {
            cluster.first.kill();
            cluster.first.start();
            std::thread::sleep(Duration::from_millis(300));
        }
        cluster
    };
    survives(&url, happen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promoted_standby_is_found_and_has_everything_that_was_acknowledged() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let mut cluster = Cluster::with_standby();
    let first = cluster.first.database();
    let second = cluster.second().address();
    let url = first.replace("/test_", &format!(",{second}/test_"));
    let happen = move || {
        cluster.first.kill();
        cluster.second().promote();
        let name = first.rsplit('/').next().unwrap_or_default();
        let admin = cluster.second().url(name);
        // The new primary waits for no standby: there is none any more.
        psql(&admin, "ALTER SYSTEM SET synchronous_standby_names = ''");
        psql(&admin, "SELECT pg_reload_conf()");
        cluster
    };
    survives(&url, happen).await;
}
