//! Settings, kill switches, signing keys and the log as its readers see it.

use crate::world::World;
use kernel::Code;
use serde_json::{Value, json};
use store::log::{merkle, note};

async fn call(world: &World, name: &str, input: Value) -> Value {
    world.call(&world.token, name, input).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_keep_what_is_not_named_and_say_their_limits() {
    let world = World::new().await;
    let set = json!({ "agents": { "trust_floor": 30, "class_minimums": { "write": 55 } } });
    call(&world, "settings.update", set).await;
    let after = call(
        &world,
        "settings.update",
        json!({ "agents": { "trust_floor": 25 } }),
    )
    .await;
    assert_eq!(
        (
            &after["agents"]["trust_floor"],
            &after["agents"]["class_minimums"]["write"]
        ),
        (&json!(25), &json!(55))
    );
    assert_eq!(call(&world, "settings.read", json!({})).await, after);
    let wrong = world
        .call(
            &world.token,
            "settings.update",
            json!({ "agents": { "trust_floor": 101 } }),
        )
        .await
        .unwrap_err();
    assert_eq!(
        (wrong.code, wrong.errors[0].field.as_str()),
        (Code::InvalidInput, "agents.trust_floor")
    );
    assert!(
        wrong.detail.contains("within 0 and 100"),
        "{}",
        wrong.detail
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_switches_stop_what_they_name_and_nothing_unknown() {
    let world = World::new().await;
    let view = || world.platform.node.view_of("acme");
    let killed = |view: &service::View, target| authz::Facts::killed(view, target);
    let set = |scope: &str, on: bool| json!({ "scope": scope, "on": on, "reason": "drill" });
    assert_eq!(
        call(&world, "kill_switches.set", set("org", true)).await["on"],
        true
    );
    assert!(killed(&view().await.unwrap(), domain::KillTarget::Org));
    call(&world, "kill_switches.set", set("org", false)).await;
    assert!(!killed(&view().await.unwrap(), domain::KillTarget::Org));
    call(
        &world,
        "kill_switches.set_instance",
        json!({ "on": true, "reason": "drill" }),
    )
    .await;
    assert!(killed(&view().await.unwrap(), domain::KillTarget::Instance));
    call(
        &world,
        "kill_switches.set_instance",
        json!({ "on": false, "reason": "over" }),
    )
    .await;
    assert!(!killed(
        &view().await.unwrap(),
        domain::KillTarget::Instance
    ));
    for (scope, expected) in [
        ("agt_00000000000000000000000000", Code::NotFound),
        ("con_00000000000000000000000000", Code::NotFound),
        ("instance", Code::InvalidInput),
        ("everything", Code::InvalidInput),
    ] {
        let refused = world
            .call(&world.token, "kill_switches.set", set(scope, true))
            .await
            .unwrap_err();
        assert_eq!(refused.code, expected, "{scope}");
    }
    let listed = call(&world, "kill_switches.list", json!({})).await;
    assert_eq!(
        (&listed["items"][0]["scope"], &listed["items"][0]["on"]),
        (&json!("org"), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_signing_key_takes_over_and_the_old_one_stays_published() {
    let world = World::new().await;
    let before = call(&world, "keys.list", json!({})).await;
    let rotated = call(&world, "keys.rotate", json!({})).await;
    assert_eq!(rotated["retiring"].as_array().unwrap().len(), 1);
    let view = world.platform.node.view_of("acme").await.unwrap();
    let published: Vec<_> = service::oauth::published(&view)
        .map(|key| key.kid.clone())
        .collect();
    assert!(
        published
            .iter()
            .any(|kid| rotated["key"]["kid"] == kid.as_str())
    );
    let after = call(&world, "keys.list", json!({})).await;
    let count = |list: &Value| list["items"].as_array().unwrap().len();
    assert_eq!(
        (count(&after), published.len()),
        (count(&before) + 1, count(&before))
    );
    assert!(!after.to_string().contains("sealed"));
    let log = |list: &Value| {
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["purpose"] == "log")
            .cloned()
    };
    assert_eq!(log(&before), log(&after), "the log's key is not touched");
}

fn bytes(value: &Value) -> [u8; 32] {
    let text = value.as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).unwrap();
    std::array::from_fn(byte)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_shows_entries_with_personal_values_opened_and_proves_them() {
    let world = World::new().await;
    let person = json!({ "email": "ada@acme.example", "name": "Ada Unique" });
    let id = call(&world, "users.create", person).await["id"].clone();
    call(
        &world,
        "users.suspend",
        json!({ "id": id, "reason": "a private reason" }),
    )
    .await;
    let read = call(
        &world,
        "audit.events",
        json!({ "resource": id, "type": "user.suspended" }),
    )
    .await;
    let entry = &read["items"][0];
    assert_eq!(
        (&entry["actor"]["ip_address"], &entry["actor"]["user_agent"]),
        (&json!("127.0.0.1"), &json!("test"))
    );
    assert_eq!(entry["context"]["claimed"]["reason"], "a private reason");
    let all = call(&world, "audit.events", json!({ "limit": 200 })).await;
    assert!(
        !all.to_string().contains("Ada Unique") && !all.to_string().contains("ada@acme.example")
    );
    let recorded = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["type"] == "audit.read")
        .count();
    assert_eq!(recorded, 1, "reading is itself recorded");
    let first = call(&world, "audit.events", json!({ "limit": 2 })).await;
    assert_eq!(first["next_after"], 2);
    let next = call(&world, "audit.events", json!({ "limit": 1, "after": 2 })).await;
    assert_eq!(
        (
            &next["items"][0]["sequence"],
            &next["items"][0]["prev_hash"]
        ),
        (&json!(3), &first["items"][1]["hash"])
    );

    let signed = call(&world, "audit.checkpoint", json!({})).await["checkpoint"]
        .as_str()
        .unwrap()
        .to_owned();
    let lines: Vec<_> = signed.lines().collect();
    let size: u64 = lines[1].parse().unwrap();
    assert!(note::parse(&signed).is_ok());
    let sequence = entry["sequence"].as_u64().unwrap();
    let proof = call(
        &world,
        "audit.proof_inclusion",
        json!({ "sequence": sequence, "size": size }),
    )
    .await;
    let path: Vec<_> = proof["proof"]
        .as_array()
        .unwrap()
        .iter()
        .map(bytes)
        .collect();
    assert_eq!(proof["hash"], entry["hash"]);
    assert!(merkle::verify_inclusion(
        &bytes(&entry["hash"]),
        sequence - 1,
        size,
        &path,
        &bytes(&proof["root"])
    ));

    let grown = call(&world, "audit.proof_consistency", json!({ "from": size })).await;
    let path: Vec<_> = grown["proof"]
        .as_array()
        .unwrap()
        .iter()
        .map(bytes)
        .collect();
    assert_eq!(grown["from_root"], proof["root"]);
    let to = grown["to"].as_u64().unwrap();
    assert!(merkle::verify_consistency(
        size,
        &bytes(&grown["from_root"]),
        to,
        &bytes(&grown["to_root"]),
        &path
    ));
    for (name, input) in [
        ("audit.proof_inclusion", json!({ "sequence": 0 })),
        (
            "audit.proof_inclusion",
            json!({ "sequence": 1, "size": 1_000_000_000 }),
        ),
        ("audit.proof_consistency", json!({ "from": 3, "to": 2 })),
    ] {
        let refused = world.call(&world.token, name, input).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidInput, "{name}");
    }
}

/// AUD-6: by any column, by time and by the words of clear values; a filter that cannot be is refused by name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_searched_and_what_is_sealed_is_not_found() {
    let world = World::new().await;
    let person = json!({ "email": "ada@acme.example", "name": "Ada Unique" });
    let id = call(&world, "users.create", person).await["id"].clone();
    let suspend = json!({ "id": id, "reason": "a private reason" });
    call(&world, "users.suspend", suspend).await;
    let found = async |input: Value| {
        let found = call(&world, "audit.events", input).await;
        let items = found["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|entry| entry["type"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let text = |text: &str| json!({ "text": text });
    let about = [&id.as_str().unwrap().to_uppercase(), "suspended"]
        .map(str::to_owned)
        .join(", ");
    assert_eq!(found(text(&about)).await, ["user.suspended"]);
    for sealed in ["private", "Unique", "ada", "127"] {
        assert_eq!(found(text(sealed)).await, Vec::<String>::new(), "{sealed}");
    }
    let all = call(&world, "audit.events", json!({ "type": "user.suspended" })).await;
    let at = all["items"][0]["timestamp"].as_str().unwrap();
    assert!(
        !found(json!({ "until": at }))
            .await
            .contains(&"user.suspended".to_owned())
    );
    assert_eq!(found(json!({ "since": at })).await[0], "user.suspended");
    assert_eq!(found(json!({ "since": at, "until": at })).await.len(), 0);

    let refused = [
        ("text", json!({ "text": "..." })),
        ("text", json!({ "text": "a b c d e f g h i" })),
        ("text", json!({ "text": "x".repeat(201) })),
        ("text", json!({ "text": "a\u{0}b" })),
        ("type", json!({ "type": "\u{0}" })),
        ("actor", json!({ "actor": "x".repeat(201) })),
        ("resource", json!({ "resource": "\u{1b}[2J" })),
        ("agent", json!({ "agent": "usr_x" })),
        ("since", json!({ "since": "yesterday" })),
        ("until", json!({ "until": 5 })),
    ];
    for (field, input) in refused {
        let error = world
            .call(&world.token, "audit.events", input.clone())
            .await
            .unwrap_err();
        assert_eq!(
            (error.code, &*error.errors[0].field),
            (Code::InvalidInput, field),
            "{input}"
        );
    }
}
