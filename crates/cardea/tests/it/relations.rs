//! The OpenFGA API as its clients use it: stores, models, tuples and questions over HTTP, on both engines, and the
//! consolidated suite of its makers, stored and again with contextual tuples.

use crate::world::{Answer, Api, World, text};
use authz::model::Model;
use serde_json::{Value, json};

mod refusals;
mod suite;

const MODEL: &str = "model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define viewer: [user, user:*, group#member]
type document
  relations
    define parent: [folder]
    define owner: [user]
    define banned: [user]
    define viewer: ([user] or owner or viewer from parent) but not banned
";

/// A store of somebody's.
pub struct Store {
    api: Api,
    pub path: String,
}

impl Store {
    pub async fn made(api: &Api, name: &str) -> Self {
        let made = api
            .post("!/o/acme/fga/stores", json!({ "name": name }))
            .await
            .ok();
        let path = format!("!/o/acme/fga/stores/{}", text(&made, "id"));
        let api = api.clone();
        Self { api, path }
    }
    pub async fn post(&self, what: &str, body: Value) -> Answer {
        self.api.post(&format!("{}/{what}", self.path), body).await
    }
    pub async fn get(&self, what: &str) -> Answer {
        self.api.get(&format!("{}{what}", self.path)).await
    }
    /// Writes a model and says its id.
    pub async fn model(&self, model: &str) -> String {
        let model = serde_json::to_value(Model::read(model).unwrap()).unwrap();
        let written = self.post("authorization-models", model).await.ok();
        text(&written, "authorization_model_id")
    }
    pub async fn write(&self, tuples: &[&str]) {
        let tuples: Vec<Value> = tuples.iter().map(|one| tuple(one)).collect();
        self.post("write", json!({ "writes": { "tuple_keys": tuples } }))
            .await
            .ok();
    }
    pub async fn check(&self, asked: &str) -> bool {
        let answer = self
            .post("check", json!({ "tuple_key": tuple(asked) }))
            .await
            .ok();
        answer["allowed"].as_bool().unwrap()
    }
}

/// `document:1#viewer@user:anne` in its parts.
pub fn tuple(text: &str) -> Value {
    let (object, rest) = text.split_once('#').unwrap();
    let (relation, user) = rest.split_once('@').unwrap();
    json!({ "object": object, "relation": relation, "user": user })
}

async fn shop(world: &World) -> Store {
    let store = Store::made(&world.owner.api, "documents").await;
    store.model(MODEL).await;
    store
        .write(&[
            "group:eng#member@user:anne",
            "group:all#member@group:eng#member",
            "folder:a#viewer@group:all#member",
            "document:1#parent@folder:a",
            "document:2#owner@user:bob",
            "document:1#banned@user:carl",
            "folder:b#viewer@user:*",
            "document:3#parent@folder:b",
        ])
        .await;
    store
}

on_both_engines!(rel_2_what_is_written_is_asked_read_and_read_along, world => {
    let store = shop(&world).await;
    for (asked, expected) in [
        ("document:1#viewer@user:anne", true),
        ("document:1#viewer@user:carl", false),
        ("document:2#viewer@user:bob", true),
        ("document:3#viewer@user:carl", true),
        ("document:1#viewer@group:all#member", true),
        ("document:9#viewer@user:anne", false),
        ("document:1#viewer@user:Anne", false),
    ] {
        assert_eq!(store.check(asked).await, expected, "{asked}");
    }
    // A write is seen by the next question; what is taken away too.
    let both = json!({
        "writes": { "tuple_keys": [tuple("document:1#banned@user:anne")] },
        "deletes": { "tuple_keys": [tuple("document:1#banned@user:carl")] },
    });
    store.post("write", both).await.ok();
    assert!(!store.check("document:1#viewer@user:anne").await);

    let ask = json!({ "user": "user:anne", "relation": "viewer", "type": "document" });
    let listed = store.post("list-objects", ask.clone()).await.ok();
    assert_eq!(listed["objects"], json!(["document:3"]));
    let lines = store.post("streamed-list-objects", ask).await;
    assert_eq!(lines.response.text().trim(), r#"{"result":{"object":"document:3"}}"#);
    let ask = json!({ "object": { "type": "document", "id": "3" }, "relation": "viewer", "user_filters": [{ "type": "user" }] });
    let users = store.post("list-users", ask).await.ok();
    assert_eq!(users["users"], json!([{ "wildcard": { "type": "user" } }]));
    let tree = store.post("expand", json!({ "tuple_key": { "object": "document:1", "relation": "viewer" } })).await.ok();
    let through = &tree["tree"]["root"]["difference"]["base"]["union"]["nodes"][2]["leaf"]["tupleToUserset"];
    assert_eq!(through, &json!({ "tupleset": "document:1#parent", "computed": [{ "userset": "folder:a#viewer" }] }), "{tree}");
    let batch = json!({ "checks": [
        { "tuple_key": tuple("document:2#viewer@user:bob"), "correlation_id": "one" },
        { "tuple_key": tuple("document:2#nothing@user:bob"), "correlation_id": "two" },
        { "tuple_key": tuple("document:2#viewer@user:dora"), "correlation_id": "three",
          "contextual_tuples": { "tuple_keys": [tuple("document:2#viewer@user:dora")] } },
    ] });
    let answers = store.post("batch-check", batch).await.ok();
    assert_eq!(answers["result"]["one"]["allowed"], true);
    assert_eq!(answers["result"]["two"]["error"]["input_error"], "validation_error");
    assert_eq!(answers["result"]["three"]["allowed"], true);

    // Reading goes page by page, and so does reading along.
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = store.post("read", json!({ "page_size": 3, "continuation_token": token })).await.ok();
        found.extend(page["tuples"].as_array().unwrap().clone());
        token = text(&page, "continuation_token");
        if token.is_empty() { break; }
    }
    assert_eq!(found.len(), 8);
    let wanted = json!({ "tuple_key": { "user": "group:eng#member", "object": "group:" } });
    let one = store.post("read", wanted).await.ok();
    assert_eq!(one["tuples"][0]["key"]["object"], "group:all");
    let (mut seen, mut token) = (Vec::new(), String::new());
    for _ in 0..5 {
        let page = store.get(&format!("/changes?page_size=4&type=document&continuation_token={token}")).await.ok();
        token = text(&page, "continuation_token");
        seen.extend(page["changes"].as_array().unwrap().clone());
    }
    let operations: Vec<&str> = seen.iter().map(|one| one["operation"].as_str().unwrap()).collect();
    assert_eq!(operations.iter().filter(|one| **one == "TUPLE_OPERATION_DELETE").count(), 1);
    assert_eq!(seen.len(), 6, "{seen:?}");
    store.write(&["document:7#owner@user:bob"]).await;
    let later = store.get(&format!("/changes?type=document&continuation_token={token}")).await.ok();
    assert_eq!(later["changes"][0]["tuple_key"]["object"], "document:7");
    let none = store.get("/changes?start_time=2999-01-01T00:00:00Z").await.ok();
    assert_eq!(none["changes"], json!([]));
    let all = store.get("/changes?start_time=2000-01-01T00:00:00Z&page_size=100").await.ok();
    assert_eq!(all["changes"].as_array().unwrap().len(), 11);

    // Each write is in the organization's log, with its tuples; and it took nothing from anybody.
    let entries = world.owner.api.get("/audit/events?type=relations.written").await.ok();
    let last = entries["items"].as_array().unwrap().last().unwrap();
    assert_eq!(last["action"]["details"]["after"]["written"], json!(["document:7#owner@user:bob"]));
});

on_both_engines!(rel_2_duplicates_and_absent_tuples_are_refused_or_ignored_as_asked, world => {
    let store = shop(&world).await;
    let write = |body: Value| store.post("write", body);
    let known = json!([tuple("document:2#owner@user:bob")]);
    let absent = json!([tuple("document:2#owner@user:zoe")]);
    let again = write(json!({ "writes": { "tuple_keys": known } })).await;
    assert_eq!(again.refused(400), "write_failed_due_to_invalid_input");
    let gone = write(json!({ "deletes": { "tuple_keys": absent } })).await;
    assert_eq!(gone.refused(400), "write_failed_due_to_invalid_input");
    write(json!({ "writes": { "tuple_keys": known, "on_duplicate": "ignore" } })).await.ok();
    write(json!({ "deletes": { "tuple_keys": absent, "on_missing": "ignore" } })).await.ok();
    let twice = json!([tuple("document:5#owner@user:bob"), tuple("document:5#owner@user:bob")]);
    assert_eq!(write(json!({ "writes": { "tuple_keys": twice } })).await.refused(400), "cannot_allow_duplicate_tuples_in_one_request");
    // Nothing of a refused request is written.
    let half = json!([tuple("document:6#owner@user:bob"), tuple("document:2#owner@user:bob")]);
    assert_eq!(write(json!({ "writes": { "tuple_keys": half } })).await.refused(400), "write_failed_due_to_invalid_input");
    assert!(!store.check("document:6#owner@user:bob").await);
    let many: Vec<Value> = (0..101).map(|n| tuple(&format!("document:x{n}#owner@user:bob"))).collect();
    assert_eq!(write(json!({ "writes": { "tuple_keys": many } })).await.refused(400), "exceeded_entity_limit");
    write(json!({ "writes": { "tuple_keys": many[..100] } })).await.ok();
    assert_eq!(write(json!({})).await.refused(400), "invalid_write_input");
});

on_both_engines!(rel_1_versions_of_models_and_stores_live_on_and_end, world => {
    let store = shop(&world).await;
    let first = text(&store.get("/authorization-models").await.ok()["authorization_models"][0], "id");
    let open = "[user] or owner or banned or viewer from parent";
    let second = store.model(&MODEL.replace("([user] or owner or viewer from parent) but not banned", open)).await;
    assert!(second > first, "the later version is the greater one");
    assert!(store.check("document:1#viewer@user:carl").await, "the latest is meant");
    let by_first = json!({ "tuple_key": tuple("document:1#viewer@user:carl"), "authorization_model_id": first });
    assert_eq!(store.post("check", by_first).await.ok()["allowed"], false);
    let models = store.get("/authorization-models?page_size=1").await.ok();
    assert_eq!(text(&models["authorization_models"][0], "id"), second);
    let token = text(&models, "continuation_token");
    let rest = store.get(&format!("/authorization-models?page_size=1&continuation_token={token}")).await.ok();
    assert_eq!((text(&rest["authorization_models"][0], "id"), text(&rest, "continuation_token")), (first.clone(), String::new()));
    let read = store.get(&format!("/authorization-models/{first}")).await.ok();
    assert_eq!(serde_json::from_value::<Model>({
        let mut model = read["authorization_model"].clone();
        model.as_object_mut().unwrap().remove("id");
        model
    }).unwrap().problems(), Vec::new());

    let expected = json!({ "assertions": [{ "tuple_key": tuple("document:1#viewer@user:anne"), "expectation": true }] });
    let path = format!("{}/assertions/{first}", store.path);
    assert_eq!(world.owner.api.put(&path, expected.clone()).await.status, 204);
    assert_eq!(world.owner.api.get(&path).await.ok()["assertions"], expected["assertions"]);

    let main = Store::made(&world.owner.api, "main").await;
    let again = world.owner.api.post("!/o/acme/fga/stores", json!({ "name": "main" })).await;
    assert_eq!(again.refused(400), "validation_error", "there is one `main`");
    let stores = world.owner.api.get("!/o/acme/fga/stores?page_size=1").await.ok();
    assert_eq!(stores["stores"].as_array().unwrap().len(), 1);
    assert_eq!(world.owner.api.delete(&main.path).await.status, 204);
    assert_eq!(main.get("").await.refused(404), "store_id_not_found");
    Store::made(&world.owner.api, "main").await;
    assert_eq!(world.owner.api.delete(&store.path).await.status, 204);
    assert_eq!(store.post("check", json!({ "tuple_key": tuple("document:1#viewer@user:anne") })).await.refused(404), "store_id_not_found");
});

/// A node that starts anew loads what is there; the same answers come from the fold of the feed and from the load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_loaded_as_it_was_left() {
    let world = World::start(crate::world::Engine::Sqlite).await.unwrap();
    let store = shop(&world).await;
    let view = || world.server.platform().node.view_of("acme");
    let held = |view: &service::View| {
        let store = view.org.relation_stores().next().unwrap().id;
        view.org.relations(store).cloned()
    };
    let before = view().await.unwrap();
    let folded = held(&before).unwrap();
    world.server.platform().node.cells().unload(before.id());
    assert!(
        held(&view().await.unwrap()).is_none(),
        "it is loaded when somebody asks it"
    );
    assert!(store.check("document:1#viewer@user:anne").await);
    assert_eq!(held(&view().await.unwrap()).unwrap(), folded);
}
