//! The certification scenario of AuthZEN's Authorization API 1.0, item by item and level by level, through HTTP. Its
//! fixture is a relation model with conditions over what a question claims, and tuples.

use crate::world::{Answer, World, text};
use authz::model::Model;
use serde_json::{Value, json};

const MODEL: &str = "
model
  schema 1.1
type user
type record
  relations
    define reader: [user]
    define writer: [user with active, user with administers]
    define read: reader
    define write: writer
    define delete: [user with softly]
condition active(resource_status: string) {
  resource_status == \"active\"
}
condition administers(subject_role: string) {
  subject_role == \"admin\"
}
condition softly(action_soft: bool) {
  action_soft
}
";

/// The same without conditions, for a server that evaluates none: everything but what needs properties.
const CORE: &str = "
model
  schema 1.1
type user
type record
  relations
    define reader: [user]
    define writer: [user]
    define read: reader
    define write: writer
    define delete: [user]
";

fn alice() -> Value {
    json!({ "type": "user", "id": "alice" })
}
fn bob() -> Value {
    json!({ "type": "user", "id": "bob" })
}
fn admin() -> Value {
    json!({ "type": "user", "id": "bob", "properties": { "role": "admin" } })
}
fn record(n: u8) -> Value {
    json!({ "type": "record", "id": format!("record-{n}") })
}
fn with_status(n: u8, status: &str) -> Value {
    json!({ "type": "record", "id": format!("record-{n}"), "properties": { "status": status } })
}
fn archived() -> Value {
    with_status(2, "archived")
}
fn action(name: &str) -> Value {
    json!({ "name": name })
}
fn delete(soft: bool) -> Value {
    json!({ "name": "delete", "properties": { "soft": soft } })
}
fn asked(subject: Value, action: Value, resource: Value) -> Value {
    json!({ "subject": subject, "action": action, "resource": resource })
}
fn context() -> Value {
    json!({ "time": "2025-06-27T18:03-07:00", "ip": "192.168.1.1" })
}
fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

/// The decision point with the fixture in it.
struct Point<'w> {
    world: &'w World,
    /// Whether it takes conditions.
    properties: bool,
}

fn tuple(user: &str, relation: &str, object: &str) -> Value {
    json!({ "user": user, "relation": relation, "object": object })
}

fn given(tuple: Value, name: &str, context: Value) -> Value {
    let condition = json!({ "name": name, "context": context });
    with(tuple, "condition", condition)
}

/// The fixture; the properties that its subjects and resources have are what tuples carry.
fn tuples(properties: bool) -> Vec<Value> {
    let mut tuples = vec![
        tuple("user:alice", "reader", "record:record-1"),
        tuple("user:alice", "reader", "record:record-2"),
        tuple("user:bob", "reader", "record:record-1"),
    ];
    let writing = tuple("user:alice", "writer", "record:record-1");
    if !properties {
        tuples.push(writing);
        return tuples;
    }
    let status = json!({ "resource_status": "active" });
    let role = json!({ "subject_role": "admin" });
    tuples.extend([
        given(writing, "active", status),
        given(
            tuple("user:alice", "writer", "record:record-2"),
            "active",
            json!({}),
        ),
        given(
            tuple("user:bob", "writer", "record:record-2"),
            "administers",
            role,
        ),
        given(
            tuple("user:alice", "delete", "record:record-1"),
            "softly",
            json!({}),
        ),
    ]);
    tuples
}

impl<'w> Point<'w> {
    async fn new(world: &'w World) -> Self {
        let api = &world.owner.api;
        let made = api
            .post("!/o/acme/fga/stores", json!({ "name": "main" }))
            .await
            .ok();
        let store = text(&made, "id");
        let at = |rest: &str| format!("!/o/acme/fga/stores/{store}/{rest}");
        let model = |text: &str| serde_json::to_value(Model::read(text).unwrap()).unwrap();
        let whole = api.post(&at("authorization-models"), model(MODEL)).await;
        let properties = whole.response.is_success();
        if !properties {
            assert!(
                whole.response.text().contains("cannot be evaluated"),
                "{}",
                whole.body
            );
            api.post(&at("authorization-models"), model(CORE))
                .await
                .ok();
        }
        let write = json!({ "writes": { "tuple_keys": tuples(properties) } });
        api.post(&at("write"), write).await.ok();
        Self { world, properties }
    }

    async fn send(&self, endpoint: &str, body: &Value) -> Answer {
        let path = format!("!/o/acme/access/v1/{endpoint}");
        self.world.owner.api.post(&path, body).await
    }

    /// The decision about a question.
    async fn decides(&self, body: &Value) -> bool {
        let answer = self.send("evaluation", body).await.ok();
        assert!(answer["context"].is_object());
        answer["decision"].as_bool().unwrap()
    }

    async fn decisions(&self, body: &Value) -> Vec<bool> {
        let answer = self.send("evaluations", body).await.ok();
        let all = answer["evaluations"].as_array().unwrap();
        assert_eq!(answer.get("decision"), None);
        all.iter()
            .map(|one| one["decision"].as_bool().unwrap())
            .collect()
    }

    /// The ids or names that a search finds, each of the type asked for.
    async fn finds(&self, endpoint: &str, body: &Value) -> Vec<String> {
        let answer = self.send(&format!("search/{endpoint}"), body).await.ok();
        assert!(answer["page"]["next_token"].is_string());
        let results = answer["results"].as_array().unwrap();
        let of = &body[endpoint]["type"];
        let name = |one: &Value| match endpoint {
            "action" => text(one, "name"),
            _ => {
                assert_eq!(&one["type"], of);
                text(one, "id")
            }
        };
        results.iter().map(name).collect()
    }
}

#[track_caller]
fn holds(found: &[String], wanted: &[&str]) {
    for name in wanted {
        assert!(found.iter().any(|one| one == name), "{name} in {found:?}");
    }
    assert!(found.is_sorted(), "{found:?}");
}

on_both_engines!(basic_core_and_properties, world => {
    let point = Point::new(&world).await;
    let plain = asked(alice(), action("read"), record(1));
    let rules = [
        (plain.clone(), true),
        (asked(alice(), action("write"), record(1)), true),
        (asked(bob(), action("read"), record(1)), true),
        (asked(bob(), action("write"), record(1)), false),
        (asked(alice(), action("write"), archived()), false),
        (asked(admin(), action("write"), archived()), point.properties),
        (asked(alice(), delete(true), record(1)), point.properties),
        (asked(alice(), delete(false), record(1)), false),
        (with(plain.clone(), "context", context()), true),
        (with(with(plain.clone(), "foo", json!("bar")), "futureField", json!({ "nested": true })), true),
        (asked(
            json!({ "type": "user", "id": "alice", "properties": { "department": "Sales", "role": "manager" } }),
            json!({ "name": "read", "properties": { "method": "GET" } }),
            json!({ "type": "record", "id": "record-1", "properties": { "status": "active", "owner": "bob" } }),
        ), true),
    ];
    for (question, wanted) in &rules {
        for context in [Value::Null, context()] {
            let question = with(question.clone(), "context", context);
            assert_eq!(point.decides(&question).await, *wanted, "{question}");
        }
    }
    for _ in 0..5 {
        assert!(point.decides(&plain).await, "the same each time");
    }
    for (pointer, value) in [
        ("/subject", None), ("/action", None), ("/resource", None),
        ("/subject/type", None), ("/subject/id", None), ("/action/name", None),
        ("/resource/type", None), ("/resource/id", None),
        ("/subject", Some(json!("alice"))), ("/action/name", Some(json!(123))),
    ] {
        let mut question = plain.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = question.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => parent.insert(name.into(), value),
            None => parent.remove(name),
        };
        let answer = point.send("evaluation", &question).await;
        assert_eq!(answer.refused(400), "invalid_input", "{pointer}");
    }
});

on_both_engines!(batch_core_and_properties, world => {
    let point = Point::new(&world).await;
    let both = json!([{ "resource": record(1) }, { "resource": record(2) }]);
    let mut defaults = json!({ "subject": alice(), "action": action("read"), "evaluations": both });
    assert_eq!(point.decisions(&defaults).await.len(), 2);
    defaults["context"] = context();
    defaults["evaluations"][1]["context"] = json!({ "source": "batch-override" });
    assert_eq!(point.decisions(&defaults).await.len(), 2);
    let cases = [
        (json!({ "subject": bob(), "resource": record(1),
            "evaluations": [{ "action": action("read") }, { "action": action("write") }] }), vec![true, false]),
        (json!({ "subject": alice(), "action": action("write"),
            "evaluations": [{ "resource": with_status(1, "active") }, { "resource": archived() }] }), vec![true, false]),
        (json!({ "action": action("write"), "resource": archived(),
            "evaluations": [{ "subject": alice() }, { "subject": admin() }] }), vec![false, point.properties]),
        (json!({ "evaluations": [asked(alice(), action("read"), record(1)), asked(bob(), action("write"), record(1))] }),
            vec![true, false]),
        (json!({ "subject": alice(), "action": action("write"), "resource": with_status(1, "active"),
            "evaluations": [{}, { "resource": archived() }] }), vec![true, false]),
        (json!({ "subject": alice(), "action": action("read"), "options": { "evaluations_semantic": "execute_all" },
            "evaluations": [{ "resource": record(1) }, {}] }), vec![true, false]),
        (json!({ "subject": alice(), "action": action("read"), "options": { "evaluations_semantic": "deny_on_first_deny" },
            "evaluations": [{ "resource": record(1) }, {}, { "resource": record(1) }] }), vec![true, false]),
        (json!({ "subject": bob(), "resource": record(1), "options": { "evaluations_semantic": "permit_on_first_permit" },
            "evaluations": [{ "action": action("write") }, { "action": action("read") }, { "action": action("read") }] }),
            vec![false, true]),
    ];
    for (body, wanted) in cases {
        assert_eq!(point.decisions(&body).await, wanted, "{body}");
    }
    let single = asked(alice(), action("read"), record(1));
    for body in [single.clone(), with(single, "evaluations", json!([]))] {
        let answer = point.send("evaluations", &body).await.ok();
        assert_eq!((&answer["decision"], answer.get("evaluations")), (&json!(true), None));
    }
});

on_both_engines!(search_core_and_properties, world => {
    let point = Point::new(&world).await;
    let users = json!({ "type": "user" });
    let records = json!({ "type": "record" });
    let readers = asked(users.clone(), action("read"), record(1));
    holds(&point.finds("subject", &readers).await, &["alice", "bob"]);
    for same in [
        with(readers.clone(), "context", context()),
        with(readers.clone(), "subject", alice()),
    ] {
        assert_eq!(point.finds("subject", &same).await, point.finds("subject", &readers).await);
    }
    let bob = if point.properties { &["bob"][..] } else { &[] };
    let writers = asked(users.clone(), action("write"), archived());
    assert_eq!(point.finds("subject", &writers).await, bob);
    let readable = asked(alice(), action("read"), records.clone());
    holds(&point.finds("resource", &readable).await, &["record-1"]);
    for same in [
        with(readable.clone(), "context", context()),
        with(readable.clone(), "resource", record(1)),
    ] {
        assert_eq!(point.finds("resource", &same).await, point.finds("resource", &readable).await);
    }
    let writable = asked(admin(), action("write"), records.clone());
    let second = if point.properties { &["record-2"][..] } else { &[] };
    holds(&point.finds("resource", &writable).await, second);
    let actions = json!({ "subject": alice(), "resource": record(1) });
    holds(&point.finds("action", &actions).await, &["read", "write"]);
    let same = with(actions.clone(), "context", context());
    assert_eq!(point.finds("action", &same).await, point.finds("action", &actions).await);
    let as_admin = json!({ "subject": admin(), "resource": archived() });
    let write = if point.properties { &["write"][..] } else { &[] };
    holds(&point.finds("action", &as_admin).await, write);

    // Pages.
    let first = point.send("search/subject", &with(readers.clone(), "page", json!({ "limit": 1 }))).await.ok();
    assert_eq!(first["results"].as_array().unwrap().len(), 1);
    let token = text(&first["page"], "next_token");
    assert!(!token.is_empty());
    let rest = point.send("search/subject", &with(readers.clone(), "page", json!({ "token": token }))).await.ok();
    assert_eq!(rest["page"]["next_token"], "");

    // Nothing found is no error.
    let spaceship = json!({ "type": "spaceship" });
    let stranger = json!({ "type": "user", "id": "nonexistent-user" });
    for (endpoint, body) in [
        ("action", json!({ "subject": stranger, "resource": record(1) })),
        ("action", json!({ "subject": alice(), "resource": { "type": "spaceship", "id": "1" } })),
        ("subject", asked(spaceship.clone(), action("read"), record(1))),
        ("subject", asked(users.clone(), action("read"), record(9))),
        ("subject", asked(users.clone(), action("fly"), record(1))),
        ("resource", asked(alice(), action("read"), spaceship)),
        ("resource", asked(stranger, action("read"), records.clone())),
    ] {
        let found = point.finds(endpoint, &body).await;
        // The organization's owner holds no scope here, since no connection declares one.
        assert!(found.is_empty(), "{endpoint} {body}: {found:?}");
    }
    for (endpoint, body) in [
        ("subject", json!({ "subject": users, "resource": record(1) })),
        ("resource", json!({ "action": action("read"), "resource": records })),
        ("action", json!({ "subject": alice() })),
        ("subject", asked(users.clone(), action("read"), records.clone())),
        ("resource", asked(users.clone(), action("read"), records.clone())),
        ("action", json!({ "subject": users, "resource": record(1) })),
    ] {
        let answer = point.send(&format!("search/{endpoint}"), &body).await;
        assert_eq!(answer.refused(400), "invalid_input", "{endpoint} {body}");
    }
});

on_both_engines!(discovery, world => {
    let issuer = format!("{}/o/acme", world.url);
    let answer = world.get("/.well-known/authzen-configuration/o/acme").await;
    assert_eq!(answer.response.header("content-type"), Some("application/json"));
    let metadata = answer.ok();
    assert_eq!(metadata["policy_decision_point"], issuer);
    for name in ["access_evaluation", "access_evaluations", "search_subject", "search_resource", "search_action"] {
        let endpoint = text(&metadata, &format!("{name}_endpoint"));
        let path = endpoint.strip_prefix(&world.url).unwrap().to_owned();
        let answer = world.owner.api.post(&format!("!{path}"), json!({})).await;
        assert_eq!(answer.status, 400, "{path} is there");
    }
});
