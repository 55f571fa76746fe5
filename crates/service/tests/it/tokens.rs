//! API tokens: none reaches further than its maker, each is shown once, and each ends when it is told to.

use crate::{directory::code, world::World};
use kernel::Code;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_makes_none_that_reaches_further_and_ends_when_it_is_revoked() {
    let world = World::new().await;
    let (id, token) = world
        .person(
            "m@acme.example",
            "member",
            &[
                "tokens.create",
                "tokens.read",
                "tokens.revoke",
                "users.read",
            ],
        )
        .await;
    let narrow = json!({ "name": "n", "permissions": ["tokens.create", "tokens.read"], "networks": ["127.0.0.0/8"] });
    let narrow = world.call(&token, "tokens.create", narrow).await.unwrap();
    let narrow = narrow["token"].as_str().unwrap();
    let list = world.call(&token, "tokens.list", json!({})).await.unwrap();
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "only their own");
    assert!(
        items
            .iter()
            .all(|item| item["principal"] == id.as_str() && item.get("hash").is_none())
    );
    let wider = json!({ "name": "w", "permissions": ["users.read"] });
    assert_eq!(
        code(&world.call(narrow, "tokens.create", wider).await),
        Some(Code::BeyondOwnPermissions)
    );
    let first = json!({ "id": items[0]["id"] });
    assert_eq!(
        code(&world.call(narrow, "tokens.rotate", first.clone()).await),
        Some(Code::BeyondOwnPermissions)
    );
    let child = world
        .call(
            narrow,
            "tokens.create",
            json!({ "name": "c", "permissions": [] }),
        )
        .await
        .unwrap();
    assert_eq!(
        child["networks"],
        json!(["127.0.0.0/8"]),
        "bound as its maker is"
    );
    for wrong in ["2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z"] {
        let input = json!({ "name": "e", "permissions": [], "expires_at": wrong });
        assert_eq!(
            code(&world.call(&token, "tokens.create", input).await),
            Some(Code::InvalidInput),
            "{wrong}"
        );
    }

    let rotated = world
        .call(
            &token,
            "tokens.rotate",
            json!({ "id": items[0]["id"], "overlap_seconds": 60 }),
        )
        .await
        .unwrap();
    let next = rotated["token"].as_str().unwrap();
    assert!(
        world.call(&token, "tokens.list", json!({})).await.is_ok(),
        "both are good"
    );
    let last = world
        .call(
            next,
            "tokens.rotate",
            json!({ "id": rotated["id"], "overlap_seconds": 0 }),
        )
        .await
        .unwrap();
    assert_eq!(
        code(&world.call(next, "tokens.list", json!({})).await),
        Some(Code::Unauthenticated),
        "no overlap"
    );
    let last_id = json!({ "id": last["id"] });
    let last = last["token"].as_str().unwrap();
    let revoked = world
        .call(last, "tokens.revoke", last_id.clone())
        .await
        .unwrap();
    assert_eq!(revoked["cascaded"]["runs"], 0);
    assert_eq!(
        code(&world.call(last, "tokens.list", json!({})).await),
        Some(Code::Unauthenticated)
    );
    let again = world.owner_calls("tokens.revoke", last_id).await.unwrap();
    assert_eq!(
        again["revoked_at"], revoked["revoked_at"],
        "the same answer"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_makes_one_token_and_shows_it_once() {
    let world = World::new().await;
    let view = world.platform.node.view_of("acme").await.unwrap();
    let caller = service::authenticate(&world.platform, &view, &world.token, &World::peer())
        .await
        .unwrap();
    let envelope = service::Envelope {
        idempotency_key: Some("k".into()),
        ..service::Envelope::default()
    };
    let create = service::OPERATIONS
        .iter()
        .find(|operation| operation.meta().name == "tokens.create")
        .unwrap();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let view = world.platform.node.view_of("acme").await.unwrap();
        let cx = service::Cx::new(
            world.platform.clone(),
            World::peer(),
            envelope.clone(),
            caller.clone(),
            view,
        );
        let answer = create
            .call(cx, json!({ "name": "once", "permissions": ["users.read"] }))
            .await
            .unwrap();
        answers.push(serde_json::from_slice::<Value>(&answer.body).unwrap());
    }
    assert_eq!(answers[0]["id"], answers[1]["id"]);
    assert!(answers[0]["token"].is_string() && answers[1].get("token").is_none());
    assert_eq!(answers[1]["secret_already_delivered"], true);
    let listed = world
        .owner_calls("tokens.list", json!({ "total": true }))
        .await
        .unwrap();
    assert_eq!(listed["total"], 2, "the bootstrap token and one more");
}
