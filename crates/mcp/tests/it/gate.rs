//! What is refused before any tool: a request nobody authenticated, a credential that ended meanwhile, a page of
//! another site.

use crate::world::{World, post, refusal};
use http::StatusCode;
use kernel::Timestamp;
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_session_nothing_is_listed_and_nothing_called() {
    let world = World::new().await;
    let call = json!({"name": "get-organization", "arguments": {}});
    for (method, params) in [("tools/list", json!({})), ("tools/call", call)] {
        let (_, answer) = world.ask(None, method, params).await;
        assert_eq!(
            answer["error"]["data"]["code"], "unauthenticated",
            "{answer}"
        );
        assert!(answer.get("result").is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_ended_since_it_was_believed_is_believed_no_more() {
    let world = World::new().await;
    let mut session = world.owner.clone();
    session.caller.ends_at = Timestamp::from_seconds(1);
    let (_, listed) = world.ask(Some(&session), "tools/list", json!({})).await;
    assert_eq!(
        listed["error"]["data"]["code"], "unauthenticated",
        "{listed}"
    );
    let read = world.call(&session, "get-organization", json!({})).await;
    assert_eq!(refusal(&read)["code"], "unauthenticated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_known_hosts_and_the_own_origin_are_answered() {
    let world = World::new().await;
    let tries = [
        ("iam.example", None, StatusCode::OK),
        ("inner.example:9000", None, StatusCode::OK),
        ("inner.example", None, StatusCode::FORBIDDEN),
        ("evil.example", None, StatusCode::FORBIDDEN),
        ("localhost", None, StatusCode::FORBIDDEN),
        ("iam.example", Some("https://iam.example"), StatusCode::OK),
        (
            "iam.example",
            Some("http://iam.example"),
            StatusCode::FORBIDDEN,
        ),
        (
            "iam.example",
            Some("https://iam.example:8443"),
            StatusCode::FORBIDDEN,
        ),
        (
            "iam.example",
            Some("https://evil.example"),
            StatusCode::FORBIDDEN,
        ),
        ("iam.example", Some("null"), StatusCode::FORBIDDEN),
    ];
    for (host, origin, expected) in tries {
        let mut request = post()
            .header("host", host)
            .header("mcp-protocol-version", "2025-11-25");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        let (status, _) = world
            .send(Some(&world.owner), request, "tools/list", json!({}))
            .await;
        assert_eq!(status, expected, "{host} {origin:?}");
    }
}
