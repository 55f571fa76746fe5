//! What a command may not do, and that a command that does it leaves nothing behind.

use crate::world::{World, assignment, code, organization, revocation};
use domain::{Assignment, OrganizationState, Revocation, Stream};
use kernel::{Code, Micros, Timestamp};
use store::{CommitError, Idempotency, Plan, Refusal, StoreError, Tx};

pub async fn a_dry_run_writes_nothing(world: World) {
    let org = world.org();
    world.revoke(org, 1).await;
    let before = world.store.heads(Some(vec![org])).await.unwrap();
    let entry = world.entry("grant.revoked");
    let run = move |tx: &mut Tx<'_>| {
        tx.put(org, &revocation(2, 2))?;
        tx.claim(org, "k", "v", [0; 16])?;
        tx.entry(org, entry.clone())?;
        tx.head(org)
    };
    let plan = Plan {
        dry_run: true,
        ..Plan::new(org)
    };
    let done = world.store.commit(plan, run).await.unwrap();
    assert_eq!((done.value.seq, done.moved), (2, vec![]));
    assert_eq!(world.store.heads(Some(vec![org])).await.unwrap(), before);
    let (head, changes) = world.store.export(org).await.unwrap();
    assert_eq!((head.seq, changes.len()), (1, 1));
    world.revoke(org, 2).await;
}

pub async fn a_refusal_or_a_panic_rolls_back_alone(world: World) {
    let org = world.org();
    // Together, so that on SQLite they share a group.
    let commits = (0..60u8).map(|n| {
        let (entry, store) = (world.entry("grant.revoked"), world.store.clone());
        tokio::spawn(async move {
            let run = move |tx: &mut Tx<'_>| {
                tx.put(org, &revocation(n, 1))?;
                tx.entry(org, entry.clone())?;
                match n % 3 {
                    0 => Ok(()),
                    1 => Err(Refusal::new(Code::InvalidState, "not now").on("state")),
                    _ => panic!("a bug in a closure"),
                }
            };
            store
                .commit(Plan::new(org), run)
                .await
                .map(|done| done.moved[0].head.seq)
        })
    });
    let mut seqs = Vec::new();
    for (n, commit) in commits.collect::<Vec<_>>().into_iter().enumerate() {
        match (n % 3, commit.await.unwrap()) {
            (0, Ok(seq)) => seqs.push(seq),
            (1, Err(CommitError::Refused(refusal))) => {
                assert_eq!(refusal.field.as_deref(), Some("state"))
            }
            (2, Err(CommitError::Unavailable(StoreError::Panicked))) => {}
            (_, other) => panic!("{n}: {other:?}"),
        }
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=20).collect::<Vec<u64>>());
    assert_eq!(world.store.export(org).await.unwrap().1.len(), 20);
}

pub async fn what_is_written_without_an_entry_is_refused(world: World) {
    let org = world.org();
    type Write = fn(&mut Tx<'_>, Stream) -> Result<(), Refusal>;
    let writes: [Write; 5] = [
        |tx, org| tx.put(org, &revocation(1, 1)).map(|_| ()),
        |tx, org| tx.claim(org, "k", "v", [0; 16]),
        |tx, org| tx.release(org, "k", "v"),
        |tx, org| tx.consume(org, "k", [0; 32], Timestamp::from_seconds(1)),
        |tx, org| tx.remove(org, &assignment(1, 1)),
    ];
    for write in writes {
        let run = move |tx: &mut Tx<'_>| write(tx, org);
        assert_eq!(
            code(world.store.commit(Plan::new(org), run).await),
            Code::Internal
        );
    }
    let entry = world.entry("x.changed");
    let late = move |tx: &mut Tx<'_>| {
        tx.entry(org, entry.clone())?;
        tx.put(org, &revocation(1, 1))
    };
    assert_eq!(
        code(world.store.commit(Plan::new(org), late).await),
        Code::Internal
    );
    let entry = world.entry("x.changed");
    let elsewhere = move |tx: &mut Tx<'_>| {
        tx.put(org, &revocation(1, 1))?;
        tx.entry(Stream::INSTANCE, entry.clone())
    };
    assert_eq!(
        code(world.store.commit(Plan::new(org), elsewhere).await),
        Code::Internal
    );
    let (head, changes) = world.store.export(org).await.unwrap();
    assert_eq!((head, changes), (store::Head::default(), vec![]));
}

pub async fn other_streams_are_out_of_reach(world: World) {
    let (own, foreign) = (world.org(), world.org());
    world.revoke(foreign, 1).await;
    let out = CommitError::Unavailable(StoreError::OutOfScope);
    let peek = move |tx: &mut Tx<'_>| tx.get::<Revocation>(foreign, [1; 16]).map(|_| ());
    assert_eq!(
        world.store.commit(Plan::new(own), peek).await.unwrap_err(),
        out
    );
    // Even a closure that swallows the error commits nothing.
    let swallow = move |tx: &mut Tx<'_>| {
        let _ignored = tx.get::<Revocation>(foreign, [1; 16]);
        Ok(())
    };
    assert_eq!(
        world
            .store
            .commit(Plan::new(own), swallow)
            .await
            .unwrap_err(),
        out
    );
    let plan = Plan::new(own).decided_at(foreign, 0);
    assert_eq!(world.store.commit(plan, |_| Ok(())).await.unwrap_err(), out);
    let read = move |reader: &mut store::Reader<'_>| reader.get::<Revocation>(foreign, [1; 16]);
    assert_eq!(
        world.store.read(own, read).await,
        Err(StoreError::OutOfScope)
    );
    // What belongs to the instance cannot be stored in an organization.
    let wrong =
        move |tx: &mut Tx<'_>| tx.put(own, &organization(1, "o", OrganizationState::Active, None));
    assert_eq!(
        code(world.store.commit(Plan::new(own), wrong).await),
        Code::Internal
    );
    // Both streams at once, the instance unannounced.
    let (here, there) = (world.entry("x.made"), world.entry("organization.created"));
    let both = move |tx: &mut Tx<'_>| {
        tx.put(own, &assignment(1, 1))?;
        tx.put(
            Stream::INSTANCE,
            &organization(1, "o", OrganizationState::Active, None),
        )?;
        tx.entry(own, here.clone())?;
        tx.entry(Stream::INSTANCE, there.clone())
    };
    let moved = world
        .store
        .commit(Plan::new(own), both)
        .await
        .unwrap()
        .moved;
    let streams: Vec<_> = moved
        .iter()
        .map(|moved| (moved.stream, moved.changes.len()))
        .collect();
    assert_eq!(streams, [(Stream::INSTANCE, 1), (own, 1)]);
    let gone = world.entry("x.removed");
    let remove = move |tx: &mut Tx<'_>| {
        tx.remove(own, &assignment(1, 1))?;
        tx.remove(own, &assignment(2, 2))?;
        assert!(tx.list::<Assignment>(own, None, 9)?.is_empty());
        tx.entry(own, gone.clone())
    };
    let moved = world
        .store
        .commit(Plan::new(own), remove)
        .await
        .unwrap()
        .moved;
    assert_eq!(moved[0].changes.len(), 1, "only what was there is removed");
}

pub async fn an_idempotency_key_answers_once(world: World) {
    let org = world.org();
    let send = |key: u8, body: u8| {
        let entry = world.entry("grant.revoked");
        let mut plan = Plan::new(org);
        plan.idempotency = Some(Idempotency {
            stream: org,
            key: [key; 32],
            body_digest: [body; 32],
            expires_at: kernel::Clock::now(&*world.clock).plus(Micros::seconds(10)),
        });
        world.store.commit(plan, move |tx| {
            tx.put(org, &revocation(key, 1))?;
            tx.answer("{\"id\":\"\u{e9}\"}".into());
            tx.entry(org, entry.clone())
        })
    };
    send(1, 1).await.unwrap();
    let answer = "{\"id\":\"\u{e9}\"}".to_owned();
    assert_eq!(
        send(1, 1).await.unwrap_err(),
        CommitError::Replay { answer }
    );
    assert_eq!(
        send(1, 2).await.unwrap_err(),
        CommitError::IdempotencyMismatch
    );
    send(2, 1).await.unwrap();
    world.clock.advance(Micros::seconds(10));
    send(1, 2).await.unwrap();
    assert_eq!(
        world.store.heads(Some(vec![org])).await.unwrap()[0].1.seq,
        3
    );
}
