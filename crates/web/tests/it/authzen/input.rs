//! Input that is wrong, too large or hostile: named, bounded, and answered with the request id that was sent.

use super::scene::{EVALUATION, EVALUATIONS, Scene, question};
use crate::world::bare;
use axum::body::Body;
use kernel::limits;
use serde_json::json;

#[tokio::test]
async fn what_is_wrong_is_named() {
    let scene = Scene::new().await;
    let authorization = format!("Bearer {}", scene.asker);
    let good = question(("user", "ada"), "read", ("orders", "1"));
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100), "]".repeat(100));
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(limits::BODY_BYTES));
    let twice = r#"{"subject":{"type":"user","id":"a","id":"b"}}"#;
    let nul = r#"{"subject":{"type":"user","id":"a\u0000"}}"#;
    let mut long = good.clone();
    long["resource"]["id"] = json!("x".repeat(limits::ENTITY_BYTES + 1));
    for (body, status, says) in [
        (String::new(), 400, "the body is empty"),
        ("{".to_owned(), 400, "is not JSON at line 1"),
        ("[]".to_owned(), 400, "must be a JSON object"),
        (r#""text""#.to_owned(), 400, "must be a JSON object"),
        (deep, 400, "is nested deeper"),
        (large, 413, "at most"),
        (twice.to_owned(), 400, "`subject.id`: comes twice"),
        (nul.to_owned(), 400, "`subject.id`: must not hold a NUL"),
        ("{}".to_owned(), 400, "`subject`: is required"),
        (
            json!({ "subject": "ada" }).to_string(),
            400,
            "`subject`: must be a JSON object",
        ),
        (
            json!({ "subject": { "id": "a" } }).to_string(),
            400,
            "`subject.type`: is required",
        ),
        (
            json!({ "subject": { "type": "user", "id": 7 } }).to_string(),
            400,
            "`subject.id`: must be a text",
        ),
        (
            json!({ "action": { "name": 123 } }).to_string(),
            400,
            "`action.name`: must be a text",
        ),
        (long.to_string(), 400, "`resource.id`: must have at most"),
    ] {
        for path in [EVALUATION, EVALUATIONS] {
            let answer = scene.sent(path, &authorization, &body).await;
            let told = answer.body["detail"].as_str().unwrap_or_default();
            assert_eq!(answer.status, status, "{path}: {}", answer.text);
            assert!(told.contains(says), "{path}: {told}");
        }
    }
    let many = json!({ "evaluations": vec![good.clone(); limits::EVALUATIONS + 1] });
    let answer = scene.ask(EVALUATIONS, &many).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    let most = json!({ "evaluations": vec![good; limits::EVALUATIONS] });
    let answer = scene.ask(EVALUATIONS, &most).await;
    assert_eq!(
        answer.body["evaluations"].as_array().map(Vec::len),
        Some(limits::EVALUATIONS)
    );
}

#[tokio::test]
async fn only_json_without_a_query_is_read() {
    let scene = Scene::new().await;
    let body = question(("user", "ada"), "read", ("orders", "1")).to_string();
    for (path, media_type, wanted) in [
        (EVALUATION.to_owned(), Some("application/json"), 200),
        (
            EVALUATION.to_owned(),
            Some("application/json; charset=utf-8"),
            200,
        ),
        (EVALUATION.to_owned(), Some("text/plain"), 400),
        (EVALUATION.to_owned(), Some("application/xml"), 400),
        (EVALUATION.to_owned(), None, 400),
        (
            format!("{EVALUATION}?explain=true"),
            Some("application/json"),
            400,
        ),
        (format!("{EVALUATION}/"), Some("application/json"), 404),
    ] {
        let mut request =
            bare("POST", &path).header("authorization", format!("Bearer {}", scene.asker));
        if let Some(media_type) = media_type {
            request = request.header("content-type", media_type);
        }
        let request = request.body(Body::from(body.clone())).unwrap();
        let answer = scene.world.send(request).await;
        assert_eq!(
            answer.status, wanted,
            "{path} {media_type:?}: {}",
            answer.text
        );
    }
    let read = scene.world.asked("GET", EVALUATION, &[], "").await;
    assert_eq!((read.status.as_u16(), read.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn a_request_id_comes_back_and_is_made_where_there_is_none() {
    let scene = Scene::new().await;
    let good = question(("user", "ada"), "read", ("orders", "1")).to_string();
    for (authorization, body, status) in [
        (format!("Bearer {}", scene.asker), good.as_str(), 200),
        (format!("Bearer {}", scene.asker), "{}", 400),
        (String::new(), good.as_str(), 401),
    ] {
        let request = bare("POST", EVALUATION)
            .header("authorization", authorization)
            .header("content-type", "application/json")
            .header("x-request-id", "bfe9eb29-ab87");
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = scene.world.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-request-id")),
            (status, "bfe9eb29-ab87")
        );
    }
    let answer = scene.ask(EVALUATION, &json!({})).await;
    assert!(answer.header("x-request-id").starts_with("req_"));
    // Elsewhere an id from outside is not taken up.
    let request = bare("GET", "/health/live").header("x-request-id", "theirs");
    let answer = scene.world.send(request.body(Body::empty()).unwrap()).await;
    assert!(answer.header("x-request-id").starts_with("req_"));
}

#[tokio::test]
async fn the_metadata_is_the_configured_address_in_each_place() {
    let scene = Scene::new().await;
    let inserted = "/.well-known/authzen-configuration/o/acme";
    let first = scene.world.plain("GET", inserted).await;
    let point = "https://iam.example/o/acme";
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(
        first.body,
        json!({
            "policy_decision_point": point,
            "access_evaluation_endpoint": format!("{point}/access/v1/evaluation"),
            "access_evaluations_endpoint": format!("{point}/access/v1/evaluations"),
            "search_subject_endpoint": format!("{point}/access/v1/search/subject"),
            "search_resource_endpoint": format!("{point}/access/v1/search/resource"),
            "search_action_endpoint": format!("{point}/access/v1/search/action"),
        })
    );
    let appended = "/o/acme/.well-known/authzen-configuration";
    assert_eq!(scene.world.plain("GET", appended).await.text, first.text);
    let request = bare("GET", inserted).header("x-forwarded-host", "evil.example");
    let answer = scene.world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.text, first.text, "no header has a say in it");
    for name in ["ACME", "nowhere"] {
        let path = format!("/.well-known/authzen-configuration/o/{name}");
        assert_eq!(scene.world.plain("GET", &path).await.status, 404);
    }
}
