//! The metrics as Prometheus reads them: well formed by its own checker, described in the documentation, and never
//! made of what a request said.

use crate::world::{Engine, World};
use serde_json::json;
use std::{
    collections::BTreeSet,
    io::Write,
    process::{Command, Stdio},
};
use testkit::tools::{Tool, require};

const MARK: &str = "qmarkq";

/// Requests of every sort, some of which try to name a metric's label.
async fn traffic(world: &World) {
    world.orders("https://orders.example", 30).await;
    let agent = world.agent(&world.owner, "bot", &["orders:read"]).await;
    let token = world.token(&agent, &[]).await.ok();
    world
        .introspect(token["access_token"].as_str().unwrap())
        .await;
    world.introspect(MARK).await;
    let entity = json!({ "type": MARK, "id": MARK });
    let question = json!({ "subject": entity, "action": { "name": MARK }, "resource": entity });
    let path = "!/o/acme/access/v1/evaluation";
    world.owner.api.post(path, question).await.ok();
    for path in [
        &format!("/{MARK}"),
        &format!("/o/{MARK}/jwks.json"),
        &format!("/api/v1/orgs/{MARK}/agents"),
        "/health/ready",
        "/o/acme/jwks.json",
    ] {
        world.get(path).await;
    }
    world
        .form(
            &format!("/o/{MARK}/oauth2/token"),
            &[("grant_type", MARK), ("client_id", MARK)],
        )
        .await;
    world
        .owner
        .api
        .send(
            MARK,
            "/agents",
            None,
            &[("user-agent", MARK), ("x-request-id", MARK)],
        )
        .await;
    world
        .owner
        .api
        .post(
            "/roles",
            json!({ "name": MARK, "permissions": [MARK], "scopes": [] }),
        )
        .await;
}

async fn metrics() -> String {
    let world = World::start(Engine::Sqlite).await.unwrap();
    traffic(&world).await;
    let answer = world.get("/metrics").await;
    assert_eq!(
        answer.response.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    answer.response.text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn promtool_finds_nothing_to_improve() {
    let Some(promtool) = require(Tool::Promtool) else {
        return;
    };
    let text = metrics().await;
    let mut command = Command::new(promtool);
    command
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    assert!(
        done.status.success() && said.is_empty(),
        "{}",
        String::from_utf8_lossy(&said)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f2_no_label_comes_from_a_request() {
    let text = metrics().await;
    assert!(
        text.contains("cardea_http_requests_total{")
            && text.contains("method_not_allowed") | text.contains("status=\"4")
    );
    let repeated: Vec<&str> = text
        .lines()
        .filter(|line| line.to_lowercase().contains(MARK))
        .collect();
    assert!(repeated.is_empty(), "{repeated:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_metric_is_in_the_documentation_and_the_other_way_round() {
    let text = metrics().await;
    let kept: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let page = std::fs::read_to_string(testkit::workspace().join("docs/operations.md")).unwrap();
    let told: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `cardea_"))
        .filter_map(|rest| rest.split('`').next())
        .collect();
    let told: BTreeSet<String> = told
        .into_iter()
        .map(|rest| format!("cardea_{rest}"))
        .collect();
    assert_eq!(
        kept.into_iter().map(str::to_owned).collect::<BTreeSet<_>>(),
        told
    );
}
