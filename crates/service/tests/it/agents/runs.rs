//! Runs: a child within its parent, heartbeats from the run alone, and an end that is an end.

use super::text;
use crate::{directory::code, world::World};
use kernel::Code;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_child_run_keeps_within_its_parent_and_ends_with_it() {
    let world = World::new().await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read", "orders:write"]).await;
    let control = world.control(&agent).await;
    let start = |more: Value| {
        let mut input = json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 600 });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        input
    };
    let parent = json!({ "scopes": ["orders:read"], "lease_seconds": 60 });
    let parent = world
        .call(&control, "runs.start", start(parent))
        .await
        .unwrap();
    let run_token = text(&parent["run_token"]).to_owned();
    let other = world
        .call(&control, "runs.start", start(json!({})))
        .await
        .unwrap();
    let escape = world
        .call(
            &run_token,
            "runs.start",
            start(json!({ "parent": other["id"] })),
        )
        .await;
    assert_eq!(escape.unwrap_err().errors[0].field, "parent");
    let wider = world
        .call(
            &run_token,
            "runs.start",
            start(json!({ "scopes": ["orders:write"] })),
        )
        .await;
    assert_eq!(wider.unwrap_err().errors[0].field, "scopes.0");
    let child = world
        .call(
            &run_token,
            "runs.start",
            start(json!({ "deadline_seconds": 6000 })),
        )
        .await
        .unwrap();
    assert_eq!(
        (&child["parent"], &child["depth"]),
        (&parent["id"], &json!(2))
    );
    assert_eq!(
        (&child["scopes"], &child["deadline"]),
        (&json!(["orders:read"]), &parent["deadline"])
    );

    let beat = world
        .call(&run_token, "runs.heartbeat", json!({ "id": parent["id"] }))
        .await
        .unwrap();
    assert!(
        beat["run_token"].is_string() && text(&beat["lease_until"]) > text(&parent["lease_until"])
    );
    let outsider = world
        .call(&control, "runs.heartbeat", json!({ "id": parent["id"] }))
        .await;
    assert_eq!(
        code(&outsider),
        Some(Code::PermissionDenied),
        "only with the run's own token"
    );
    let kept = world
        .owner_calls("runs.heartbeat", json!({ "id": parent["id"] }))
        .await
        .unwrap();
    assert!(
        kept.get("run_token").is_none(),
        "who may end runs does not get their tokens"
    );

    let gone = world
        .owner_calls("runs.terminate", json!({ "id": parent["id"] }))
        .await
        .unwrap();
    assert_eq!(
        gone["cascaded"],
        json!({ "tokens": 3, "runs": 2, "delegations": 0 })
    );
    for token in [
        &parent["run_token"],
        &child["run_token"],
        &beat["run_token"],
    ] {
        assert!(!world.is_active(text(token)).await);
    }
    assert_eq!(
        code(
            &world
                .owner_calls("runs.terminate", json!({ "id": parent["id"] }))
                .await
        ),
        Some(Code::InvalidState)
    );
    let listed = world
        .owner_calls("runs.list", json!({ "state": "terminated", "total": true }))
        .await
        .unwrap();
    assert_eq!(
        (&listed["total"], &listed["items"][1]["id"]),
        (&json!(2), &child["id"])
    );

    let drain = json!({ "id": other["id"], "mode": "graceful" });
    assert_eq!(
        world.owner_calls("runs.terminate", drain).await.unwrap()["cascaded"]["runs"],
        1
    );
    let other_token = text(&other["run_token"]);
    assert!(
        world.is_active(other_token).await,
        "what is in flight may finish"
    );
    assert_eq!(
        code(
            &world
                .call(other_token, "runs.heartbeat", json!({ "id": other["id"] }))
                .await
        ),
        Some(Code::InvalidState)
    );
    let ended = world
        .call(
            other_token,
            "runs.end",
            json!({ "id": other["id"], "outcome": "failed" }),
        )
        .await
        .unwrap();
    assert_eq!(ended["state"], "failed");
    assert!(!world.is_active(other_token).await);
}
