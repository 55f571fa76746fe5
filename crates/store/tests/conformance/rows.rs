//! Governed rows, one command at a time.

use crate::world::{World, assignment, revocation};
use domain::{Assignment, Organization, OrganizationCore, OrganizationState, Revocation, Stream};
use kernel::{Code, Id, Micros, Timestamp};
use store::{
    CommitError, Idempotency, Operational, Plan, Query, Refusal, StoreError, Tx, Versioned,
};

fn code<T: std::fmt::Debug>(result: Result<T, CommitError>) -> Code {
    match result.unwrap_err() {
        CommitError::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

pub async fn a_row_is_written_read_listed_and_versioned(world: World) {
    let org = world.org();
    let first = world.revoke(org, 3).await;
    assert_eq!((first.value, first.replayed), (1, false));
    assert_eq!(world.revoke(org, 3).await.value, 2);
    world.revoke(org, 1).await;
    let entry = world.entry("x.changed");
    let update = |expected, node| {
        let entry = entry.clone();
        let run = move |tx: &mut Tx<'_>| {
            tx.update(org, &revocation(node, 9), expected)?;
            tx.entry(org, entry.clone())
        };
        world.store.commit(Plan::new(org), run)
    };
    assert_eq!(code(update(Some(1), 3).await), Code::VersionMismatch);
    assert_eq!(code(update(None, 7).await), Code::NotFound);
    update(Some(2), 3).await.unwrap();
    let entry = world.entry("x.inserted");
    let again = move |tx: &mut Tx<'_>| {
        tx.insert(org, &revocation(3, 1))?;
        tx.entry(org, entry.clone())
    };
    assert_eq!(
        code(world.store.commit(Plan::new(org), again).await),
        Code::AlreadyExists
    );
    let read = move |reader: &mut store::Reader<'_>| {
        let one = reader.get::<Revocation>(org, [3; 16])?;
        let none = reader.get::<Revocation>(org, [9; 16])?;
        let after = Query {
            after: Some([1; 16]),
            limit: 9,
            ..Query::default()
        };
        let rest = reader.list::<Revocation>(org, &after)?;
        Ok((one, none, rest, reader.count::<Revocation>(org, &[])?))
    };
    let (one, none, rest, count) = world.store.read(org, read).await.unwrap();
    let one: Versioned<Revocation> = one.unwrap();
    assert_eq!((one.version, &one.value), (3, &revocation(3, 9)));
    assert_eq!(one.created_at, kernel::Clock::now(&*world.clock));
    assert!(none.is_none() && rest == vec![one] && count == 2);
}

pub async fn keys_and_texts_are_compared_byte_by_byte(world: World) {
    let org = world.org();
    let names = [
        "a",
        "A",
        " a",
        "a ",
        "\u{e9}",
        "e\u{301}",
        "\u{1f600}",
        "",
        "%",
        "a\u{7f}",
    ];
    let entry = world.entry("x.claimed");
    let run = move |tx: &mut Tx<'_>| {
        for (n, name) in (0u8..).zip(names) {
            tx.claim(org, "agent.name", name, [n; 16])?;
            tx.claim(org, "agent.name", name, [n; 16])?;
        }
        tx.entry(org, entry.clone())
    };
    world.store.commit(Plan::new(org), run).await.unwrap();
    let found =
        move |reader: &mut store::Reader<'_>, name: &str| reader.claimed(org, "agent.name", name);
    let read = move |reader: &mut store::Reader<'_>| {
        let all: Result<Vec<_>, _> = names.iter().map(|name| found(reader, name)).collect();
        Ok((
            all?,
            found(reader, "b")?,
            reader.claimed(org, "agent", "a")?,
        ))
    };
    let (all, other, kind) = world.store.read(org, read).await.unwrap();
    let expected: Vec<_> = (0u8..).take(names.len()).map(|n| Some([n; 16])).collect();
    assert_eq!((all, other, kind), (expected, None, None));
    let entry = world.entry("x.claimed");
    let taken = |name: &'static str| {
        let entry = entry.clone();
        let run = move |tx: &mut Tx<'_>| {
            tx.claim(org, "agent.name", name, [99; 16])?;
            tx.entry(org, entry.clone())
        };
        world.store.commit(Plan::new(org), run)
    };
    let Err(CommitError::Refused(refusal)) = taken("A").await else {
        panic!("taken")
    };
    assert_eq!(
        (refusal.code, refusal.field.as_deref()),
        (Code::AlreadyExists, Some("name"))
    );
    assert_eq!(code(taken("nul\0").await), Code::InvalidInput);
    let entry = world.entry("x.released");
    let release = move |tx: &mut Tx<'_>| {
        tx.release(org, "agent.name", "A")?;
        assert_eq!(tx.claimed(org, "agent.name", "A")?, None);
        tx.entry(org, entry.clone())
    };
    world.store.commit(Plan::new(org), release).await.unwrap();
    taken("A").await.unwrap();
}

fn organization(n: u8, name: &str, state: OrganizationState, parent: Option<u8>) -> Organization {
    Organization {
        core: OrganizationCore {
            id: Id::from_bytes([n; 16]),
            slug: format!("o{n}"),
            issuer: "https://id.example/o".into(),
            state,
            parent: parent.map(|n| Id::from_bytes([n; 16])),
        },
        name: name.into(),
        created_at: Timestamp::from_micros(1_700_000_000_000_001),
    }
}

pub async fn a_filter_compares_members_as_text(world: World) {
    let instance = Stream::INSTANCE;
    let rows = [
        organization(
            1,
            "One '\" \\u0000 \u{1f600}",
            OrganizationState::Active,
            None,
        ),
        organization(2, "two", OrganizationState::Suspended, None),
        organization(3, "true", OrganizationState::Active, Some(1)),
    ];
    let (entry, written) = (world.entry("organization.created"), rows.clone());
    let run = move |tx: &mut Tx<'_>| {
        for row in &written {
            tx.insert(instance, row)?;
        }
        tx.entry(instance, entry.clone())
    };
    world.store.commit(Plan::new(instance), run).await.unwrap();
    let nul = organization(4, "\\\0", OrganizationState::Active, None);
    let put = move |tx: &mut Tx<'_>| tx.put(instance, &nul);
    let refused = world.store.commit(Plan::new(instance), put).await;
    assert_eq!(code(refused), Code::InvalidInput);
    let find = |path: &'static str, text: &str| {
        let query = Query {
            limit: 9,
            filter: vec![(path, text.to_owned())],
            ..Query::default()
        };
        world.store.read(world.org(), move |reader| {
            let found = reader.list::<Organization>(instance, &query)?;
            let counted = reader.count::<Organization>(instance, &query.filter)?;
            assert_eq!(counted, u64::try_from(found.len()).unwrap());
            Ok(found.into_iter().map(|row| row.value).collect::<Vec<_>>())
        })
    };
    let [one, two, three] = rows;
    assert_eq!(
        find("core.state", "active").await.unwrap(),
        [one, three.clone()]
    );
    assert_eq!(find("core.slug", "o2").await.unwrap(), [two]);
    assert_eq!(find("name", "true").await.unwrap(), [three]);
    assert_eq!(
        find("core.parent", "null").await.unwrap(),
        [],
        "null equals nothing"
    );
    assert!(matches!(
        find("name' OR 1=1 --", "x").await,
        Err(StoreError::Value(_))
    ));
}

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

pub async fn operational_rows_and_facts(world: World) {
    let org = world.org();
    let used = |at| Operational::CredentialUsed {
        stream: org,
        key_id: "abcd1234".into(),
        at: Timestamp::from_micros(at),
    };
    world.store.operate(vec![used(5), used(3)]).await.unwrap();
    let last = move |reader: &mut store::Reader<'_>| reader.last_used(org, "abcd1234");
    let at = world
        .store
        .read(org, move |reader| last(reader))
        .await
        .unwrap();
    assert_eq!(at, Some(Timestamp::from_micros(5)));

    let consume = |ends: i64| {
        let entry = world.entry("x.consumed");
        world.store.commit(Plan::new(org), move |tx| {
            tx.consume(org, "code", [7; 32], Timestamp::from_seconds(ends))?;
            tx.entry(org, entry.clone())
        })
    };
    consume(100).await.unwrap();
    let sweep = |at| {
        vec![Operational::Sweep {
            before: Timestamp::from_seconds(at),
        }]
    };
    world.store.operate(sweep(100)).await.unwrap();
    assert_eq!(consume(100).await.unwrap_err(), CommitError::AlreadyUsed);
    world.store.operate(sweep(101)).await.unwrap();
    consume(100).await.unwrap();

    let epoch = world.store.meta(store::EPOCH).await.unwrap().unwrap();
    assert_eq!(epoch.len(), 32);
    assert_eq!(world.store.meta("public_url").await.unwrap(), None);
    let set = |value: &str| world.store.set_meta_once("public_url", value.to_owned());
    assert_eq!(set("https://a").await.unwrap(), "https://a");
    assert_eq!(set("https://b").await.unwrap(), "https://a");
    let world = world.reopened();
    assert_eq!(world.store.meta(store::EPOCH).await.unwrap(), Some(epoch));
}

pub async fn a_read_ends_after_two_seconds(world: World) {
    let (org, clock) = (world.org(), world.clock.clone());
    let slow = move |reader: &mut store::Reader<'_>| {
        clock.advance(Micros::seconds(3));
        reader.get::<Revocation>(org, [1; 16])
    };
    assert_eq!(world.store.read(org, slow).await, Err(StoreError::TooLong));
    let quick = move |reader: &mut store::Reader<'_>| reader.get::<Revocation>(org, [1; 16]);
    assert_eq!(world.store.read(org, quick).await, Ok(None));
}
