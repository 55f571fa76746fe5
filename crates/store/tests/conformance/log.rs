//! Heads, entries, authority and checkpoints.

use crate::world::{World, revocation};
use domain::{GrantId, Run, RunCore, RunState, Stream};
use kernel::{Id, Micros, Timestamp};
use store::{CommitError, EventQuery, Order, Plan, Record, Tx, log};

fn run(n: u8, state: RunState) -> Run {
    Run {
        core: RunCore {
            id: Id::from_bytes([n; 16]),
            agent: Id::from_bytes([1; 16]),
            parent: None,
            grant: GrantId::from_number(1),
            lineage: domain::Lineage::default(),
            depth: 1,
            scopes: vec![],
            state,
            deadline: Timestamp::from_seconds(9),
            lease_until: None,
            initiator: None,
            transaction: "t".into(),
        },
        purpose: "p".into(),
        lease_seconds: None,
        created_at: Timestamp::from_seconds(1),
        ended_at: None,
        dispatched: false,
    }
}

/// A kill switch of the instance is in its stream alone: what was decided before it becomes durable in no other.
pub async fn a_decision_older_than_the_instances_authority_is_refused(world: World) {
    let org = world.org();
    let decided = |instance| Record {
        stream: org,
        entry: world.entry("token.issued"),
        decided_at: Some(store::Decided {
            stream: 0,
            instance,
        }),
        once: None,
    };
    world.store.record(decided(0)).await.unwrap();
    world.revoke(Stream::INSTANCE, 1).await;
    let moved = CommitError::AuthorityMoved {
        stream: Stream::INSTANCE,
        current: 1,
    };
    assert_eq!(world.store.record(decided(0)).await.unwrap_err(), moved);
    assert_eq!(world.store.record(decided(1)).await.unwrap().seq, 2);
}

pub async fn a_decision_older_than_the_authority_is_refused(world: World) {
    let org = world.org();
    world.revoke(org, 1).await;
    let put = |seen: u64, row: Run| {
        let entry = world.entry("run.started");
        let plan = Plan::new(org)
            .decided_at(org, seen)
            .decided_at(Stream::INSTANCE, 0);
        world.store.commit(plan, move |tx: &mut Tx<'_>| {
            tx.put(org, &row)?;
            tx.entry(org, entry.clone())
        })
    };
    let moved = |current| CommitError::AuthorityMoved {
        stream: org,
        current,
    };
    assert_eq!(
        put(0, run(1, RunState::Running)).await.unwrap_err(),
        moved(1)
    );
    let started = put(1, run(1, RunState::Running)).await.unwrap().moved;
    let head = started[0].head;
    assert_eq!(
        (head.seq, head.state_rev, head.authority_rev),
        (2, 2, 1),
        "starting takes nothing"
    );
    let record = |seen| {
        let entry = world.entry("token.issued");
        world.store.record(Record {
            stream: org,
            entry,
            decided_at: Some(store::Decided {
                stream: seen,
                instance: 0,
            }),
            once: None,
        })
    };
    assert_eq!(record(1).await.unwrap().seq, 3);
    put(1, run(1, RunState::Terminated)).await.unwrap();
    assert_eq!(record(1).await.unwrap_err(), moved(2));
    assert_eq!(record(2).await.unwrap().seq, 5);

    // Each revision that moves authority raises it once, as nodes count it; an entry without changes moves no state.
    let entries = [world.entry("a.b"), world.entry("a.b"), world.entry("a.b")];
    let many = move |tx: &mut Tx<'_>| {
        let [first, second, third] = entries.clone();
        tx.put(org, &revocation(2, 1))?;
        tx.put(org, &revocation(3, 1))?;
        tx.entry(org, first)?;
        tx.put(org, &revocation(4, 1))?;
        tx.entry(org, second)?;
        tx.entry(org, third)
    };
    let head = world
        .store
        .commit(Plan::new(org), many)
        .await
        .unwrap()
        .moved[0]
        .head;
    assert_eq!((head.seq, head.state_rev, head.authority_rev), (8, 5, 4));
    let feed = world.store.changes_after(org, 3, 9).await.unwrap();
    let sizes: Vec<_> = feed
        .iter()
        .map(|row| (row.state_rev, row.changes.len()))
        .collect();
    assert_eq!(sizes, [(4, 2), (5, 1)]);
    assert_eq!(world.store.changes_after(org, 3, 1).await.unwrap().len(), 1);
}

pub async fn time_never_goes_back_and_hashes_chain(world: World) {
    let org = world.org();
    let times = [1_000_001, 999_999, 1_000_002, -5];
    let mut expected = Vec::new();
    let mut previous = log::FIRST_PREVIOUS;
    for (n, at) in (1u64..).zip(times) {
        let entry = world.entry_at("x.happened", Timestamp::from_micros(at));
        let time = times[..usize::try_from(n).unwrap()].iter().max().unwrap();
        previous = log::entry_hash(org.bytes(), n, *time, &previous, &log::digest(&entry.body));
        expected.push((Timestamp::from_micros(*time), previous, entry.body.clone()));
        let record = Record {
            stream: org,
            entry,
            decided_at: None,
            once: None,
        };
        world.store.record(record).await.unwrap();
    }
    let rows = world
        .store
        .read(org, move |reader| reader.event_rows(org, 0, 9))
        .await
        .unwrap();
    let found: Vec<_> = rows
        .into_iter()
        .map(|row| (row.time, row.hash, row.body))
        .collect();
    assert_eq!(found, expected);
}

pub async fn heads_survive_a_restart(world: World) {
    let (one, two) = (world.org(), world.org());
    world.revoke(one, 1).await;
    world.record(one).await.unwrap();
    world.record(two).await.unwrap();
    let before = world.store.heads(None).await.unwrap();
    assert_eq!(
        before
            .iter()
            .filter(|(stream, _)| *stream == one || *stream == two)
            .count(),
        2
    );
    let world = world.reopened();
    assert_eq!(world.store.heads(None).await.unwrap(), before);
    assert_eq!(world.record(one).await.unwrap(), 3);
    let unknown = world.org();
    let heads = world.store.heads(Some(vec![two, unknown])).await.unwrap();
    assert_eq!(
        (heads[0].1.seq, heads[1]),
        (1, (unknown, store::Head::default()))
    );
    world.store.close();
    assert!(matches!(
        world.record(one).await,
        Err(CommitError::Unavailable(_))
    ));
}

pub async fn rows_of_the_log_are_found(world: World) {
    let (org, other) = (world.org(), world.org());
    for kind in ["a.made", "b.made", "a.made"] {
        for stream in [org, other] {
            let entry = world.entry(kind);
            let record = Record {
                stream,
                entry,
                decided_at: None,
                once: None,
            };
            world.store.record(record).await.unwrap();
        }
    }
    world.revoke(org, 1).await;
    let seqs = |query: EventQuery| {
        let store = world.store.clone();
        async move {
            let rows = store
                .read(org, move |reader| reader.events(org, &query))
                .await
                .unwrap();
            rows.iter().map(|row| row.seq).collect::<Vec<_>>()
        }
    };
    let all = EventQuery {
        limit: 9,
        ..EventQuery::default()
    };
    assert_eq!(seqs(all.clone()).await, [1, 2, 3, 4]);
    assert_eq!(
        seqs(EventQuery {
            kind: Some("a.made".into()),
            ..all.clone()
        })
        .await,
        [1, 3]
    );
    let newest = EventQuery {
        order: Order::Descending,
        before_seq: Some(4),
        limit: 2,
        ..all.clone()
    };
    assert_eq!(seqs(newest).await, [3, 2]);
    let page = EventQuery {
        after_seq: 1,
        limit: 1,
        ..all.clone()
    };
    assert_eq!(seqs(page).await, [2]);
    let who = |actor: &str, resource: &str| EventQuery {
        actor: Some(actor.into()),
        resource: Some(resource.into()),
        ..all.clone()
    };
    assert_eq!(seqs(who("system", "thing")).await.len(), 4);
    assert_eq!(seqs(who("system", "other")).await.len(), 0);
    let rows = world
        .store
        .read(org, move |reader| reader.event_rows(org, 2, 9))
        .await
        .unwrap();
    assert_eq!((rows[0].state_rev, rows[1].state_rev), (None, Some(1)));
    assert_eq!(
        rows[0].position.is_some(),
        world.store.engine() == store::Engine::Sqlite
    );
}

pub async fn live_tokens_are_counted_by_lineage(world: World) {
    let org = world.org();
    let now = kernel::Clock::now(&*world.clock);
    let (one, two) = (Id::from_bytes([1; 16]), Id::from_bytes([2; 16]));
    let tokens = [
        (one, vec![10, 20], 60),
        (one, vec![10], -1),
        (two, vec![20, 30], 60),
        (Id::from_bytes([3; 16]), vec![20], 60),
        (two, vec![], 60),
    ];
    for (agent, above, life) in tokens {
        let entry = world.issued(agent, &above, now.plus(Micros::seconds(life)));
        let record = Record {
            stream: org,
            entry,
            decided_at: None,
            once: None,
        };
        world.store.record(record).await.unwrap();
    }
    let count = |grant| {
        world.store.read(org, move |reader| {
            let grants = [GrantId::from_number(grant)];
            let issued = reader.tokens_under(org, &[one, two], &grants, now)?;
            Ok((issued.tokens, issued.more))
        })
    };
    assert_eq!(count(10).await, Ok((1, false)));
    assert_eq!(count(20).await, Ok((2, false)));
    assert_eq!(count(99).await, Ok((0, false)));
}

pub async fn the_last_entry_is_unsigned_at_once(world: World) {
    let org = world.org();
    for size in 1..=5 {
        world.record(org).await.unwrap();
        assert_eq!(world.store.unsigned().await, Ok(vec![org]), "at {size}");
        let time = Timestamp::from_micros(i64::try_from(size).unwrap());
        let kept = world.store.save_checkpoint(org, size, time, "n".into());
        kept.await.unwrap();
        assert_eq!(world.store.unsigned().await, Ok(vec![]), "at {size}");
    }
}

pub async fn checkpoints_are_kept(world: World) {
    let org = world.org();
    for size in [1, 2, 2] {
        let note = format!("size {size} \u{2014} sig");
        let time = Timestamp::from_micros(i64::try_from(size).unwrap());
        world
            .store
            .save_checkpoint(org, size, time, note)
            .await
            .unwrap();
    }
    let rows = world
        .store
        .read(org, move |reader| reader.checkpoints(org, 9))
        .await
        .unwrap();
    assert_eq!(rows.iter().map(|row| row.size).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(rows[0].note, "size 2 \u{2014} sig");
    let last = world
        .store
        .read(org, move |reader| reader.checkpoints(org, 1))
        .await
        .unwrap();
    assert_eq!(last.len(), 1);
}
