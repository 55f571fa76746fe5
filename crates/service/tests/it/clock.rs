//! Steps of the wall clock (REL-15): they make no state look fresher, stop no permit and revive no token.

use crate::world::World;
use kernel::{Clock, Code, Micros, Monotonic, Steady, Timestamp};
use serde_json::json;
use std::sync::Arc;
use testkit::clock::MockClock;

const HOUR: Micros = Micros::seconds(3_600);

async fn world() -> (Arc<MockClock>, World) {
    let clock = Arc::new(MockClock::at(Timestamp::from_seconds(1_790_000_000)));
    let world = World::still(Arc::new(Steady::over(clock.clone()))).await;
    (clock, world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_neither_stretches_a_permit_nor_stops_one() {
    let (clock, world) = world().await;
    let view = world.platform.node.view_of("acme").await.unwrap();
    let fresh = || world.platform.node.require_fresh(view.id());
    for step in [HOUR, Micros::new(-2 * HOUR.get()), HOUR] {
        world.platform.node.poll().await.unwrap();
        clock.step(step);
        fresh().expect("a step is no time that passed");
        clock.advance(Micros::new(1_900_000));
        fresh().expect("within the bound");
        clock.advance(Micros::new(200_000));
        assert_eq!(fresh().unwrap_err().code, Code::StaleState);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_set_back_revives_no_token() {
    let (clock, world) = world().await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let token = world.token(&agent, json!({})).await.unwrap();
    assert!(world.is_active(&token).await);
    clock.advance(Micros::seconds(301 + 60));
    world.platform.node.poll().await.unwrap();
    assert!(!world.is_active(&token).await, "it has ended");
    clock.step(Micros::new(-HOUR.get()));
    assert!(!world.is_active(&token).await, "and stays so");
}

#[test]
fn a_steady_clock_believes_the_wall_and_never_goes_back() {
    let start = Timestamp::from_seconds(1_000);
    let wall = Arc::new(MockClock::at(start));
    let steady = Steady::over(wall.clone());
    wall.advance(Micros::seconds(5));
    assert_eq!(steady.now(), start.plus(Micros::seconds(5)));
    wall.step(HOUR);
    assert_eq!(steady.now(), start.plus(Micros::seconds(3_605)));
    wall.step(Micros::new(-2 * HOUR.get()));
    assert_eq!(steady.now(), start.plus(Micros::seconds(5)));
    wall.advance(Micros::seconds(7));
    assert_eq!(steady.now(), start.plus(Micros::seconds(12)));
    assert_eq!(
        steady.boot().since(Monotonic::from_micros(0)),
        Clock::boot(&*wall).since(Monotonic::from_micros(0))
    );
}
