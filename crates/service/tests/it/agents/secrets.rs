//! Secrets: two work while one replaces the other, each is shown once, and what was got with one falls with it.

use super::{ISSUER, text};
use crate::{directory::code, world::World};
use kernel::Code;
use serde_json::json;
use service::Envelope;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_rotate_with_an_overlap_and_take_their_tokens_when_revoked() {
    let world = World::new().await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let rotate = json!({ "id": agent["id"], "overlap_seconds": 600 });
    let rotation = world
        .owner_calls("agents.rotate_secret", rotate.clone())
        .await
        .unwrap();
    let renewed = json!({ "client_id": agent["id"], "client_secret": rotation["client_secret"] });
    let (old, new) = (world.control(&agent).await, world.control(&renewed).await);
    let second = world
        .owner_calls("agents.rotate_secret", rotate.clone())
        .await
        .unwrap_err();
    assert!(second.code == Code::InvalidState && second.detail.contains("rotation_in_progress"));
    assert!(second.detail.contains(rotation["id"].as_str().unwrap()));
    let listed = world
        .owner_calls("agents.secrets", json!({ "id": agent["id"] }))
        .await
        .unwrap();
    let open: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|secret| secret.get("rotation"))
        .collect();
    assert_eq!(open, [&rotation["id"]], "{listed}");
    let by_id = json!({ "id": rotation["id"] });
    world
        .owner_calls("agents.promote_rotation", by_id.clone())
        .await
        .unwrap();
    assert_eq!(
        world.token(&agent, json!({ "resource": ISSUER })).await,
        Err("invalid_client".into())
    );
    assert!(
        world.is_active(&old).await,
        "a planned rotation kills nothing"
    );
    assert_eq!(
        code(&world.owner_calls("agents.cancel_rotation", by_id).await),
        Some(Code::InvalidState)
    );

    let third = world
        .owner_calls("agents.rotate_secret", rotate)
        .await
        .unwrap();
    world
        .owner_calls("agents.cancel_rotation", json!({ "id": third["id"] }))
        .await
        .unwrap();
    let cancelled = json!({ "client_id": agent["id"], "client_secret": third["client_secret"] });
    assert_eq!(
        world.token(&cancelled, json!({ "resource": ISSUER })).await,
        Err("invalid_client".into())
    );
    world.control(&renewed).await;
    let listed = world
        .owner_calls("agents.secrets", json!({ "id": agent["id"] }))
        .await
        .unwrap();
    let states: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| text(&item["state"]).to_owned())
        .collect();
    assert_eq!(states, ["revoked", "active", "revoked"]);
    assert!(!listed.to_string().contains("hash"));

    let key_id = &rotation["key_id"];
    let gone = world
        .owner_calls(
            "agents.revoke_secret",
            json!({ "id": agent["id"], "key_id": key_id }),
        )
        .await
        .unwrap();
    assert_eq!(gone["cascaded"]["tokens"], 2);
    assert!(!world.is_active(&new).await);
    assert!(
        !world.is_active(&old).await,
        "without any valid secret trust is 0, below every floor"
    );
    let trust = world
        .owner_calls("trust.read", json!({ "id": agent["id"] }))
        .await
        .unwrap();
    assert_eq!(
        (&trust["score"], &trust["overrides"]),
        (&json!(0), &json!(["no_valid_credential"]))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_is_in_one_answer_and_a_dry_run_gives_none() {
    let world = World::new().await;
    let connection = world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let start = json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 60 });
    let ask =
        json!({ "agent": agent["id"], "connection": connection["id"], "operation": "orders.list" });
    let within = world
        .owner_calls("dispatch.evaluate", ask.clone())
        .await
        .unwrap();
    let mut again = ask.clone();
    again["run"] = within["run"].clone();
    let register = json!({ "name": "b", "owner": world.owner, "scope_ceiling": [], "auth": { "method": "client_secret" } });
    let rotate = json!({ "id": agent["id"], "overlap_seconds": 0 });
    for (key, name, input, secret) in [
        ("1", "agents.register", register, "client_secret"),
        ("2", "agents.rotate_secret", rotate, "client_secret"),
        ("3", "runs.start", start, "run_token"),
        ("4", "dispatch.evaluate", ask, "capability_token"),
        ("5", "dispatch.evaluate", again, "capability_token"),
    ] {
        let dry = Envelope {
            dry_run: true,
            ..Envelope::default()
        };
        assert!(
            world
                .owner_asks(dry, name, input.clone())
                .await
                .get(secret)
                .is_none(),
            "{name}"
        );
        let keyed = || Envelope {
            idempotency_key: Some(key.into()),
            ..Envelope::default()
        };
        let first = world.owner_asks(keyed(), name, input.clone()).await;
        let second = world.owner_asks(keyed(), name, input).await;
        assert!(
            first[secret].is_string() && second.get(secret).is_none(),
            "{name}"
        );
        assert_eq!(second["secret_already_delivered"], true, "{name}");
        let id = if name == "dispatch.evaluate" {
            "dispatch"
        } else {
            "id"
        };
        assert_eq!(first[id], second[id], "{name}");
    }
    let runs = world
        .owner_calls("runs.list", json!({ "total": true }))
        .await
        .unwrap();
    assert_eq!(
        runs["total"], 3,
        "one by the first dispatch, one started, one by the keyed dispatch"
    );
}
