//! Following: each look gives what was committed since the one before, once, of every stream; another history is
//! told apart; what is told between nodes arrives.

use crate::world::{Place, World, revocation};
use std::{sync::Arc, time::Duration};
use store::{Member, Options, Plan, Store, StoreError, Tx};
use testkit::postgres::psql;

pub async fn each_look_gives_what_is_new(world: World) {
    let (one, two) = (world.org(), world.org());
    world.revoke(one, 1).await;
    let begun = world.store.follow(None, |_| true).await.unwrap();
    assert_eq!(begun.feed, Some(Vec::new()));
    world.revoke(one, 2).await;
    world.record(one).await.unwrap();
    world.revoke(two, 1).await;
    world.revoke(one, 3).await;

    let look = world
        .store
        .follow(Some(begun.place.clone()), |_| true)
        .await
        .unwrap();
    let mut seen: Vec<_> = look
        .feed
        .unwrap()
        .into_iter()
        .map(|(stream, row)| (stream, row.state_rev))
        .collect();
    seen.sort();
    let mut expected = vec![(one, 2), (one, 3), (two, 1)];
    expected.sort();
    assert_eq!(seen, expected);
    let only = world
        .store
        .follow(Some(begun.place), move |stream| stream == two)
        .await
        .unwrap();
    assert_eq!(only.feed.unwrap().len(), 1);
    let nothing = world
        .store
        .follow(Some(look.place), |_| true)
        .await
        .unwrap();
    assert_eq!(nothing.feed, Some(Vec::new()));
    assert_eq!(nothing.standing, begun.standing);
    let mut heads = world.store.revisions().await.unwrap();
    heads.sort();
    let mut expected = vec![(one, 3, 3), (two, 1, 1)];
    expected.sort();
    assert_eq!(heads, expected);
}

pub async fn a_look_that_would_be_too_long_says_so(world: World) {
    let org = world.org();
    let begun = world.store.follow(None, |_| true).await.unwrap();
    let entry = world.entry("grant.revoked");
    let run = move |tx: &mut Tx<'_>| {
        for node in 0..2_049u64 {
            let mut one = revocation(1, 1);
            one.core.node[..8].copy_from_slice(&node.to_be_bytes());
            tx.put(org, &one)?;
            tx.entry(org, entry.clone())?;
        }
        Ok(())
    };
    world.store.commit(Plan::new(org), run).await.unwrap();
    let look = world
        .store
        .follow(Some(begun.place), |_| true)
        .await
        .unwrap();
    assert_eq!(look.feed, None);
}

fn url(world: &World) -> &str {
    match &world.place {
        Place::Server(url) => url,
        Place::File(..) => unreachable!(),
    }
}

fn another(world: &World) -> Store {
    let options = Options {
        clock: world.clock.clone(),
        entropy: Arc::new(testkit::clock::SeededEntropy::new(8)),
        connections: 2,
    };
    Store::postgres(url(world), options).unwrap()
}

/// A transaction that began before a look and was committed after it is not passed over, and one that stays open
/// makes no look give anything twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_before_a_look_is_found_after_it() {
    let Some(world) = World::postgres() else {
        return;
    };
    let (slow, quick) = (world.org(), world.org());
    let (entered, go) = (
        Arc::new(tokio::sync::Notify::new()),
        Arc::new(std::sync::Barrier::new(2)),
    );
    let (entry, begun, gate) = (world.entry("x.slow"), entered.clone(), go.clone());
    let store = world.store.clone();
    let late = tokio::spawn(async move {
        let run = move |tx: &mut Tx<'_>| {
            tx.put(slow, &revocation(1, 1))?;
            tx.entry(slow, entry.clone())?;
            begun.notify_one();
            gate.wait();
            Ok(())
        };
        store.commit(Plan::new(slow), run).await.unwrap();
    });
    entered.notified().await;
    world.revoke(quick, 1).await;
    let first = world.store.follow(None, |_| true).await.unwrap();
    world.revoke(quick, 2).await;
    let second = world
        .store
        .follow(Some(first.place), |_| true)
        .await
        .unwrap();
    assert_eq!(
        second.feed.unwrap().len(),
        1,
        "the open one holds nothing back and nothing comes twice"
    );
    go.wait();
    late.await.unwrap();
    let third = world
        .store
        .follow(Some(second.place), |_| true)
        .await
        .unwrap();
    let streams: Vec<_> = third
        .feed
        .unwrap()
        .into_iter()
        .map(|(stream, _)| stream)
        .collect();
    assert_eq!(streams, [slow]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_are_told_and_oneself_is_not() {
    let Some(world) = World::postgres() else {
        return;
    };
    let other = another(&world);
    let (own, heard) = (world.store.subscribe().unwrap(), other.subscribe().unwrap());
    let within = Duration::from_secs(5);
    for listener in [&own, &heard] {
        tokio::time::timeout(within, listener.notified())
            .await
            .expect("each is told once to look");
    }
    world.revoke(world.org(), 1).await;
    tokio::time::timeout(within, heard.notified())
        .await
        .expect("the other is told");
    assert!(
        tokio::time::timeout(Duration::from_millis(100), own.notified())
            .await
            .is_err()
    );
    // A record moves nothing that anybody follows.
    world.record(world.org()).await.unwrap();
    assert!(
        tokio::time::timeout(Duration::from_millis(100), heard.notified())
            .await
            .is_err()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_are_there_while_they_beat() {
    let Some(world) = World::postgres() else {
        return;
    };
    let member = |n: u8| Member {
        id: [n; 16],
        name: format!("n{n}"),
        build: "b".into(),
    };
    let now = kernel::Clock::now(&*world.clock);
    for n in [1, 2, 3] {
        world.store.beat(member(n), now).await.unwrap();
    }
    let names = async || -> Vec<String> {
        world
            .store
            .nodes()
            .await
            .unwrap()
            .into_iter()
            .map(|node| node.name)
            .collect()
    };
    assert_eq!(names().await, ["n1", "n2", "n3"]);
    world.store.leave([2; 16]).await.unwrap();
    let back = |seconds: u32| {
        format!("UPDATE node SET beat_at = beat_at - {seconds} * 1000000 WHERE name = 'n3'")
    };
    psql(url(&world), &back(11));
    assert_eq!(names().await, ["n1"], "its lease has ended");
    psql(url(&world), &back(60));
    world.store.beat(member(1), now).await.unwrap();
    assert_eq!(psql(url(&world), "SELECT count(*) FROM node"), "1\n");
}

/// The one file is put in the place of the other, as a restore does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_file_begins_an_epoch() {
    let world = World::sqlite().unwrap();
    let Place::File(path, _) = &world.place else {
        unreachable!()
    };
    let path = path.clone();
    assert_eq!(world.store.standing().await.unwrap().epoch, 1);
    let world = world.reopened();
    assert_eq!(
        world.store.standing().await.unwrap().epoch,
        1,
        "a start is no restore"
    );
    world.store.close();
    let copy = path.with_extension("copy");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::rename(&copy, &path).unwrap();
    let world = world.reopened();
    let epoch = world.store.standing().await.unwrap().epoch;
    let second = u64::try_from(kernel::Clock::now(&*world.clock).seconds()).unwrap();
    assert_eq!(epoch, second.max(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_is_told_from_one_that_does() {
    let Some(world) = World::postgres() else {
        return;
    };
    let member = Member {
        id: [1; 16],
        name: "n".into(),
        build: "b".into(),
    };
    let now = kernel::Clock::now(&*world.clock);
    world.store.beat(member.clone(), now).await.unwrap();
    let name = url(&world).rsplit('/').next().unwrap();
    let set = |on: &str| {
        psql(
            url(&world),
            &format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}"),
        )
    };
    set("on");
    world.store.renew();
    let refused = world.store.beat(member.clone(), now).await;
    assert_eq!(refused, Err(StoreError::Standby));
    // The setting holds for this session too; psql asks for what it needs.
    psql(
        url(&world),
        &format!(
            "SET default_transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only"
        ),
    );
    world
        .store
        .beat(member, now)
        .await
        .expect("the connection that could not write was left");
}
