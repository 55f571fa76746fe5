//! Every decision is in the log: the counts agree, whoever was named by an address is told by their id, and nothing
//! that waited is lost when a server ends in order.

use crate::world::{World, text};
use serde_json::{Value, json};

async fn made(world: &World) -> Vec<Value> {
    let path = "/audit/events?type=decisions.made&limit=200";
    let told = world.owner.api.get(path).await.ok();
    told["items"].as_array().unwrap().clone()
}

fn after(entry: &Value) -> &Value {
    &entry["action"]["details"]["after"]
}

on_both_engines!(every_decision_is_entered_once, world => {
    world.orders("https://orders.example", 20).await;
    let resource = json!({ "type": "orders", "id": "17" });
    let ask = |subject: &str| json!({ "subject": { "type": "user", "id": subject }, "action": { "name": "read" }, "resource": resource });
    let one = "!/o/acme/access/v1/evaluation";
    world.owner.api.post(one, ask("owner@acme.example")).await.ok();
    world.owner.api.post(one, ask("stranger@elsewhere.example")).await.ok();
    world.owner.api.post(one, ask("nobody")).await.ok();
    let batch = json!({ "evaluations": vec![ask("nobody"); 499] });
    world.owner.api.post("!/o/acme/access/v1/evaluations", batch).await.ok();
    service::decisions::write_decisions(world.server.platform()).await;
    let entries = made(&world).await;
    let all: Vec<&Value> = entries.iter().flat_map(|entry| after(entry)["decisions"].as_array().unwrap()).collect();
    let counted: u64 = entries.iter().map(|entry| after(entry)["count"].as_u64().unwrap()).sum();
    assert_eq!((all.len(), counted), (502, 502));
    assert!(entries.iter().all(|entry| after(entry)["dropped"] == 0 && after(entry)["count"].as_u64() <= Some(200)));
    assert!(entries.iter().all(|entry| entry["actor"]["user_id"] == json!(world.owner.id)));
    let told = |one: &Value| (one["subject"]["id"].clone(), one["decision"].clone(), text(one, "reason"));
    assert_eq!(told(all[0]), (json!(world.owner.id), json!(true), "role".into()));
    assert_eq!((&all[1]["decision"], all[1]["subject"]["id"]["c"].is_string()), (&json!(false), true));
    assert_eq!(told(all[2]), (json!("nobody"), json!(false), "no_permit".into()));
    assert!(!json!(entries).to_string().contains("elsewhere.example"), "an address is sealed");
    let metrics = world.get("/metrics").await.response.text();
    let lost = metrics.lines().find(|line| line.starts_with("cardea_decisions_unrecorded_total "));
    assert_eq!(lost, Some("cardea_decisions_unrecorded_total 0"));
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_are_bounded_and_tell_no_address_and_no_credential() {
    let world = World::start(crate::world::Engine::Sqlite).await.unwrap();
    let ask = |action: &str, of: &str, id: &str| json!({ "subject": { "type": "user", "id": "nobody" }, "action": { "name": action }, "resource": { "type": of, "id": id } });
    let secret = "cda_abcdefgh_5EPZvmVSsSyY4kPL-QE4MOpDcVUcBurD8bnQPeVC_wE_2D1AYA";
    let long = "x".repeat(1_000);
    let mut asked = vec![ask(&long, &long, &long); 300];
    asked.push(ask("read", "mailbox", "mallory@elsewhere.example"));
    asked.push(ask("mallory@elsewhere.example", "mailbox", "1"));
    asked.push(ask(secret, "mailbox", &format!("key {secret}")));
    let all = asked.len();
    let batch = json!({ "evaluations": asked });
    let path = "!/o/acme/access/v1/evaluations";
    // Sent in pieces, since a body is bounded too.
    for some in batch["evaluations"].as_array().unwrap().chunks(60) {
        let body = json!({ "evaluations": some });
        world.owner.api.post(path, body).await.ok();
    }
    service::decisions::write_decisions(world.server.platform()).await;
    let entries = made(&world).await;
    let decisions = |entry: &Value| after(entry)["decisions"].clone();
    let told: usize = entries
        .iter()
        .map(|entry| decisions(entry).as_array().unwrap().len())
        .sum();
    assert_eq!(told, all);
    for entry in &entries {
        let size = decisions(entry).to_string().len();
        assert!(size < 65 * 1_024, "{size}");
    }
    let whole = json!(entries).to_string();
    assert!(!whole.contains("elsewhere.example") && !whole.contains("5EPZvmVS"));
    assert!(whole.contains("key cda_…") && !whole.contains(&"x".repeat(257)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_written_before_a_server_ends() {
    let world = World::start(crate::world::Engine::Sqlite).await.unwrap();
    let entity = json!({ "type": "user", "id": "nobody" });
    let ask = json!({ "subject": entity, "action": { "name": "read" }, "resource": entity });
    for _ in 0..20 {
        let path = "!/o/acme/access/v1/evaluation";
        world.owner.api.post(path, &ask).await.ok();
    }
    let folder = world.folder.clone();
    world.server.shutdown().await;
    let server = crate::world::start_server(folder.path(), None).await;
    let url = format!("http://localhost:{}", server.address().port());
    let told = world
        .owner
        .api
        .at(&url, "acme")
        .get("/audit/events?type=decisions.made")
        .await
        .ok();
    let counted = told["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| after(entry)["count"].as_u64().unwrap());
    assert_eq!(counted.sum::<u64>(), 20);
}
