//! Many at once: one wins, nothing is lost, nothing has a gap.

use crate::world::{World, revocation};
use domain::Stream;
use kernel::{Code, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use store::{CommitError, Decided, EventQuery, Once, Plan, Record, Tx};

pub async fn one_of_fifty_claims_wins(world: World) {
    let tries = (0..50u8).map(|n| {
        let (org, entry, store) = (
            world.org(),
            world.entry("account.created"),
            world.store.clone(),
        );
        tokio::spawn(async move {
            // Unique across the instance, wanted by commands of different organizations.
            let run = move |tx: &mut Tx<'_>| {
                tx.claim(
                    Stream::INSTANCE,
                    "account.email",
                    "ada@example.com",
                    [n; 16],
                )?;
                // The scope owes the entry, so that organizations do not wait for each other.
                tx.entry(org, entry.clone())
            };
            store.commit(Plan::new(org), run).await
        })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(CommitError::Refused(refusal)) => {
                assert_eq!(refusal.code, Code::AlreadyExists, "{refusal:?}");
                assert_eq!(refusal.field.as_deref(), Some("email"));
            }
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
}

pub async fn an_artefact_is_consumed_once(world: World) {
    let org = world.org();
    let once = Once {
        kind: "client_assertion",
        hash: [9; 32],
        expires_at: Timestamp::from_seconds(99),
    };
    let tries = (0..50u8).map(|n| {
        let (entry, store) = (world.entry("token.issued"), world.store.clone());
        tokio::spawn(async move {
            if n % 2 == 0 {
                let record = Record {
                    stream: org,
                    entry,
                    decided_at: None,
                    once: Some(once),
                };
                return store.record(record).await.map(|_| ());
            }
            let run = move |tx: &mut Tx<'_>| {
                tx.consume(org, once.kind, once.hash, once.expires_at)?;
                tx.entry(org, entry.clone())
            };
            store.commit(Plan::new(org), run).await.map(|_| ())
        })
    });
    let mut won = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(()) => won += 1,
            Err(error) => assert_eq!(error, CommitError::AlreadyUsed),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(
        world.store.heads(Some(vec![org])).await.unwrap()[0].1.seq,
        1
    );
    let other = Record {
        stream: world.org(),
        entry: world.entry("x"),
        decided_at: None,
        once: Some(once),
    };
    assert_eq!(
        world.store.record(other).await.unwrap().seq,
        1,
        "streams do not share artefacts"
    );
}

pub async fn sequence_numbers_have_no_gap(world: World) {
    let orgs: Vec<Stream> = (0..5).map(|_| world.org()).collect();
    let tasks = (0..64u8).map(|n| {
        let (store, org) = (world.store.clone(), orgs[usize::from(n) % 5]);
        let entries: Vec<_> = (0..12).map(|_| world.entry("x.happened")).collect();
        tokio::spawn(async move {
            let mut seqs = Vec::new();
            for (turn, entry) in entries.into_iter().enumerate() {
                if turn % 3 > 0 {
                    let record = Record {
                        stream: org,
                        entry,
                        decided_at: None,
                        once: None,
                    };
                    seqs.push(store.record(record).await.unwrap().seq);
                } else {
                    let run = move |tx: &mut Tx<'_>| {
                        tx.put(org, &revocation(n, 1))?;
                        tx.entry(org, entry.clone())?;
                        tx.head(org)
                    };
                    let done = store.commit(Plan::new(org), run).await.unwrap();
                    assert_eq!(done.value.seq, done.moved[0].head.seq);
                    seqs.push(done.value.seq);
                }
            }
            (org, seqs)
        })
    });
    let mut all: BTreeMap<Stream, Vec<u64>> = BTreeMap::new();
    for task in tasks.collect::<Vec<_>>() {
        let (org, seqs) = task.await.unwrap();
        assert!(seqs.is_sorted(), "one caller sees its own order");
        all.entry(org).or_default().extend(seqs);
    }
    for (org, mut seqs) in all {
        seqs.sort_unstable();
        let expected: Vec<u64> = (1..=u64::try_from(seqs.len()).unwrap()).collect();
        assert_eq!(seqs, expected);
        let query = EventQuery {
            limit: 1000,
            ..EventQuery::default()
        };
        let read = move |reader: &mut store::Reader<'_>| {
            Ok((reader.events(org, &query)?, reader.frontier(org)?))
        };
        let (rows, (head, frontier)) = world.store.read(org, read).await.unwrap();
        let last = rows.last().unwrap();
        assert_eq!(
            (rows.len(), last.seq, last.hash),
            (seqs.len(), head.seq, head.hash)
        );
        assert!(
            rows.windows(2)
                .all(|pair| pair[0].hash == pair[1].prev_hash)
        );
        let mut tree = store::log::Frontier::new();
        rows.iter().for_each(|row| tree.push(&row.hash));
        assert_eq!(tree, frontier);
        let feed = world.store.changes_after(org, 0, 1000).await.unwrap();
        let revs: Vec<u64> = feed.iter().map(|row| row.state_rev).collect();
        assert_eq!(revs, (1..=head.state_rev).collect::<Vec<_>>());
        assert_eq!(
            head.authority_rev, head.state_rev,
            "each of these commits moved authority"
        );
    }
}

pub async fn a_burst_is_refused_beyond_the_bound(world: World) {
    let org = world.org();
    let (started, start) = std::sync::mpsc::channel();
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let entry = world.entry("x.slow");
    let store = world.store.clone();
    // Holds the only place where commits of this stream run.
    let slow = tokio::spawn(async move {
        let run = move |tx: &mut Tx<'_>| {
            started.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
            tx.entry(org, entry.clone())
        };
        store.commit(Plan::new(org), run).await
    });
    start.recv().unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    let burst: Vec<_> = (0..kernel::limits::QUEUE_PER_ORG)
        .map(|_| {
            let (store, ran) = (world.store.clone(), ran.clone());
            let run = move |_: &mut Tx<'_>| {
                ran.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            Box::pin(async move { store.commit(Plan::new(org), run).await })
        })
        .collect();
    let mut waiting = Vec::new();
    for commit in burst {
        waiting.push(tokio::spawn(commit));
    }
    // Everything in the queue; one more finds no place.
    let mut refused = None;
    for _ in 0..500 {
        let one_more = world.store.commit(Plan::new(org), |_| Ok(()));
        match tokio::time::timeout(std::time::Duration::from_millis(20), one_more).await {
            Err(_waits) => {}
            Ok(Err(error)) => {
                refused = Some(error);
                break;
            }
            Ok(Ok(_)) => panic!("nothing runs while the gate is shut"),
        }
    }
    assert_eq!(refused, Some(CommitError::Busy));
    // AUD-9: what takes authority away finds a place, and does not wait behind the burst.
    let (store, before) = (world.store.clone(), ran.clone());
    let revoke = move |_: &mut Tx<'_>| Ok(before.load(Ordering::SeqCst));
    let urgent = tokio::spawn(async move { store.commit(Plan::new(org).urgent(), revoke).await });
    let queued = |world: &World| world.store.load().iter().any(|load| load.urgent > 0);
    let waits = world.store.engine() == store::Engine::Sqlite;
    while waits && !queued(&world) {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    slow.await.unwrap().unwrap();
    let before = urgent.await.unwrap().unwrap().value;
    // What shares a transaction that began already goes first.
    let most = match world.store.engine() {
        store::Engine::Sqlite => 1,
        store::Engine::Postgres => 64,
    };
    assert!(before <= most, "{before} of the burst went first");
    for commit in waiting {
        let outcome = commit.await.unwrap();
        assert!(outcome.is_ok() || outcome.unwrap_err() == CommitError::Busy);
    }
}

/// Everybody decides on the instance and few move it: those few must get through, and nobody passes on what was
/// decided before they did.
pub async fn decisions_on_the_instance_share_it_and_let_it_move(world: World) {
    let world = Arc::new(world);
    let busy = Arc::new(AtomicBool::new(true));
    let deciders = (0..8u8).map(|n| {
        let (world, busy, org) = (world.clone(), busy.clone(), world.org());
        tokio::spawn(async move {
            let (mut seen, mut kept) = (0, 0u32);
            while busy.load(Ordering::Relaxed) || kept == 0 {
                let mut plan = Plan::new(org);
                plan.instance_at = Some(seen);
                let entry = world.entry("x.happened");
                let run = move |tx: &mut Tx<'_>| {
                    tx.put(org, &revocation(n, 1))?;
                    tx.entry(org, entry.clone())
                };
                let decided = if n % 2 == 0 {
                    world.store.commit(plan, run).await.map(|_| ())
                } else {
                    let (instance, entry) = (seen, world.entry("x.happened"));
                    let decided_at = Some(Decided {
                        stream: 0,
                        instance,
                    });
                    let record = Record {
                        stream: org,
                        entry,
                        decided_at,
                        once: None,
                    };
                    world.store.record(record).await.map(|_| ())
                };
                match decided {
                    Ok(()) => kept += 1,
                    Err(CommitError::AuthorityMoved { stream, current }) => {
                        assert!(stream == Stream::INSTANCE && current > seen);
                        seen = current;
                    }
                    Err(other) => panic!("{other:?}"),
                }
            }
        })
    });
    let deciders: Vec<_> = deciders.collect();
    for n in 1..=5 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let moving = world.revoke(Stream::INSTANCE, n);
        let moved = tokio::time::timeout(Duration::from_secs(5), moving)
            .await
            .unwrap();
        assert_eq!(moved.moved[0].head.authority_rev, u64::from(n));
    }
    busy.store(false, Ordering::Relaxed);
    for decider in deciders {
        decider.await.unwrap();
    }
}
