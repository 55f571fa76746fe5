//! What must be refused at the OpenFGA API, by name, with nothing written: hostile texts, unknown names, wrong models,
//! callers without the permission, stores of somebody else.

use super::{MODEL, Store, shop, tuple};
use crate::world::{Engine, World};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f1_hostile_tuples_are_refused_and_nothing_is_written() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let store = shop(&world).await;
    let long = format!("document:{}", "x".repeat(300));
    let ask = |object: &str, relation: &str, user: &str| json!({ "object": object, "relation": relation, "user": user });
    let wrong = [
        ask("document:1\u{1}", "owner", "user:bob"),
        ask("document:1\n", "owner", "user:bob"),
        ask("document:1", "owner", "user:b\u{7f}ob"),
        ask("document:1 2", "owner", "user:bob"),
        ask(&long, "owner", "user:bob"),
        ask("document:1", &"r".repeat(51), "user:bob"),
        ask("document:*", "owner", "user:bob"),
        ask("document", "owner", "user:bob"),
        ask("document:1", "owner", "bob"),
        ask("document:1", "owner", "user:*"),
        ask("document:1", "owner", "group:eng#member"),
        ask("document:1", "Owner", "user:bob"),
        ask("Document:1", "owner", "user:bob"),
        ask("document:1", "owner", "robot:bob"),
        ask("document:1", "nothing", "user:bob"),
        ask("document:1", "viewer", "document:1#viewer"),
        ask("group:eng", "member", "group:eng#member"),
        ask("", "owner", "user:bob"),
    ];
    for one in &wrong {
        let refused = store
            .post("write", json!({ "writes": { "tuple_keys": [one] } }))
            .await;
        assert_eq!(refused.refused(400), "validation_error", "{one}");
        let body = json!({ "tuple_key": tuple("document:1#viewer@user:anne"), "contextual_tuples": { "tuple_keys": [one] } });
        let refused = store.post("check", body).await;
        let implicit = one["user"] == "group:eng#member" && one["object"] == "group:eng";
        assert_eq!(
            refused.status,
            if implicit { 200 } else { 400 },
            "{one}: {}",
            refused.response.text()
        );
    }
    let nul = store
        .post(
            "check",
            json!({ "tuple_key": ask("document:1\0", "viewer", "user:anne") }),
        )
        .await;
    assert_eq!(nul.refused(400), "validation_error");
    let read = store.post("read", json!({ "page_size": 100 })).await.ok();
    assert_eq!(
        read["tuples"].as_array().unwrap().len(),
        8,
        "nothing was written"
    );
    for (size, code) in [
        (0, "page_size_invalid"),
        (-1, "page_size_invalid"),
        (101, "page_size_invalid"),
    ] {
        assert_eq!(
            store
                .post("read", json!({ "page_size": size }))
                .await
                .refused(400),
            code
        );
    }
    for token in ["x", "!!", &"A".repeat(9_000)] {
        let refused = store
            .post("read", json!({ "continuation_token": token }))
            .await;
        assert_eq!(refused.refused(400), "invalid_continuation_token");
    }
    // A token of one list is none of another.
    let page = store.post("read", json!({ "page_size": 1 })).await.ok();
    let other = json!({ "continuation_token": page["continuation_token"], "tuple_key": { "object": "group:eng" } });
    assert_eq!(
        store.post("read", other).await.refused(400),
        "invalid_continuation_token"
    );
    let refused = store
        .post("read", json!({ "tuple_key": { "object": "group:" } }))
        .await;
    assert_eq!(refused.refused(400), "validation_error");
    let nothing = world.owner.api.get("!/o/acme/fga/nothing").await;
    assert_eq!(nothing.refused(404), "undefined_endpoint");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_6_wrong_models_are_refused_with_their_places() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let store = Store::made(&world.owner.api, "models").await;
    let ask = json!({ "tuple_key": tuple("document:1#viewer@user:anne") });
    assert_eq!(
        store.post("check", ask).await.refused(400),
        "latest_authorization_model_not_found"
    );
    let of = |types: Value| json!({ "schema_version": "1.1", "type_definitions": types });
    let direct = json!({ "this": {} });
    let wrong = [
        (
            json!({ "schema_version": "1.0", "type_definitions": [] }),
            "unsupported_schema_version",
            "1.1",
        ),
        (
            of(json!([{ "type": "user" }, { "type": "user" }])),
            "invalid_authorization_model",
            "line 6, column 6",
        ),
        (
            of(
                json!([{ "type": "document", "relations": { "viewer": { "computedUserset": { "relation": "none" } } } }]),
            ),
            "invalid_authorization_model",
            "line 6, column",
        ),
        (
            of(json!([{ "type": "cardea_agent" }])),
            "invalid_authorization_model",
            "cardea_",
        ),
        (
            of(json!([{ "type": "document", "relations": { "viewer": { "never": {} } } }])),
            "invalid_authorization_model",
            "relations",
        ),
        (
            of(json!([{ "type": "document", "relations": { "viewer": direct } }])),
            "invalid_authorization_model",
            "expected the name of a type",
        ),
        (
            of(json!([{ "type": "a b" }])),
            "invalid_authorization_model",
            "",
        ),
    ];
    for (model, code, told) in wrong {
        let refused = store.post("authorization-models", model.clone()).await;
        assert_eq!(refused.refused(400), code, "{model}");
        assert!(
            refused.response.text().contains(told),
            "{told}: {}",
            refused.response.text()
        );
    }
    assert_eq!(
        store.get("/authorization-models").await.ok()["authorization_models"],
        json!([])
    );
    store.model(MODEL).await;
    let ask = json!({ "tuple_key": tuple("document:1#viewer@user:anne"), "authorization_model_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV" });
    assert_eq!(
        store.post("check", ask).await.refused(400),
        "authorization_model_not_found"
    );
}

on_both_engines!(neg_e2_stores_are_their_organizations_and_permissions_are_asked, world => {
    let store = shop(&world).await;
    let id = store.path.rsplit('/').next().unwrap().to_owned();
    let body = json!({ "tuple_key": tuple("document:1#viewer@user:anne") });
    // Somebody without the permission, and nobody.
    let viewer = world.member("vera@acme.example", &["viewer"]).await;
    let path = format!("{}/check", store.path);
    assert_eq!(viewer.api.post(&path, &body).await.refused(403), "forbidden");
    assert_eq!(viewer.api.get(&store.path).await.refused(403), "forbidden", "nor does a viewer read");
    let auditor = world.member("ava@acme.example", &["auditor"]).await;
    assert_eq!(auditor.api.get(&store.path).await.status, 200, "an auditor does");
    assert_eq!(viewer.api.post(&format!("{}/write", store.path), json!({})).await.refused(403), "forbidden");
    let member = world.member("mel@acme.example", &["member"]).await;
    assert_eq!(member.api.get(&store.path).await.refused(403), "forbidden");
    let forged = world.owner.api.with("cdt_nothing".to_owned().into());
    assert_eq!(forged.post(&path, &body).await.refused(401), "unauthenticated");
    // The same id in another organization, and in the wrong case.
    service::setup::init(world.server.platform(), "other", "o@other.example", true).await.unwrap();
    let elsewhere = world.owner.api.post(&format!("!/o/other/fga/stores/{id}/check"), &body).await;
    assert_eq!(elsewhere.refused(401), "unauthenticated");
    let lower = world.owner.api.post(&format!("!/o/acme/fga/stores/{}/check", id.to_lowercase()), &body).await;
    assert_eq!(lower.refused(404), "store_id_not_found");
    // Two stores of one organization know nothing of each other.
    let second = Store::made(&world.owner.api, "second").await;
    second.model(MODEL).await;
    assert!(!second.check("document:1#viewer@user:anne").await);
    let foreign = store.get("/authorization-models").await.ok();
    let model = foreign["authorization_models"][0]["id"].clone();
    let ask = json!({ "tuple_key": tuple("document:1#viewer@user:anne"), "authorization_model_id": model });
    assert_eq!(second.post("check", ask).await.refused(400), "authorization_model_not_found");
});
