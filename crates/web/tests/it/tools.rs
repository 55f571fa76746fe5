//! The MCP endpoint where it is mounted: the challenge, and the same answer with and without the last slash.

use crate::world::{World, bare};
use axum::body::Body;
use serde_json::json;

#[tokio::test]
async fn without_a_token_the_way_to_one_is_told() {
    let world = World::new().await;
    for path in ["/o/acme/mcp", "/o/acme/mcp/"] {
        for method in ["POST", "GET", "DELETE"] {
            let refused = world.plain(method, path).await;
            assert_eq!(refused.status, 401, "{method} {path}");
            let metadata = "https://iam.example/.well-known/oauth-protected-resource/o/acme/mcp";
            let challenge = refused.header("www-authenticate");
            assert!(
                challenge.contains(&format!("resource_metadata=\"{metadata}\"")),
                "{challenge}"
            );
            assert!(!challenge.contains("error="), "{challenge}");
        }
    }
    let dead = bare("POST", "/o/acme/mcp")
        .header("authorization", "Bearer cdt_dead")
        .body(Body::empty())
        .unwrap();
    assert!(
        world
            .send(dead)
            .await
            .header("www-authenticate")
            .contains("error=\"invalid_token\"")
    );
}

#[tokio::test]
async fn a_caller_lists_tools() {
    let world = World::new().await;
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" },
        },
    });
    let headers = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    for path in ["/o/acme/mcp", "/o/acme/mcp/"] {
        let answer = world
            .asked("POST", path, &headers, &message.to_string())
            .await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(
            answer.body["result"]["protocolVersion"], "2025-06-18",
            "{}",
            answer.text
        );
        assert_eq!(answer.header("cache-control"), "no-store");
    }
    let mut foreign = headers.to_vec();
    foreign.push(("origin", "https://evil.example"));
    assert_eq!(
        world
            .asked("POST", "/o/acme/mcp", &foreign, &message.to_string())
            .await
            .status,
        403
    );
}
