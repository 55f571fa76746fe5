//! Both eras on one endpoint: with `initialize` and without, no session id in either.

use crate::world::{STATELESS, World};
use http::StatusCode;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_initialize_a_client_discovers_lists_and_calls() {
    let world = World::new().await;
    let (status, found) = world
        .ask(Some(&world.owner), "server/discover", json!({}))
        .await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(
        found["result"]["supportedVersions"],
        json!(["2025-06-18", "2025-11-25", STATELESS])
    );
    assert!(
        found["result"]["instructions"]
            .as_str()
            .unwrap()
            .starts_with("Cardea")
    );
    let (_, listed) = world.ask(Some(&world.owner), "tools/list", json!({})).await;
    assert_eq!(listed["result"]["cacheScope"], "private");
    let read = world
        .call(&world.owner, "get-organization", json!({}))
        .await;
    assert_eq!(read["structuredContent"]["slug"], "acme", "{read}");
    assert_eq!(read["resultType"], "complete");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_initialize_a_client_gets_its_revision_and_needs_no_session() {
    let world = World::new().await;
    for revision in ["2025-06-18", "2025-11-25"] {
        let hello = json!({"protocolVersion": revision, "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"}});
        let (status, answer) = world.ask_as(revision, "initialize", hello).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        assert_eq!(answer["result"]["protocolVersion"], revision);
        assert_eq!(answer["result"]["serverInfo"]["name"], "cardea");
        let call = json!({"name": "get-organization", "arguments": {}});
        let (_, read) = world.ask_as(revision, "tools/call", call).await;
        assert_eq!(
            read["result"]["structuredContent"]["slug"], "acme",
            "{read}"
        );
        assert_eq!(read["result"].get("resultType"), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_client_is_offered_the_newest_revision_with_initialize() {
    let world = World::new().await;
    let hello = json!({"protocolVersion": "2024-11-05", "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"}});
    let (_, answer) = world.ask_as("2024-11-05", "initialize", hello).await;
    assert_eq!(
        answer["result"]["protocolVersion"], "2025-11-25",
        "{answer}"
    );
}
