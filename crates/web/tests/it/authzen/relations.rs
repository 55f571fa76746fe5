//! What relations permit: tuples of the organization's own store, agents beside their owners, connections about what
//! they declare, and nobody whose state says no.

use super::scene::{EVALUATION, EVALUATIONS, Scene, question, text};
use super::search::all;
use crate::world::bare;
use axum::body::Body;
use serde_json::{Value, json};

const SUBJECTS: &str = "/o/acme/access/v1/search/subject";
const RESOURCES: &str = "/o/acme/access/v1/search/resource";

/// The organization's own store, with `viewer: [user, user:*, agent]` and `reader: viewer` of documents.
struct Store<'s> {
    scene: &'s Scene,
    path: String,
}

impl<'s> Store<'s> {
    async fn new(scene: &'s Scene) -> Self {
        let made = scene
            .world
            .json("POST", "/o/acme/fga/stores", r#"{"name":"main"}"#)
            .await;
        let path = format!("/o/acme/fga/stores/{}", text(&made.body, "id"));
        let store = Self { scene, path };
        let viewers =
            json!([{ "type": "user" }, { "type": "user", "wildcard": {} }, { "type": "agent" }]);
        let document = json!({
            "type": "document",
            "relations": { "viewer": { "this": {} }, "reader": { "computedUserset": { "relation": "viewer" } } },
            "metadata": { "relations": { "viewer": { "directly_related_user_types": viewers } } },
        });
        let types = json!([{ "type": "user" }, { "type": "agent" }, document]);
        let model = json!({ "schema_version": "1.1", "type_definitions": types });
        store.sent("authorization-models", model).await;
        store
    }

    async fn sent(&self, to: &str, body: Value) {
        let path = format!("{}/{to}", self.path);
        let answer = self
            .scene
            .world
            .json("POST", &path, &body.to_string())
            .await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    }

    fn tuple(object: &str, user: &str) -> Value {
        let key = json!({ "object": object, "relation": "viewer", "user": user });
        json!({ "tuple_keys": [key] })
    }

    async fn write(&self, object: &str, user: &str) {
        let tuple = Self::tuple(object, user);
        self.sent("write", json!({ "writes": tuple })).await;
    }

    async fn delete(&self, object: &str, user: &str) {
        let tuple = Self::tuple(object, user);
        self.sent("write", json!({ "deletes": tuple })).await;
    }
}

#[tokio::test]
async fn a_tuple_permits_from_its_write_to_its_deletion() {
    let scene = Scene::new().await;
    let asked = question(("user", "anne"), "reader", ("document", "1"));
    assert!(!scene.decides(&asked).await, "there is no store");
    let store = Store::new(&scene).await;
    assert!(!scene.decides(&asked).await);
    store.write("document:1", "user:anne").await;
    let answer = scene.ask(EVALUATION, &asked).await;
    assert_eq!(answer.body["decision"], json!(true));
    assert_eq!(answer.body["context"]["reasons"], json!(["relation"]));
    let proof = scene.explain(&asked).await;
    assert_eq!(
        proof.body["context"]["proof"]["tuples"],
        json!(["document:1#viewer@user:anne"])
    );
    for other in [
        question(("user", "Anne"), "reader", ("document", "1")),
        question(("user", "anne"), "reader", ("document", "2")),
        question(("user", "anne"), "owner", ("document", "1")),
        question(("user", "anne"), "reader", ("folder", "1")),
        question(("user", "*"), "reader", ("document", "1")),
        question(("user", "anne#x"), "reader", ("document", "1")),
        question(("robot", "anne"), "reader", ("document", "1")),
    ] {
        assert!(!scene.decides(&other).await, "{other}");
    }
    store.delete("document:1", "user:anne").await;
    assert!(!scene.decides(&asked).await);
}

#[tokio::test]
async fn a_person_in_a_tuple_is_asked_for_their_state_first() {
    let scene = Scene::new().await;
    let store = Store::new(&scene).await;
    let ada = scene.person("ada", &[]).await;
    store.write("document:1", &format!("user:{ada}")).await;
    store.write("document:2", "user:ada@acme.example").await;
    let by_id = question(("user", &ada), "viewer", ("document", "1"));
    let by_address = question(("user", "ada@acme.example"), "viewer", ("document", "2"));
    assert!(scene.decides(&by_id).await && scene.decides(&by_address).await);
    let crossed = question(("user", "ada@acme.example"), "viewer", ("document", "1"));
    assert!(!scene.decides(&crossed).await, "tuples name as they name");
    scene
        .done("POST", &format!("/users/{ada}/suspend"), json!({}))
        .await;
    assert!(!scene.decides(&by_id).await && !scene.decides(&by_address).await);
    store.write("document:1", "user:*").await;
    assert!(!scene.decides(&by_id).await, "not even as one of everybody");
    let anybody = question(("user", "someone"), "viewer", ("document", "1"));
    assert!(scene.decides(&anybody).await);
}

#[tokio::test]
async fn an_agent_is_related_only_within_its_ceiling_and_as_far_as_its_owner_may() {
    let scene = Scene::new().await;
    let store = Store::new(&scene).await;
    let documents = json!({ "name": "documents", "audience": "https://documents.example", "min_trust": 20,
        "scopes": ["document:viewer"] });
    let documents = scene.done("POST", "/connections", documents).await;
    let documents = text(&documents, "id");
    scene.role("sees", &["document:viewer"]).await;
    let ada = scene.person("ada", &["member"]).await;
    let given = scene.assign(&ada, "sees").await;
    let (bare, _) = scene.agent(&ada, "bare", &[]).await;
    let (agent, control) = scene.agent(&ada, "bot", &["document:viewer"]).await;
    // The owner holds it by a tuple alone from here on.
    let path = format!("/api/v1/orgs/acme/role-assignments/{given}");
    let taken = scene.world.json("DELETE", &path, "").await;
    assert!(taken.status.is_success(), "{}", taken.text);

    let asked = question(("agent", &agent), "viewer", ("document", "1"));
    store.write("document:1", &format!("agent:{agent}")).await;
    store.write("document:1", &format!("agent:{bare}")).await;
    assert!(!scene.decides(&asked).await);
    assert_eq!(scene.explained(&asked).await, "owner_denied");
    store.write("document:1", &format!("user:{ada}")).await;
    assert!(scene.decides(&asked).await);
    let other = question(("agent", &bare), "viewer", ("document", "1"));
    assert_eq!(scene.explained(&other).await, "no_permit", "no ceiling");
    let undeclared = question(("agent", &agent), "reader", ("document", "1"));
    assert_eq!(scene.explained(&undeclared).await, "no_permit");
    let owners = question(("user", &ada), "reader", ("document", "1"));
    assert!(scene.decides(&owners).await, "people have no ceiling");

    let bearer = format!("Bearer {control}");
    let own = scene.sent(EVALUATION, &bearer, &asked.to_string()).await;
    assert_eq!(own.body["decision"], json!(true));
    let proof = scene.explain(&asked).await.body["context"]["proof"].clone();
    assert_eq!(
        proof["tuples"],
        json!([format!("document:1#viewer@agent:{agent}")])
    );
    assert_eq!(
        proof["owner"]["tuples"],
        json!([format!("document:1#viewer@user:{ada}")])
    );

    let connection = format!("/connections/{documents}");
    let trust = async |min: u8| {
        let body = json!({ "min_trust": min });
        scene.done("PATCH", &connection, body).await;
    };
    trust(60).await;
    assert_eq!(scene.explained(&asked).await, "trust_too_low");
    trust(20).await;
    assert!(scene.decides(&asked).await);
    store.delete("document:1", &format!("user:{ada}")).await;
    let own = scene.sent(EVALUATION, &bearer, &asked.to_string()).await;
    assert_eq!(own.body["decision"], json!(false));
    store.write("document:1", "user:*").await;
    assert!(scene.decides(&asked).await, "its owner is one of everybody");
    store.delete("document:1", &format!("agent:{agent}")).await;
    assert!(!scene.decides(&asked).await, "it is nobody of that type");
    store.write("document:1", &format!("agent:{agent}")).await;
    assert!(scene.decides(&asked).await);
    let stop = json!({ "on": true, "reason": "a test" });
    let path = format!("/kill-switches/{documents}");
    scene.done("PUT", &path, stop).await;
    assert_eq!(scene.explained(&asked).await, "kill_switch");
}

#[tokio::test]
async fn who_writes_what_gives_a_scope_holds_it() {
    let scene = Scene::new().await;
    let ada = scene.person("ada", &["administrator"]).await;
    scene.role("reader", &["orders:read"]).await;
    let bea = scene.person("bea", &["administrator", "reader"]).await;
    let ada = format!("Bearer {}", scene.token_of(&ada, &[]).await);
    let bea = format!("Bearer {}", scene.token_of(&bea, &["orders:read"]).await);
    let made = scene
        .world
        .json("POST", "/o/acme/fga/stores", r#"{"name":"main"}"#)
        .await;
    let main = format!("/o/acme/fga/stores/{}", text(&made.body, "id"));
    let made = scene
        .world
        .json("POST", "/o/acme/fga/stores", r#"{"name":"other"}"#)
        .await;
    let other = format!("/o/acme/fga/stores/{}", text(&made.body, "id"));
    let model = |types: &[&str]| {
        let related = json!({ "this": {} });
        let users = json!({ "directly_related_user_types": [{ "type": "user" }] });
        let mut all = vec![json!({ "type": "user" })];
        for name in types {
            let (of, relation) = name.split_once('#').unwrap();
            all.push(json!({ "type": of, "relations": { relation: related },
                "metadata": { "relations": { relation: users } } }));
        }
        json!({ "schema_version": "1.1", "type_definitions": all }).to_string()
    };
    let tuple = |object: &str, relation: &str| {
        let key = json!({ "object": object, "relation": relation, "user": "user:eve" });
        json!({ "writes": { "tuple_keys": [key] } }).to_string()
    };
    let models = |store: &str| format!("{store}/authorization-models");
    let write = |store: &str| format!("{store}/write");
    let plain = model(&["folder#read"]);
    let orders = model(&["folder#read", "orders#read"]);
    let turned = model(&["folder#read", "read#orders"]);

    let done = async |who: &str, path: &str, body: &str| {
        let answer = scene.sent(path, who, body).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
    };
    let refused = async |who: &str, path: &str, body: &str| {
        let answer = scene.sent(path, who, body).await;
        assert_eq!(answer.status, 403, "{path}: {}", answer.text);
        assert_eq!(answer.body["code"], json!("forbidden"), "{}", answer.text);
        assert!(answer.text.contains("`orders:read`"), "{}", answer.text);
    };
    done(&ada, &models(&main), &plain).await;
    done(&ada, &write(&main), &tuple("folder:1", "read")).await;
    refused(&ada, &models(&main), &orders).await;
    refused(&ada, &models(&main), &turned).await;
    done(&bea, &models(&main), &orders).await;
    refused(&ada, &write(&main), &tuple("orders:1", "read")).await;
    refused(&ada, &write(&main), &tuple("folder:2", "read")).await;
    refused(&ada, &models(&main), &plain).await;
    let gone = json!({ "deletes": { "tuple_keys": [{ "object": "folder:1", "relation": "read", "user": "user:eve" }] } });
    refused(&ada, &write(&main), &gone.to_string()).await;
    let asked = question(("user", "eve"), "read", ("orders", "1"));
    assert!(!scene.decides(&asked).await);
    done(&bea, &write(&main), &tuple("orders:1", "read")).await;
    assert!(scene.decides(&asked).await);
    let owner = format!("Bearer {}", scene.world.token);
    done(&owner, &write(&main), &tuple("orders:2", "read")).await;
    // Other stores give nothing.
    done(&ada, &models(&other), &orders).await;
    done(&ada, &write(&other), &tuple("orders:1", "read")).await;

    for (who, store, wanted) in [(&ada, &main, 403), (&ada, &other, 204), (&bea, &main, 204)] {
        let request = bare("DELETE", store).header("authorization", who);
        let answer = scene.world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, wanted, "{}", answer.text);
    }
    let log = scene
        .done(
            "GET",
            "/audit/events?type=access.denied&limit=50",
            json!({}),
        )
        .await;
    let log = log.to_string();
    for name in [
        "relations.write",
        "relations.write_model",
        "relations.delete_store",
    ] {
        assert!(log.contains(name), "{name} in {log}");
    }
}

#[tokio::test]
async fn a_connection_asks_about_relations_that_it_declares() {
    let scene = Scene::new().await;
    let store = Store::new(&scene).await;
    store.write("document:1", "user:anne").await;
    let asked = question(("user", "anne"), "viewer", ("document", "1")).to_string();
    let told = scene.sent(EVALUATION, &scene.basic(), &asked).await;
    assert_eq!(told.body["decision"], json!(false));
    let path = format!("/connections/{}", scene.orders.0);
    scene
        .done(
            "PATCH",
            &path,
            json!({ "scopes": ["orders:read", "document:viewer"] }),
        )
        .await;
    let told = scene.sent(EVALUATION, &scene.basic(), &asked).await;
    assert_eq!(told.body["decision"], json!(true));
    let asked = question(("user", "anne"), "reader", ("document", "1")).to_string();
    let told = scene.sent(EVALUATION, &scene.basic(), &asked).await;
    assert_eq!(told.body["decision"], json!(false));
}

#[tokio::test]
async fn a_batch_looks_for_so_many_addresses_and_no_more() {
    let scene = Scene::new().await;
    let store = Store::new(&scene).await;
    store.write("document:1", "user:*").await;
    let asked = |n: usize| {
        question(
            ("user", &format!("nobody{n}@acme.example")),
            "viewer",
            ("document", "1"),
        )
    };
    // Each twice: it is the address that counts.
    let all: Vec<Value> = (0..60).flat_map(|n| [asked(n), asked(n)]).collect();
    let body = json!({ "evaluations": all });
    let permitted = async || {
        let answer = scene.ask(EVALUATIONS, &body).await;
        let all = answer.body["evaluations"].as_array().unwrap().clone();
        let permitted = all.iter().take_while(|one| one["decision"] == json!(true));
        let permitted = permitted.count();
        let denied = all.iter().skip(permitted);
        assert!(denied.clone().all(|one| one["decision"] == json!(false)));
        permitted
    };
    assert_eq!(permitted().await, 100, "fifty addresses");
    assert_eq!(permitted().await, 120, "these are known by now");
    assert!(scene.decides(&asked(99)).await);
}

#[tokio::test]
async fn what_is_missing_is_named_to_api_tokens_alone() {
    let scene = Scene::new().await;
    let made = scene
        .world
        .json("POST", "/o/acme/fga/stores", r#"{"name":"main"}"#)
        .await;
    let path = format!("/o/acme/fga/stores/{}", text(&made.body, "id"));
    let store = Store {
        scene: &scene,
        path,
    };
    let given = json!([{ "type": "user", "condition": "open" }]);
    let orders = json!({ "type": "orders", "relations": { "read": { "this": {} } },
        "metadata": { "relations": { "read": { "directly_related_user_types": given } } } });
    let open = json!({ "name": "open", "expression": "secret_state == \"open\"",
        "parameters": { "secret_state": { "type_name": "TYPE_NAME_STRING" } } });
    let model = json!({ "schema_version": "1.1", "type_definitions": [{ "type": "user" }, orders], "conditions": { "open": open } });
    store.sent("authorization-models", model).await;
    let tuple = json!({ "object": "orders:1", "relation": "read", "user": "user:anne", "condition": { "name": "open" } });
    store
        .sent("write", json!({ "writes": { "tuple_keys": [tuple] } }))
        .await;
    let mut asked = question(("user", "anne"), "read", ("orders", "1"));
    let told = scene.ask(EVALUATION, &asked).await;
    assert_eq!(told.body["context"]["missing"], json!(["secret_state"]));
    let told = scene
        .sent(EVALUATION, &scene.basic(), &asked.to_string())
        .await;
    assert_eq!(told.body["context"]["reasons"], json!(["no_permit"]));
    assert!(!told.text.contains("secret_state"), "{}", told.text);
    asked["context"] = json!({ "secret_state": "open" });
    let told = scene
        .sent(EVALUATION, &scene.basic(), &asked.to_string())
        .await;
    assert_eq!(told.body["decision"], json!(true));
}

#[tokio::test]
async fn searches_find_whom_and_what_tuples_name() {
    let scene = Scene::new().await;
    let store = Store::new(&scene).await;
    for user in ["user:anne", "user:bob", "user:carl"] {
        store.write("document:1", user).await;
    }
    for n in 2..7 {
        store.write(&format!("document:{n}"), "user:anne").await;
    }
    let subjects = json!({ "subject": { "type": "user" }, "action": { "name": "viewer" },
        "resource": { "type": "document", "id": "1" } });
    let resources = json!({ "subject": { "type": "user", "id": "anne" }, "action": { "name": "reader" },
        "resource": { "type": "document" } });
    for limit in [1, 2, 200] {
        assert_eq!(
            all(&scene, SUBJECTS, &subjects, limit).await,
            ["anne", "bob", "carl"]
        );
        let found = all(&scene, RESOURCES, &resources, limit).await;
        assert_eq!(found, ["1", "2", "3", "4", "5", "6"]);
    }
    // Everybody: whom tuples name of that type, and every member.
    let owner = scene.done("GET", "/users?limit=1", json!({})).await;
    let owner = text(&owner["items"][0], "id");
    store.delete("document:1", "user:anne").await;
    store.write("document:1", "user:*").await;
    let wanted = ["anne", "bob", "carl", owner.as_str()];
    for limit in [1, 3, 200] {
        assert_eq!(all(&scene, SUBJECTS, &subjects, limit).await, wanted);
    }
    // A role reaches every resource: those that tuples name are listed, and the answer says so.
    let path = format!("/connections/{}", scene.orders.0);
    scene
        .done("PATCH", &path, json!({ "scopes": ["document:reader"] }))
        .await;
    let mut of_owner = resources;
    of_owner["subject"]["id"] = json!(owner);
    let answer = scene.ask(RESOURCES, &of_owner).await;
    assert_eq!(answer.body["context"]["every"], json!(true));
    assert_eq!(
        all(&scene, RESOURCES, &of_owner, 2).await,
        ["1", "2", "3", "4", "5", "6"]
    );
}
