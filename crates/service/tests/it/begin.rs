//! The beginning: an organization with its owner, the ways in, and that each way in works once.

use crate::world::World;
use kernel::{Code, ExposeSecret};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_gets_in_and_reads_the_organization() {
    let world = World::new().await;
    let read = world
        .call(&world.token, "orgs.read", json!({}))
        .await
        .unwrap();
    assert_eq!(read["slug"], "acme");
    assert_eq!(read["issuer"], "http://localhost:8080/o/acme");
    assert!(matches!(world.owner(), domain::Principal::User(_)));
    let unknown = world
        .call(&world.token, "orgs.read", json!({ "nope": 1 }))
        .await
        .unwrap_err();
    assert_eq!(
        (unknown.code, unknown.errors[0].field.as_str()),
        (Code::InvalidInput, "nope")
    );
    let wrong = world
        .call(&format!("{}x", world.token), "orgs.read", json!({}))
        .await
        .unwrap_err();
    assert_eq!(wrong.code, Code::Unauthenticated);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recovery_link_works_once_under_fifty_redemptions() {
    let world = World::new().await;
    let (_, owner, secret) = service::setup::recover(&world.platform, None)
        .await
        .unwrap();
    let input = json!({ "secret": secret.expose_secret() });
    let tries = (0..50).map(|_| world.anonymous("setup.redeem", input.clone()));
    let outcomes = futures::future::join_all(tries).await;
    let good: Vec<_> = outcomes.iter().flatten().collect();
    assert_eq!(good.len(), 1);
    assert_eq!(good[0]["owner"], owner.to_string());
    assert!(
        outcomes
            .iter()
            .filter_map(|o| o.as_ref().err())
            .all(|e| matches!(e.code, Code::Unauthenticated | Code::ConcurrentChange)),
        "{outcomes:?}"
    );
    let token = good[0]["token"].as_str().unwrap();
    assert!(world.call(token, "orgs.read", json!({})).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_run_link_dies_once_an_organization_exists() {
    let world = World::new().await;
    assert!(
        service::setup::first_run_secret(&world.platform)
            .await
            .unwrap()
            .is_none()
    );
    let again = service::setup::init(&world.platform, "acme", "other@acme.example", false).await;
    assert_eq!(
        again.err().map(|error| error.code),
        Some(Code::AlreadyExists)
    );
}
