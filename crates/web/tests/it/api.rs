//! The management API as a door: credentials, bodies, headers, methods and forms of answers.

use crate::world::{PROXY, World, bare};
use axum::body::Body;

const ORG: &str = "/api/v1/orgs/acme";
const USERS: &str = "/api/v1/orgs/acme/users";

#[tokio::test]
async fn an_answer_names_request_and_revision_and_is_kept_by_nobody() {
    let world = World::new().await;
    let answer = world.asked("GET", ORG, &[], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["slug"], "acme");
    assert!(answer.header("x-request-id").starts_with("req_"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    let before: u64 = answer.header("cardea-revision").parse().unwrap();
    let made = world
        .json(
            "POST",
            USERS,
            r#"{"email":"ada@acme.example","name":"Ada"}"#,
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert!(made.header("cardea-revision").parse::<u64>().unwrap() > before);
    let head = world.asked("HEAD", ORG, &[], "").await;
    assert_eq!((head.status.as_u16(), head.text.as_str()), (200, ""));
}

#[tokio::test]
async fn a_credential_comes_in_the_header_only() {
    let world = World::new().await;
    let refused = world.plain("GET", ORG).await;
    assert_eq!(refused.refusal(), (401, "unauthenticated"));
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.body["request_id"], refused.header("x-request-id"));
    let in_query = format!("{ORG}?access_token={}", world.token);
    assert_eq!(world.plain("GET", &in_query).await.status, 401);
    let forged = bare("GET", ORG).header("authorization", "Bearer cdt_forged");
    assert_eq!(
        world.send(forged.body(Body::empty()).unwrap()).await.status,
        401
    );
    assert_eq!(
        world
            .asked("GET", "/api/v1/orgs/other", &[], "")
            .await
            .refusal(),
        (404, "not_found")
    );
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let world = World::new().await;
    let twice = world
        .json(
            "POST",
            USERS,
            r#"{"email":"a@b.example","email":"c@d.example"}"#,
        )
        .await;
    assert_eq!(twice.refusal(), (400, "invalid_input"));
    assert_eq!(twice.body["errors"][0]["field"], "email");
    let broken = world.json("POST", USERS, "{\n \"email\": ").await;
    assert_eq!(broken.refusal(), (400, "malformed_body"));
    assert!(
        broken.body["detail"]
            .as_str()
            .unwrap()
            .contains("line 2 column")
    );
    let unknown = world
        .json("POST", USERS, r#"{"email":"a@b.example","org_id":"x"}"#)
        .await;
    assert_eq!(unknown.body["errors"][0]["field"], "org_id");
    let simple = world
        .asked("POST", USERS, &[("content-type", "text/plain")], "{}")
        .await;
    assert_eq!(simple.refusal(), (415, "unsupported_media_type"));
    let large = format!(
        "{{\"email\":\"{}\"}}",
        "a".repeat(kernel::limits::BODY_BYTES)
    );
    assert_eq!(
        world.json("POST", USERS, &large).await.refusal(),
        (413, "body_too_large")
    );
    let in_query = world
        .json(
            "POST",
            &format!("{USERS}?name=x"),
            r#"{"email":"a@b.example"}"#,
        )
        .await;
    assert_eq!(in_query.body["errors"][0]["field"], "name");
}

#[tokio::test]
async fn queries_are_read_by_the_schema() {
    let world = World::new().await;
    let page = world
        .asked("GET", &format!("{USERS}?limit=1&total=true"), &[], "")
        .await;
    assert_eq!(
        (page.status.as_u16(), page.body["total"].as_u64()),
        (200, Some(1)),
        "{}",
        page.text
    );
    for (query, field) in [
        ("limit=one", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=0", "limit"),
        ("x=1", "x"),
    ] {
        let refused = world
            .asked("GET", &format!("{USERS}?{query}"), &[], "")
            .await;
        assert_eq!(refused.refusal(), (400, "invalid_input"), "{query}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{query}");
    }
}

#[tokio::test]
async fn a_path_parameter_comes_from_the_path_only() {
    let world = World::new().await;
    let users = world.asked("GET", USERS, &[], "").await;
    let id = users.body["items"][0]["id"].as_str().unwrap();
    let refused = world
        .json(
            "PATCH",
            &format!("{USERS}/{id}"),
            &format!(r#"{{"id":"{id}"}}"#),
        )
        .await;
    assert_eq!(
        refused.refusal(),
        (400, "invalid_input"),
        "{}",
        refused.text
    );
    assert_eq!(refused.body["errors"][0]["field"], "id");
}

#[tokio::test]
async fn headers_have_one_spelling() {
    let world = World::new().await;
    for (name, value) in [
        ("if-match", "*"),
        ("idempotency-key", "a b"),
        ("cardea-at-least", "x"),
    ] {
        let refused = world.asked("GET", ORG, &[(name, value)], "").await;
        assert_eq!(refused.refusal(), (400, "invalid_input"), "{name}");
    }
    let overridden = world
        .asked("GET", ORG, &[("x-http-method-override", "DELETE")], "")
        .await;
    assert_eq!(overridden.status, 200);
}

#[tokio::test]
async fn a_revision_is_waited_for_and_then_refused() {
    let world = World::new().await;
    let now = world
        .asked("GET", ORG, &[], "")
        .await
        .header("cardea-revision")
        .to_owned();
    assert_eq!(
        world
            .asked("GET", ORG, &[("cardea-at-least", &now)], "")
            .await
            .status,
        200
    );
    let ahead = world
        .asked("GET", ORG, &[("cardea-at-least", "99999")], "")
        .await;
    assert_eq!(ahead.refusal(), (503, "stale_state"));
    assert_eq!(ahead.header("retry-after"), "1");
    let stranger = bare("GET", ORG)
        .header("authorization", "Bearer cdt_forged")
        .header("cardea-at-least", "99999");
    let refused = world.send(stranger.body(Body::empty()).unwrap()).await;
    assert_eq!(refused.status, 401, "nobody waits for a stranger");
}

#[tokio::test]
async fn only_a_trusted_proxy_names_the_organization() {
    let world = World::new().await;
    let request = || {
        let request = bare("GET", ORG).header("authorization", format!("Bearer {}", world.token));
        request
            .header("cardea-organization", "other")
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(
        world.send(request()).await.status,
        200,
        "a stranger's word is not heard"
    );
    assert_eq!(
        world.send_from(PROXY, request()).await.refusal(),
        (400, "tenant_conflict")
    );
}

#[tokio::test]
async fn paths_without_an_organization_take_the_tokens_own() {
    let world = World::new().await;
    let made = world
        .json(
            "POST",
            "/api/v1/orgs",
            r#"{"slug":"second","name":"Second"}"#,
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    assert_eq!(made.body["issuer"], "https://iam.example/o/second");
    let foreign = world.asked("GET", "/api/v1/orgs/second", &[], "").await;
    assert_eq!(
        foreign.status, 401,
        "a token of one organization is nothing in another"
    );
}

#[tokio::test]
async fn set_up_needs_no_bearer() {
    let world = World::new().await;
    let request = bare("POST", "/api/v1/setup").header("content-type", "application/json");
    let answer = world
        .send(
            request
                .body(Body::from(r#"{"secret":"cdu_wrong"}"#))
                .unwrap(),
        )
        .await;
    assert_eq!(answer.refusal(), (401, "unauthenticated"));
    assert!(
        answer.body["detail"]
            .as_str()
            .unwrap()
            .contains("set-up secret")
    );
}
