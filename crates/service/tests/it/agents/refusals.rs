//! What cannot be registered, grown, lowered or resumed, and the field that says so.

use crate::{directory::code, world::World};
use kernel::Code;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_is_refused_by_its_field() {
    let world = World::new().await;
    let connection = world.orders().await;
    let register = |ceiling: Value, more: Value| {
        let mut input = json!({ "name": "x", "owner": world.owner, "scope_ceiling": ceiling, "auth": { "method": "client_secret" } });
        input
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        input
    };
    for (input, field) in [
        (
            register(json!(["orders:read", "*"]), json!({})),
            "scope_ceiling.1",
        ),
        (register(json!(["orders:*"]), json!({})), "scope_ceiling.0"),
        (register(json!(["mail:send"]), json!({})), "scope_ceiling.0"),
        (
            register(
                json!([]),
                json!({ "connections": ["con_00000000000000000000000000"] }),
            ),
            "connections.0",
        ),
        (
            register(
                json!([]),
                json!({ "auth": { "method": "private_key_jwt" } }),
            ),
            "auth.jwks",
        ),
        (
            register(
                json!([]),
                json!({ "sponsor": "usr_00000000000000000000000000" }),
            ),
            "sponsor",
        ),
        (
            register(json!([]), json!({ "trust_score": 100 })),
            "trust_score",
        ),
    ] {
        let refused = world
            .owner_calls("agents.register", input.clone())
            .await
            .unwrap_err();
        assert_eq!(
            (refused.code, refused.errors[0].field.as_str()),
            (Code::InvalidInput, field),
            "{input}"
        );
    }
    let unknown = register(
        json!([]),
        json!({ "owner": "usr_00000000000000000000000000" }),
    );
    assert_eq!(
        code(&world.owner_calls("agents.register", unknown).await),
        Some(Code::NotFound)
    );

    let create = |audience: &str| json!({ "name": audience, "audience": audience, "min_trust": 0, "scopes": ["orders:read"] });
    for (audience, expected) in [
        ("https://orders.example.com", Code::AlreadyExists),
        ("http://127.0.0.1:8080/o/acme", Code::InvalidInput),
        ("https://user@h.example.com", Code::InvalidInput),
    ] {
        assert_eq!(
            code(
                &world
                    .owner_calls("connections.create", create(audience))
                    .await
            ),
            Some(expected),
            "{audience}"
        );
    }
    world
        .owner_calls("connections.create", create("urn:other"))
        .await
        .unwrap();
    let ambiguous = world
        .owner_calls(
            "agents.register",
            register(json!(["orders:read"]), json!({})),
        )
        .await
        .unwrap_err();
    assert_eq!(ambiguous.errors[0].code, "ambiguous_scope");
    let named = register(
        json!(["orders:read"]),
        json!({ "connections": [connection["id"]] }),
    );
    let agent = world.owner_calls("agents.register", named).await.unwrap();

    let (_, admin) = world
        .person(
            "admin@acme.example",
            "administrator",
            &[
                "agents.update",
                "agents.read",
                "connections.update",
                "connections.read",
                "agents.credentials",
            ],
        )
        .await;
    let grow = json!({ "id": agent["id"], "scope_ceiling": ["orders:read", "orders:write"] });
    assert_eq!(
        code(&world.call(&admin, "agents.update", grow.clone()).await),
        Some(Code::BeyondOwnPermissions)
    );
    let steal = json!({ "id": agent["id"] });
    assert_eq!(
        code(&world.call(&admin, "agents.rotate_secret", steal).await),
        Some(Code::BeyondOwnPermissions)
    );
    let shrink = json!({ "id": agent["id"], "scope_ceiling": [], "version": "2" });
    assert_eq!(
        world.call(&admin, "agents.update", shrink).await.unwrap()["version"],
        "2"
    );
    assert_eq!(
        world.owner_calls("agents.update", grow).await.unwrap()["ceiling"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let lower = json!({ "id": connection["id"], "min_trust": 10 });
    assert_eq!(
        code(
            &world
                .call(&admin, "connections.update", lower.clone())
                .await
        ),
        Some(Code::SudoRequired)
    );
    let raise = json!({ "id": connection["id"], "min_trust": 45 });
    assert_eq!(
        world
            .call(&admin, "connections.update", raise)
            .await
            .unwrap()["min_trust"],
        45
    );
    assert_eq!(
        world
            .owner_calls("connections.update", lower)
            .await
            .unwrap()["min_trust"],
        10
    );

    let (_, security) = world
        .person(
            "s@acme.example",
            "security_administrator",
            &["agents.suspend", "agents.read"],
        )
        .await;
    let (member, own) = world
        .person(
            "m@acme.example",
            "member",
            &["agents.create", "agents.suspend", "agents.read"],
        )
        .await;
    let theirs = world
        .call(
            &own,
            "agents.register",
            register(json!([]), json!({ "owner": member, "name": "theirs" })),
        )
        .await
        .unwrap();
    let id = json!({ "id": theirs["id"] });
    world
        .call(&own, "agents.suspend", id.clone())
        .await
        .unwrap();
    world.call(&own, "agents.resume", id.clone()).await.unwrap();
    world
        .call(&security, "agents.suspend", id.clone())
        .await
        .unwrap();
    assert_eq!(
        code(&world.call(&own, "agents.resume", id.clone()).await),
        Some(Code::PermissionDenied)
    );
    assert_eq!(
        world
            .call(&security, "agents.resume", id.clone())
            .await
            .unwrap()["state"],
        "active"
    );
    let seen = world
        .call(&own, "agents.list", json!({ "total": true }))
        .await
        .unwrap();
    assert_eq!(
        (&seen["total"], &seen["items"][0]["id"]),
        (&json!(1), &theirs["id"])
    );
    assert_eq!(
        code(
            &world
                .call(&own, "agents.read", json!({ "id": agent["id"] }))
                .await
        ),
        Some(Code::NotFound)
    );
}
