//! Who sees which tool, and what a call answers or refuses.

use crate::world::{World, refusal};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_structured_and_the_same_as_text() {
    let world = World::new().await;
    let read = world
        .call(&world.owner, "get-organization", json!({}))
        .await;
    let text: Value = serde_json::from_str(read["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(read["isError"], false);
    assert_eq!(text, read["structuredContent"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_argument_is_named() {
    let world = World::new().await;
    let refused = refusal(
        &world
            .call(&world.owner, "get-organization", json!({"nope": 1}))
            .await,
    );
    assert_eq!(
        (&refused["code"], &refused["errors"][0]["field"]),
        (&json!("invalid_input"), &json!("nope"))
    );
    assert_eq!(
        (&refused["retryable"], &refused["request_id"]),
        (&json!(false), &json!("req_1"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_tool_is_a_wrong_parameter() {
    let world = World::new().await;
    let (_, answer) = world
        .ask(
            Some(&world.owner),
            "tools/call",
            json!({"name": "no-such-tool"}),
        )
        .await;
    assert_eq!(answer["error"]["code"], -32602, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_that_the_caller_cannot_use_is_neither_listed_nor_done() {
    let world = World::new().await;
    assert!(
        world
            .listed(&world.owner)
            .await
            .contains(&"get-organization".to_owned())
    );
    let mut bare = world.owner.clone();
    // Not an API token, whose holdings would be worked out again.
    bare.caller.token = None;
    bare.caller.held = Default::default();
    assert!(
        !world
            .listed(&bare)
            .await
            .contains(&"get-organization".to_owned())
    );
    let refused = refusal(&world.call(&bare, "get-organization", json!({})).await);
    assert_eq!(refused["code"], "permission_denied");
}
