//! What relations permit: tuples of the organization's own store, agents beside their owners, connections about what
//! they declare, and nobody whose state says no.

use super::scene::{EVALUATION, Scene, question, text};
use super::search::all;
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
async fn an_agent_is_related_only_as_far_as_its_owner_may() {
    let scene = Scene::new().await;
    let store = Store::new(&scene).await;
    let ada = scene.person("ada", &["member"]).await;
    let (agent, control) = scene.agent(&ada, "bot", &[]).await;
    let asked = question(("agent", &agent), "viewer", ("document", "1"));
    store.write("document:1", &format!("agent:{agent}")).await;
    assert!(!scene.decides(&asked).await);
    assert_eq!(scene.explained(&asked).await, "owner_denied");
    store.write("document:1", &format!("user:{ada}")).await;
    assert!(scene.decides(&asked).await);
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
    store.delete("document:1", &format!("user:{ada}")).await;
    let own = scene.sent(EVALUATION, &bearer, &asked.to_string()).await;
    assert_eq!(own.body["decision"], json!(false));
    store.write("document:1", "user:*").await;
    assert!(scene.decides(&asked).await, "its owner is one of everybody");
    store.delete("document:1", &format!("agent:{agent}")).await;
    assert!(!scene.decides(&asked).await, "it is nobody of that type");
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
