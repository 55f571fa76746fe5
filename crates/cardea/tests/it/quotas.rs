//! Quotas (TEN-8): set by the instance's administrators alone, kept by the transaction that makes one more, warned
//! of once, and no obstacle to taking authority away.

use crate::world::{Engine, World, text};
use kernel::ExposeSecret;
use serde_json::{Value, json};

async fn set(world: &crate::world::World, quotas: Value) {
    let put = world
        .owner
        .api
        .send("PUT", "!/api/v1/quotas/acme", Some(&quotas), &[]);
    put.await.ok();
}

fn agent(owner: &str, name: &str) -> Value {
    let auth = json!({ "method": "client_secret" });
    json!({ "name": name, "owner": owner, "scope_ceiling": [], "auth": auth })
}

/// What was warned of, oldest first, as quota and limit.
async fn warned(world: &crate::world::World) -> Vec<(String, u64)> {
    let path = "/audit/events?type=quota.nearly_reached";
    let page = world.owner.api.get(path).await.ok();
    let about = |event: &Value| {
        let body = if event["body"].is_null() {
            event
        } else {
            &event["body"]
        };
        let after = &body["action"]["details"]["after"];
        (text(after, "quota"), after["limit"].as_u64().unwrap())
    };
    let mut all: Vec<_> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(about)
        .collect();
    all.sort();
    all
}

fn known(warnings: &[(&str, u64)]) -> Vec<(String, u64)> {
    warnings
        .iter()
        .map(|(quota, limit)| ((*quota).to_owned(), *limit))
        .collect()
}

on_both_engines!(ten_8_a_quota_is_kept_warned_of_and_no_obstacle_to_revoking, world => {
    let member = world.member("sam@acme.example", &["administrator"]).await;
    let body = json!({ "agents": 1 });
    let refused = member.api.send("PUT", "!/api/v1/quotas/acme", Some(&body), &[]).await;
    assert_eq!(refused.status, 403, "an organization's administrator is not the instance's");
    set(&world, json!({ "agents": 5, "users": 3, "tokens": 100 })).await;
    assert_eq!(warned(&world).await, [], "two of three people are less than four fifths");
    let mut made = Vec::new();
    for n in 0..5 {
        let answer = world.owner.api.post("/agents", agent(&world.owner.id, &format!("bot {n}"))).await;
        made.push(text(&answer.ok(), "client_id"));
        assert_eq!(warned(&world).await.len(), usize::from(n >= 3), "once, when the fourth of five was made");
    }
    let full = world.owner.api.post("/agents", agent(&world.owner.id, "one more")).await;
    assert_eq!((full.status, full.body["code"].as_str()), (429, Some("limit_reached")));
    assert_eq!(full.body["limit"], json!({ "name": "quota_agents", "value": 5 }));
    let person = |name: &str| json!({ "email": format!("{name}@acme.example"), "name": name });
    let one = text(&world.owner.api.post("/users", person("one")).await.ok(), "id");
    let full = world.owner.api.post("/users", person("two")).await;
    assert_eq!(full.body["limit"], json!({ "name": "quota_users", "value": 3 }));
    assert_eq!(warned(&world).await, known(&[("agents", 5), ("users", 3)]));

    // Below the line and above it again is another crossing; revoking is never in the way of anything.
    for gone in &made[..2] {
        world.owner.api.post(&format!("/agents/{gone}/revoke"), json!({})).await.ok();
    }
    world.owner.api.post("/agents", agent(&world.owner.id, "in its place")).await.ok();
    assert_eq!(warned(&world).await, known(&[("agents", 5), ("agents", 5), ("users", 3)]));
    let read = world.owner.api.get("").await.ok();
    assert_eq!(read["used"]["agents"], 4);
    assert_eq!(read["used"]["users"], 3);

    world.owner.api.post(&format!("/users/{one}/deactivate"), json!({})).await.ok();
    assert_eq!(world.owner.api.get("").await.ok()["used"]["users"], 2);
    world.owner.api.post("/users", person("one")).await.ok();
    assert_eq!(world.owner.api.get("").await.ok()["used"]["users"], 3, "whoever comes back is counted again");

    // Lowered below what is there: all of it goes on, nothing is added, and that is said.
    set(&world, json!({ "agents": 1, "tokens": 1 })).await;
    assert_eq!(warned(&world).await.len(), 5, "tokens; agents were near it before");
    set(&world, json!({ "agents": 1, "tokens": 1 })).await;
    assert_eq!(warned(&world).await.len(), 5, "it was so before");
    assert_eq!(world.owner.api.get(&format!("/agents/{}", made[4])).await.ok()["state"], "active");
    let full = world.owner.api.post("/agents", agent(&world.owner.id, "one more")).await;
    assert_eq!(full.body["limit"], json!({ "name": "quota_agents", "value": 1 }));
    let body = json!({ "name": "t", "principal": world.owner.id, "permissions": ["agents.read"] });
    let full = world.owner.api.post("/tokens", body).await;
    assert_eq!(full.body["limit"], json!({ "name": "quota_tokens", "value": 1 }));
    world.owner.api.post("/users", person("three")).await.ok();
    set(&world, json!({})).await;
    world.owner.api.post("/agents", agent(&world.owner.id, "beyond")).await.ok();
    assert_eq!(world.owner.api.get("").await.ok()["quotas"], json!({}));
    let none = json!({ "requests_per_second": 0 });
    let refused = world.owner.api.send("PUT", "!/api/v1/quotas/acme", Some(&none), &[]).await;
    assert_eq!(refused.status, 400, "it would shut out whoever could lift it");
});

on_both_engines!(ten_8_many_at_once_do_not_pass_a_quota, world => {
    set(&world, json!({ "agents": 3 })).await;
    let tries = (0..12).map(|n| {
        let (api, owner) = (world.owner.api.clone(), world.owner.id.clone());
        tokio::spawn(async move { api.post("/agents", agent(&owner, &format!("bot {n}"))).await.status })
    });
    let mut made = 0;
    for tried in tries.collect::<Vec<_>>() {
        made += usize::from(tried.await.unwrap() == 201);
    }
    let there = world.owner.api.get("/agents").await.ok()["items"].as_array().unwrap().len();
    assert_eq!((made, there), (3, 3));
    let read = world.owner.api.get("").await.ok();
    assert_eq!(read["used"]["agents"], 3);
});

on_both_engines!(ten_8_tokens_that_ended_make_room_and_a_rotation_is_let_in_once, world => {
    let body = |seconds: i64| {
        let ends = world.server.platform().clock.now().plus(kernel::Micros::seconds(seconds));
        json!({ "name": "t", "principal": world.owner.id, "permissions": ["agents.read"], "expires_at": ends })
    };
    // The owner's own token is one of the three.
    set(&world, json!({ "tokens": 3 })).await;
    world.owner.api.post("/tokens", body(1)).await.ok();
    let made = text(&world.owner.api.post("/tokens", body(3_600)).await.ok(), "id");
    let full = world.owner.api.post("/tokens", body(3_600)).await;
    assert_eq!(full.body["limit"], json!({ "name": "quota_tokens", "value": 3 }));
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert_eq!(world.owner.api.get("").await.ok()["used"]["tokens"], 2, "one ended by itself");
    let second = text(&world.owner.api.post("/tokens", body(3_600)).await.ok(), "id");
    let rotate = async |id: &str| world.owner.api.post(&format!("/tokens/{id}/rotate"), json!({})).await;
    let third = text(&rotate(&made).await.ok(), "id");
    let full = rotate(&third).await;
    assert_eq!(full.body["limit"], json!({ "name": "quota_tokens", "value": 3 }), "both of the first rotation live");
    world.owner.api.post(&format!("/tokens/{second}/revoke"), json!({})).await.ok();
    rotate(&third).await.ok();
});

/// Whoever is not believed uses up nobody's quota: else anybody who knows a name could shut an organization out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_uses_up_no_quota() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let agent = world.agent(&world.owner, "bot", &[]).await;
    set(&world, json!({ "requests_per_second": 3 })).await;
    let wrong = [
        ("grant_type", "client_credentials"),
        ("client_id", agent.id.as_str()),
        ("client_secret", "cda_wrong"),
    ];
    let nobody = world
        .owner
        .api
        .with(kernel::SecretString::from("cdt_wrong"));
    let issuer = format!("{}/o/acme", world.url);
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        for _ in 0..5 {
            assert_eq!(world.form("/o/acme/oauth2/token", &wrong).await.status, 401);
            assert_eq!(
                world.form("/o/acme/oauth2/introspect", &wrong).await.status,
                401
            );
            assert_eq!(nobody.get("/users").await.status, 401);
        }
        world.token(&agent, &[("resource", &issuer)]).await.ok();
        world.owner.api.get("/users").await.ok();
    }
    // Those who are believed do, at every door.
    let mut busy = [0; 3];
    for _ in 0..4 {
        let form = [
            ("token", "x"),
            ("client_id", &agent.id),
            ("client_secret", agent.secret.expose_secret()),
        ];
        let answers = [
            world.token(&agent, &[("resource", &issuer)]).await,
            world.form("/o/acme/oauth2/introspect", &form).await,
            world.owner.api.get("/users").await,
        ];
        for (busy, answer) in busy.iter_mut().zip(&answers) {
            *busy += usize::from(answer.status == 429);
        }
    }
    assert!(busy.iter().sum::<usize>() >= 3, "{busy:?}");
    for _ in 0..5 {
        let path = format!("/agents/{}/suspend", agent.id);
        let done = world.owner.api.post(&path, json!({})).await;
        assert_ne!(done.status, 429, "what takes authority away is not counted");
    }
}
