//! Who waits for whom: an organization's full queue is its own, what takes authority away is let in whatever else
//! waits, a refusal says when to come back and which limit it was, and comes late.

use crate::world::World;
use kernel::{Clock, ambient::SystemClock, limits};
use service::gate::{Class, Permit, Ticket};
use std::time::Duration;

/// Takes every place of a class for an organization, and says what is left to hold.
async fn fill(world: &World, class: Class) -> (Ticket, Vec<Permit>) {
    let instance = world.platform.node.cells().instance();
    let org = instance.find("acme").unwrap().id;
    let ticket = world
        .platform
        .gate
        .admit(class, Some(org), SystemClock.boot())
        .unwrap();
    let mut held = Vec::new();
    while let Ok(Ok(permit)) = tokio::time::timeout(Duration::from_millis(20), ticket.enter()).await
    {
        held.push(permit);
    }
    (ticket, held)
}

#[tokio::test]
async fn aud_9_a_full_class_refuses_late_and_takes_a_revocation() {
    let world = World::new().await;
    let made = world
        .json(
            "POST",
            "/api/v1/orgs/acme/users",
            r#"{"email":"ada@acme.example","name":"Ada"}"#,
        )
        .await;
    let user = format!(
        "/api/v1/orgs/acme/users/{}",
        made.body["id"].as_str().unwrap()
    );
    let (_ticket, held) = fill(&world, Class::Management).await;
    assert!(held.len() >= 100, "{}", held.len());
    let began = SystemClock.boot();
    let refused = world.asked("GET", &user, &[], "").await;
    assert_eq!(refused.refusal(), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), "1");
    let late = SystemClock.boot().since(began);
    let waited = limits::QUEUE_WAIT.get() + 250_000;
    assert!(late.get() >= waited, "answered after {late:?}");
    let stopped = world.json("POST", &format!("{user}/suspend"), "{}").await;
    assert_eq!(stopped.status, 200, "{}", stopped.text);
    let token = world
        .form(
            "/o/acme/oauth2/token",
            "grant_type=client_credentials&client_id=x&client_secret=x",
        )
        .await;
    assert_eq!(token.status, 401, "tokens have places of their own");
    drop(held);
    assert_eq!(world.asked("GET", &user, &[], "").await.status, 200);
}

#[tokio::test]
async fn a_full_queue_is_its_organizations_alone_and_names_the_limit() {
    let world = World::new().await;
    let (ticket, held) = fill(&world, Class::Management).await;
    let waiting: Vec<_> = (0..limits::WAITING_PER_ORG)
        .map(|_| {
            let ticket = ticket.clone();
            tokio::spawn(async move { ticket.enter().await.is_ok() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let refused = world.asked("GET", "/api/v1/orgs/acme", &[], "").await;
    assert_eq!(refused.refusal(), (429, "organization_busy"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.body["limit"]["name"], "waiting_per_org");
    assert_eq!(refused.body["limit"]["value"], limits::WAITING_PER_ORG);
    drop(held);
    for waiter in waiting {
        assert!(waiter.await.unwrap(), "whoever waited gets a turn");
    }
}

#[tokio::test]
async fn failed_attempts_of_one_address_are_told_so_and_a_right_one_is_not() {
    let world = World::new().await;
    let wrong = "grant_type=client_credentials&client_id=agt_x&client_secret=cda_x";
    let path = "/o/acme/oauth2/token";
    assert_eq!(world.form(path, wrong).await.status, 401);
    let instance = world.platform.node.cells().instance();
    let org = instance.find("acme").unwrap().id;
    let gate = &world.platform.gate;
    let ticket = gate
        .admit(Class::Token, Some(org), SystemClock.boot())
        .unwrap();
    let stranger: std::net::SocketAddr = crate::world::STRANGER.parse().unwrap();
    for _ in 1..limits::FAILED_PER_SOURCE {
        ticket.failed(Some(stranger.ip()), SystemClock.boot());
    }
    let refused = world.form(path, wrong).await;
    assert_eq!(refused.status, 429, "{}", refused.text);
    assert_eq!(refused.body["error"], "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), "60");
    let bad = crate::world::bare("GET", "/api/v1/orgs/acme")
        .header("authorization", "Bearer cdt_forged")
        .body(axum::body::Body::empty())
        .unwrap();
    let refused = world.send(bad).await;
    assert_eq!(refused.refusal(), (429, "limit_reached"));
    assert_eq!(refused.body["limit"]["name"], "failed_per_source");
    let right = world.asked("GET", "/api/v1/orgs/acme", &[], "").await;
    assert_eq!(right.status, 200, "the same address with a credential");
}
