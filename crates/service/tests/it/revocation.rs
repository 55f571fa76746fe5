//! Revocations over time: marks end what was issued before them and nothing after, what is forgotten stays denied
//! whatever the clock says, and an agent that gives back many tokens leaves little behind.

use crate::{agents::ISSUER, world::World};
use authz::Facts;
use domain::{GrantId, Revocation, RevocationCore, Stream};
use kernel::{Id, Micros, limits};
use serde_json::{Value, json};
use service::{
    oauth::{self, ClientForm, RevokeRequest},
    upkeep,
};
use std::sync::Arc;
use testkit::clock::MockClock;

const READ: &str = "https://orders.example.com/";

impl World {
    async fn live(&self, token: &str) -> bool {
        let view = self.platform.node.view_of("acme").await.unwrap();
        let verified = oauth::verify(&self.platform, &view, token).unwrap();
        authz::live_scopes(&view, verified.presented(), view.now).is_some()
    }

    async fn give_back(&self, agent: &Value, token: &str) {
        let request = RevokeRequest {
            token: Some(token.into()),
            client: ClientForm {
                client_id: agent["client_id"].as_str().map(str::to_owned),
                client_secret: agent["client_secret"].as_str().map(str::to_owned),
                ..ClientForm::default()
            },
        };
        oauth::revoke(&self.platform, "acme", &Self::peer(), None, &request)
            .await
            .unwrap();
    }

    /// Lets time pass in steps that keep the node fresh.
    async fn pass(&self, clock: &MockClock, length: Micros) {
        clock.advance(length);
        self.platform.node.poll().await.unwrap();
    }

    async fn held(&self) -> usize {
        self.platform
            .node
            .view_of("acme")
            .await
            .unwrap()
            .org
            .revocation_count()
    }

    async fn orders_token(&self, agent: &Value) -> String {
        self.token(agent, json!({ "resource": READ }))
            .await
            .unwrap()
    }
}

fn grant_of(view: &service::View, agent: &Value) -> GrantId {
    let id: Id<kernel::Agent> = agent["client_id"].as_str().unwrap().parse().unwrap();
    view.agent(id).unwrap().grant
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forgotten_stays_denied_whatever_the_clock_says() {
    let clock = Arc::new(MockClock::default());
    let world = World::still(clock.clone()).await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let (given, kept) = (
        world.orders_token(&agent).await,
        world.orders_token(&agent).await,
    );
    world.give_back(&agent, &given).await;
    assert!(!world.live(&given).await && world.live(&kept).await);
    assert_eq!(world.held().await, 1);

    // An hour before its time nothing is forgotten; after it, by a clock that is wrong, it is.
    clock.step(Micros::days(1));
    upkeep::round(&world.platform).await;
    assert_eq!(world.held().await, 1);
    clock.step(Micros::days(1));
    upkeep::round(&world.platform).await;
    let view = world.platform.node.view_of("acme").await.unwrap();
    let left: Vec<_> = view.org.revocations().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].node, RevocationCore::EVERYTHING);
    clock.step(Micros::days(-2));
    assert!(
        !world.live(&given).await,
        "the clock is right again, and the token has not expired"
    );
    // Tokens from before the mark are gone too; a new one is asked for and is good.
    let fresh = world.orders_token(&agent).await;
    assert!(world.live(&fresh).await);

    // The same again by a clock that is right touches nothing that lives.
    world.give_back(&agent, &fresh).await;
    for _ in 0..27 {
        world.pass(&clock, Micros::seconds(3_600)).await;
    }
    let alive = world.orders_token(&agent).await;
    upkeep::round(&world.platform).await;
    assert_eq!(world.held().await, 1);
    assert!(world.live(&alive).await);
    let stream = Stream::org(view.id());
    let rows = world.platform.store.read(stream, move |reader| {
        reader.count::<Revocation>(stream, &[])
    });
    assert_eq!(rows.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mark_ends_what_was_issued_before_it_within_the_same_moment() {
    // The clock stands still: only the order of the log tells before from after.
    let world = World::still(Arc::new(MockClock::default())).await;
    world.orders().await;
    let (user, theirs) = world
        .person("dev@acme.example", "member", &["agents.create"])
        .await;
    let input = json!({ "name": "theirs", "owner": user, "scope_ceiling": [], "auth": { "method": "client_secret" } });
    let theirs = world.call(&theirs, "agents.register", input).await.unwrap();
    let own = world.agent("own", &["orders:read"]).await;
    let control = json!({ "resource": ISSUER });
    let accepted = world.token(&theirs, control.clone()).await;
    let (before, other) = (accepted, world.token(&own, control.clone()).await.unwrap());
    let before = before.unwrap();
    assert!(world.live(&before).await && world.live(&other).await);
    let by_id = json!({ "id": user });
    world
        .owner_calls("users.deactivate", by_id.clone())
        .await
        .unwrap();
    assert!(!world.live(&before).await && world.live(&other).await);
    let again = json!({ "email": "dev@acme.example", "name": "Some One", "roles": ["member"] });
    world.owner_calls("users.create", again).await.unwrap();
    assert!(
        !world.live(&before).await,
        "the person is back, what was issued before is not"
    );
    let after = world.token(&theirs, control).await.unwrap();
    assert!(world.live(&after).await && world.live(&other).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tokens_given_back_become_one_mark() {
    let clock = Arc::new(MockClock::default());
    let world = World::still(clock.clone()).await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let mut given = Vec::new();
    for _ in 0..256 {
        let token = world.orders_token(&agent).await;
        world.give_back(&agent, &token).await;
        given.push(token);
    }
    let kept = world.orders_token(&agent).await;
    world.give_back(&agent, &given[0]).await;
    assert_eq!(world.held().await, 256, "none has expired: each is held");
    assert!(world.live(&kept).await);

    for length in [
        limits::ACCESS_LIFE,
        limits::RUN_TOKEN_LIFE,
        limits::CLOCK_SKEW,
        limits::RUN_TOKEN_LIFE,
    ] {
        world.pass(&clock, length).await;
    }
    let (alive, last) = (
        world.orders_token(&agent).await,
        world.orders_token(&agent).await,
    );
    world.give_back(&agent, &last).await;
    let view = world.platform.node.view_of("acme").await.unwrap();
    assert_eq!(world.held().await, 2, "the mark and the last");
    let node = RevocationCore::grant_node(grant_of(&view, &agent));
    assert!(view.issued_before(node) > 0 && !view.revoked(node));
    assert!(world.live(&alive).await && !world.live(&last).await);
    clock.step(Micros::seconds(-2_100));
    for token in given.iter().step_by(50) {
        assert!(!world.live(token).await);
    }
}
