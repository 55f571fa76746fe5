//! Searches find what an evaluation permits, in order and whole, page by page.

use super::scene::{Scene, question, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SUBJECTS: &str = "/o/acme/access/v1/search/subject";
const RESOURCES: &str = "/o/acme/access/v1/search/resource";
const ACTIONS: &str = "/o/acme/access/v1/search/action";

/// Everything that a search finds, by pages of this size.
pub async fn all(scene: &Scene, path: &str, body: &Value, limit: usize) -> Vec<String> {
    let (mut found, mut token) = (Vec::new(), String::new());
    for _ in 0..100 {
        let mut asked = body.clone();
        asked["page"] = json!({ "limit": limit, "token": token });
        let answer = scene.ask(path, &asked).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let results = answer.body["results"].as_array().unwrap();
        assert!(results.len() <= limit);
        assert_eq!(answer.body["page"]["count"], json!(results.len()));
        let name = |one: &Value| {
            one["id"]
                .as_str()
                .or(one["name"].as_str())
                .unwrap()
                .to_owned()
        };
        found.extend(results.iter().map(name));
        token = text(&answer.body["page"], "next_token");
        if token.is_empty() {
            return found;
        }
    }
    unreachable!("a search ends");
}

#[tokio::test]
async fn subjects_are_found_whole_and_in_order() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let mut wanted = BTreeSet::new();
    for n in 0..5 {
        wanted.insert(
            scene
                .person(&format!("reader{n}"), &["member", "reader"])
                .await,
        );
        scene.person(&format!("other{n}"), &[]).await;
    }
    let gone = scene.person("gone", &["reader"]).await;
    scene
        .done("POST", &format!("/users/{gone}/suspend"), json!({}))
        .await;
    let owner = scene.done("GET", "/users?limit=1", json!({})).await;
    wanted.insert(text(&owner["items"][0], "id"));
    let wanted: Vec<String> = wanted.into_iter().collect();
    let body = json!({ "subject": { "type": "user", "id": "ignored" }, "action": { "name": "read" },
        "resource": { "type": "orders", "id": "1" } });
    for limit in [1, 2, 5, 200] {
        assert_eq!(all(&scene, SUBJECTS, &body, limit).await, wanted, "{limit}");
    }
    for id in &wanted {
        let asked = question(("user", id), "read", ("orders", "1"));
        assert!(scene.decides(&asked).await);
    }
    let mut agents = body.clone();
    agents["subject"]["type"] = json!("agent");
    assert_eq!(
        all(&scene, SUBJECTS, &agents, 5).await,
        Vec::<String>::new()
    );
    let (agent, _) = scene.agent(&wanted[1], "bot", &["orders:read"]).await;
    assert_eq!(all(&scene, SUBJECTS, &agents, 5).await, [agent]);
    for of in ["spaceship", "users", "USER"] {
        let mut none = body.clone();
        none["subject"]["type"] = json!(of);
        assert_eq!(
            all(&scene, SUBJECTS, &none, 5).await,
            Vec::<String>::new(),
            "{of}"
        );
    }
}

#[tokio::test]
async fn who_may_not_see_people_finds_none() {
    let scene = Scene::new().await;
    let searches = scene.token(&["decisions.search"]).await;
    let body = json!({ "subject": { "type": "user" }, "action": { "name": "read" },
        "resource": { "type": "orders", "id": "1" } });
    let answer = scene
        .sent(SUBJECTS, &format!("Bearer {searches}"), &body.to_string())
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["results"]),
        (200, &json!([]))
    );
    assert_eq!(all(&scene, SUBJECTS, &body, 5).await.len(), 1);
}

#[tokio::test]
async fn actions_are_what_is_declared_and_held() {
    let scene = Scene::new().await;
    scene
        .role("some", &["orders:read", "list:orders", "mail:send"])
        .await;
    let ada = scene.person("ada", &["some"]).await;
    let body = json!({ "subject": { "type": "user", "id": ada }, "resource": { "type": "orders", "id": "1" } });
    for limit in [1, 200] {
        assert_eq!(all(&scene, ACTIONS, &body, limit).await, ["list", "read"]);
    }
    let mut with_action = body.clone();
    with_action["action"] = json!("ignored");
    assert_eq!(
        all(&scene, ACTIONS, &with_action, 5).await,
        ["list", "read"]
    );
    let mut unknown = body;
    unknown["subject"]["id"] = json!("nonexistent-user");
    assert_eq!(
        all(&scene, ACTIONS, &unknown, 5).await,
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn a_role_reaches_every_resource_and_the_answer_says_so() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let ada = scene.person("ada", &["reader"]).await;
    let asked = |action: &str| json!({ "subject": { "type": "user", "id": ada }, "action": { "name": action }, "resource": { "type": "orders" } });
    let answer = scene.ask(RESOURCES, &asked("read")).await;
    assert_eq!(
        (&answer.body["results"], &answer.body["context"]["every"]),
        (&json!([]), &json!(true))
    );
    let answer = scene.ask(RESOURCES, &asked("write")).await;
    assert_eq!(answer.body["context"].get("every"), None);
    assert_eq!(answer.body["page"], json!({ "next_token": "", "count": 0 }));
}

#[tokio::test]
async fn a_token_belongs_to_its_question() {
    let scene = Scene::new().await;
    scene.person("ada", &["owner"]).await;
    let body = json!({ "subject": { "type": "user" }, "action": { "name": "read" },
        "resource": { "type": "orders", "id": "1" }, "page": { "limit": 1 } });
    let first = scene.ask(SUBJECTS, &body).await;
    let token = text(&first.body["page"], "next_token");
    assert!(!token.is_empty());
    let with = |path: &'static str, action: &str, token: &str| {
        let mut asked = body.clone();
        asked["action"]["name"] = json!(action);
        asked["page"] = json!({ "token": token });
        (path, asked)
    };
    let mut changed = token.clone();
    changed.replace_range(4..5, if &token[4..5] == "A" { "B" } else { "A" });
    for ((path, asked), wanted) in [
        (with(SUBJECTS, "read", &token), 200),
        (with(SUBJECTS, "write", &token), 400),
        (with(RESOURCES, "read", &token), 400),
        (with(SUBJECTS, "read", &changed), 400),
        (with(SUBJECTS, "read", "nonsense"), 400),
        (with(SUBJECTS, "read", "é"), 400),
    ] {
        let mut asked = asked;
        if path == RESOURCES {
            asked["subject"]["id"] = json!("owner@acme.example");
        }
        let answer = scene.ask(path, &asked).await;
        assert_eq!(answer.status, wanted, "{asked}: {}", answer.text);
    }
    for (missing, path, says) in [
        ("action", SUBJECTS, "`action`: is required"),
        ("subject", RESOURCES, "`subject`: is required"),
        ("resource", ACTIONS, "`resource`: is required"),
    ] {
        let mut asked = question(("user", "ada"), "read", ("orders", "1"));
        asked.as_object_mut().unwrap().remove(missing);
        let answer = scene.ask(path, &asked).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body["detail"].as_str()),
            (400, Some(says))
        );
    }
    for (path, asked, says) in [
        (
            SUBJECTS,
            json!({ "subject": { "type": "user" }, "action": { "name": "read" }, "resource": { "type": "orders" } }),
            "`resource.id`",
        ),
        (
            RESOURCES,
            json!({ "subject": { "type": "user" }, "action": { "name": "read" }, "resource": { "type": "orders" } }),
            "`subject.id`",
        ),
        (
            ACTIONS,
            json!({ "subject": { "type": "user" }, "resource": { "type": "orders", "id": "1" } }),
            "`subject.id`",
        ),
    ] {
        let answer = scene.ask(path, &asked).await;
        let told = answer.body["detail"].as_str().unwrap_or_default();
        assert!(
            answer.status == 400 && told.starts_with(says),
            "{}",
            answer.text
        );
    }
}
