//! A proxy in front of an application asks whether the token that came is good for it.

use super::scene::{Scene, text};
use crate::world::bare;
use axum::body::Body;
use serde_json::json;

/// The status of what a proxy asks, with the agent that is named to the application.
async fn asked(scene: &Scene, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = bare(method, path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let answer = scene.world.send(request.body(Body::empty()).unwrap()).await;
    (
        answer.status.as_u16(),
        answer.header("cardea-agent").to_owned(),
    )
}

#[tokio::test]
async fn a_token_is_good_for_its_audience_and_scope_as_long_as_it_lives() {
    let scene = Scene::new().await;
    scene.role("reader", &["orders:read"]).await;
    let ada = scene.person("ada", &["member"]).await;
    let given = scene.assign(&ada, "reader").await;
    let ceiling = ["orders:read"];
    let (agent, secret) = scene.registered(&ada, "bot", &ceiling).await;
    let own = (agent.as_str(), secret.as_str());
    let token = scene.issued(own, "https://orders.example").await;
    let control = scene.issued(own, "https://iam.example/o/acme").await;
    let at =
        |connection: &str, scope: &str| format!("/o/acme/access/v1/forward/{connection}/{scope}");
    let orders = scene.orders.0.clone();
    let mail = scene.done("GET", "/connections", json!({})).await;
    let mail = text(&mail["items"][1], "id");
    let read = at(&orders, "orders:read");
    for (path, token, wanted) in [
        (read.clone(), Some(&token), 200),
        (format!("{read}/"), Some(&token), 200),
        (format!("{read}/orders/17"), Some(&token), 200),
        (
            format!("{read}/a%20b//..;x/%2e%2e?scope=orders:write"),
            Some(&token),
            200,
        ),
        (at(&orders, "orders:write"), Some(&token), 403),
        (at(&orders, "nonsense"), Some(&token), 403),
        (at(&mail, "mail:send"), Some(&token), 401),
        (at("con_x", "orders:read"), Some(&token), 401),
        (read.replace("acme", "nowhere"), Some(&token), 404),
        (read.clone(), Some(&control), 401),
        (read.clone(), Some(&scene.asker), 401),
        (read.clone(), None, 401),
    ] {
        for method in ["GET", "POST", "DELETE"] {
            let (status, named) = asked(&scene, method, &path, token.map(String::as_str)).await;
            assert_eq!(status, wanted, "{method} {path}");
            assert_eq!(named, if wanted == 200 { agent.as_str() } else { "" });
        }
    }
    // A proxy hands on the host it was asked for.
    let request = http::Request::get(&read)
        .header("host", "shop.example")
        .header("authorization", format!("Bearer {token}"));
    let answer = scene.world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("cardea-owner")),
        (200, &*ada)
    );
    let request = http::Request::get("/o/acme/access/v1/forward/..").header("host", "shop.example");
    let answer = scene.world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 421, "nothing else answers for it");
    let path = format!("/api/v1/orgs/acme/role-assignments/{given}");
    assert!(
        scene
            .world
            .json("DELETE", &path, "")
            .await
            .status
            .is_success()
    );
    assert_eq!(
        asked(&scene, "GET", &read, Some(&token)).await.0,
        401,
        "nothing is left of it"
    );
}
