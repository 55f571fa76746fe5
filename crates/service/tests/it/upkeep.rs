//! What happens without anybody asking: keys rotate, overdue runs close, an interrupted request is finished, and a
//! repeated one is answered as it was.

use crate::{agents::ISSUER, directory::code, world::World};
use domain::{KeyState, Revocation, RevocationCore, Run, RunState, Stream};
use kernel::{Code, Id, Micros, Timestamp, limits};
use serde_json::{Value, json};
use service::{Act, Cx, Envelope, oauth, upkeep};
use std::{sync::Arc, time::Duration};
use store::Plan;
use testkit::clock::MockClock;

const TWO: &str = "a repetition";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotate_in_time_and_overdue_runs_close() {
    let clock = Arc::new(MockClock::default());
    let world = World::still(clock.clone()).await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let token = json!({ "resource": ISSUER });
    let control = world.token(&agent, token).await.unwrap();
    let start = json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 600 });
    let run = world.call(&control, "runs.start", start).await.unwrap();
    let run: Id<kernel::Run> = run["id"].as_str().unwrap().parse().unwrap();
    let node = &world.platform.node;
    let view = async || {
        node.poll().await.unwrap();
        upkeep::round(&world.platform).await;
        node.view_of("acme").await.unwrap()
    };

    clock.advance(Micros::seconds(700));
    assert!(
        view().await.org.run_core(run).is_some(),
        "its hour of grace"
    );
    clock.advance(Micros::seconds(3_600));
    let seen = view().await;
    assert!(seen.org.run_core(run).is_none());
    let stream = Stream::org(seen.id());
    let read = world
        .platform
        .store
        .read(stream, move |reader| reader.get::<Run>(stream, run.bytes()));
    let closed = read.await.unwrap().unwrap().value;
    assert_eq!(closed.core.state, RunState::Failed);
    assert_eq!(closed.ended_at, Some(closed.core.deadline));

    let tokens = |view: &service::View| {
        let keys = view
            .org
            .keys()
            .filter(|key| key.purpose == domain::KeyPurpose::Token);
        keys.map(|key| (key.kid.clone(), key.state))
            .collect::<Vec<_>>()
    };
    let before = tokens(&seen);
    assert!(before.iter().all(|(_, state)| *state == KeyState::Active));
    clock.advance(Micros::days(90));
    let after = tokens(&view().await);
    let (old, new) = after.split_at(before.len());
    let retiring = before
        .iter()
        .map(|(kid, _)| (kid.clone(), KeyState::Retiring));
    assert_eq!(old, retiring.collect::<Vec<_>>());
    assert_eq!(new.len(), before.len());
    assert!(new.iter().all(|(_, state)| *state == KeyState::Active));
    assert_eq!(tokens(&view().await), after, "once is enough");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_remembered_signature_is_worth_nothing_without_its_key() {
    let clock = Arc::new(MockClock::default());
    let world = World::still(clock.clone()).await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let token = world.token(&agent, json!({ "resource": ISSUER })).await;
    let token = token.unwrap();
    let genuine = async || {
        world.platform.node.poll().await.unwrap();
        let view = world.platform.node.view_of("acme").await.unwrap();
        oauth::verify(&world.platform, &view, &token).is_some()
    };
    assert!(genuine().await && genuine().await);
    let rotated = Envelope::default();
    let rotated = world.owner_asks(rotated, "keys.rotate", json!({})).await;
    assert!(genuine().await, "its key is published still: {rotated}");
    clock.advance(limits::RUN_TOKEN_LIFE);
    assert!(genuine().await);
    clock.advance(limits::CLOCK_SKEW);
    assert!(!genuine().await, "its key has left the set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_whose_asker_went_away_reaches_the_cell() {
    let world = World::still(Arc::new(MockClock::default())).await;
    let node = &world.platform.node;
    let view = node.view_of("acme").await.unwrap();
    let (org, stream) = (view.id(), Stream::org(view.id()));
    let core = RevocationCore::of([7; 16], Timestamp::from_seconds(4_000_000_000));
    let revocation = Revocation {
        core,
        revoked_at: view.now,
    };
    let cx = Cx::anonymous(world.platform.clone(), World::peer());
    let entry = cx
        .prepare(stream, Act::delete("token.revoked"))
        .await
        .unwrap();
    let mut going = Box::pin(node.commit(Plan::new(stream), move |tx| {
        tx.put(stream, &revocation)?;
        tx.entry(stream, entry.clone())
    }));
    let _begun = futures::poll!(&mut going);
    drop(going);
    for _ in 0..500 {
        // Nobody polls: only the commit itself can have moved the cell.
        if authz::Facts::revoked(&node.view(org).await.unwrap(), [7; 16]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the cell stayed behind");
}

/// Asks twice with one key; the answers of both.
async fn twice(world: &World, name: &str, input: Value) -> (Value, Value) {
    let envelope = || Envelope {
        idempotency_key: Some(TWO.into()),
        ..Envelope::default()
    };
    let first = world.owner_asks(envelope(), name, input.clone()).await;
    (first, world.owner_asks(envelope(), name, input).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_is_answered_though_its_first_time_stands_in_its_way() {
    let world = World::new().await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let by_id = json!({ "id": agent["id"] });
    let (mut first, mut second) = twice(&world, "agents.rotate_secret", by_id.clone()).await;
    assert!(first["client_secret"].is_string() && first["secret_already_delivered"].is_null());
    assert!(second["client_secret"].is_null() && second["secret_already_delivered"] == true);
    for answer in [&mut first, &mut second] {
        answer["client_secret"].take();
        answer["secret_already_delivered"].take();
    }
    first
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    second
        .as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    assert_eq!(first, second);

    let (first, second) = twice(&world, "agents.suspend", by_id.clone()).await;
    assert_eq!(first, second);
    let (first, second) = twice(&world, "agents.revoke", by_id.clone()).await;
    assert_eq!(first, second);
    let without = world.owner_calls("agents.revoke", by_id).await;
    assert_eq!(code(&without), Some(Code::InvalidState));
}
