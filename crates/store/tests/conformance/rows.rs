//! Governed rows, operational rows and facts, one at a time.

use crate::world::{World, code, revocation};
use domain::Revocation;
use kernel::{Code, Micros, Timestamp};
use store::{CommitError, Operational, Plan, Query, StoreError, Tx, Versioned};

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
    let sweep = |at| world.store.sweep(Timestamp::from_seconds(at), 1);
    assert_eq!(sweep(100).await.unwrap(), 0);
    assert_eq!(consume(100).await.unwrap_err(), CommitError::AlreadyUsed);
    assert_eq!(sweep(101).await.unwrap(), 1);
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
