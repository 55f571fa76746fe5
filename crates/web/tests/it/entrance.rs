//! What every request passes: hosts, paths, methods, pages, health, the API's document and the loopback of probes.

use crate::world::{World, bare};
use axum::body::Body;
use http::Request;

#[tokio::test]
async fn other_hosts_are_misdirected() {
    let world = World::new().await;
    let to = async |host: &str, path: &str| {
        let request = Request::get(path)
            .header("host", host)
            .body(Body::empty())
            .unwrap();
        world.send(request).await.status.as_u16()
    };
    assert_eq!(to("evil.example", "/health/live").await, 421);
    assert_eq!(to("evil.example", "/api/v1/openapi.json").await, 421);
    assert_eq!(
        to("10.1.2.3:9090", "/metrics").await,
        200,
        "scrapers name addresses"
    );
    assert_eq!(to("10.1.2.3:9090", "/").await, 421);
    assert_eq!(to("localhost:1", "/").await, 200);
    let hostless = Request::get("/").body(Body::empty()).unwrap();
    assert_eq!(world.send(hostless).await.refusal(), (421, "misdirected"));
}

#[tokio::test]
async fn paths_are_taken_as_they_are() {
    let world = World::new().await;
    for path in [
        "/api/v1//orgs/acme",
        "/api/v1/./orgs/acme",
        "/api/v1/orgs/x/../acme",
        "/api/v1/orgs%2facme",
        "/api/v1/orgs/%61cme",
        "/api/v1/orgs/acme;x",
        "/api/v1/orgs/acme/",
        "/API/v1/orgs/acme",
        "/nothing",
    ] {
        let answer = world.asked("GET", path, &[], "").await;
        assert_eq!(answer.refusal(), (404, "not_found"), "{path}");
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
    }
}

#[tokio::test]
async fn another_method_is_told_which_there_are() {
    let world = World::new().await;
    let answer = world.asked("PUT", "/api/v1/orgs/acme/users", &[], "").await;
    assert_eq!(answer.refusal(), (405, "method_not_allowed"));
    let mut allowed: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
    allowed.sort_unstable();
    assert_eq!(allowed, ["GET", "HEAD", "POST"]);
    let answer = world.plain("GET", "/o/acme/oauth2/token").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("allow")),
        (405, "POST")
    );
}

#[tokio::test]
async fn health_and_metrics_need_no_credential() {
    let world = World::new().await;
    for path in ["/health/live", "/health/ready", "/health/startup"] {
        assert_eq!(world.plain("GET", path).await.status, 200, "{path}");
    }
    let metrics = world.plain("GET", "/metrics").await;
    assert_eq!(metrics.text, "cardea_test 1\n");
    assert!(
        metrics
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
}

#[tokio::test]
async fn pages_come_guarded() {
    let world = World::new().await;
    for path in ["/", "/setup", "/setup.js", "/pages.css"] {
        let page = world.plain("GET", path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(
            page.header("content-security-policy")
                .contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
    }
}

#[tokio::test]
async fn the_document_is_served_as_it_is_written() {
    let world = World::new().await;
    let document = world.plain("GET", "/api/v1/openapi.json").await;
    assert_eq!(document.body, web::openapi("https://iam.example"));
    let users = &document.body["paths"]["/api/v1/orgs/{org}/users"]["post"];
    assert_eq!(users["operationId"], "users.create");
    assert!(users["requestBody"]["content"]["application/json"]["schema"]["$ref"].is_string());
}

#[tokio::test]
async fn a_request_id_from_outside_is_not_taken_over() {
    let world = World::new().await;
    let request = bare("GET", "/health/live").header("x-request-id", "mine");
    let answer = world.send(request.body(Body::empty()).unwrap()).await;
    assert!(answer.header("x-request-id").starts_with("req_"));
}
