//! The OAuth endpoints as a door: forms, client authentication on the wire, documents and their places.

use crate::world::{World, bare};
use axum::body::Body;

const TOKEN: &str = "/o/acme/oauth2/token";

#[tokio::test]
async fn requests_are_forms_without_repetition_and_without_a_query() {
    let world = World::new().await;
    let grant = "grant_type=client_credentials&client_id=agt_x&client_secret=cda_x";
    for (path, body) in [
        ("/o/acme/oauth2/token?client_secret=x", grant),
        ("/o/acme/oauth2/introspect?token=x", "token=x"),
        ("/o/acme/oauth2/revoke?", "token=x"),
        (TOKEN, "grant_type=client_credentials&scope=a&scope=b"),
    ] {
        let refused = world.form(path, body).await;
        assert_eq!(
            (refused.status.as_u16(), refused.body["error"].as_str()),
            (400, Some("invalid_request")),
            "{path}"
        );
    }
    let json = bare("POST", TOKEN)
        .header("content-type", "application/json")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(world.send(json).await.body["error"], "invalid_request");
    let large = format!("{grant}&x={}", "a".repeat(kernel::limits::FORM_BYTES));
    assert_eq!(world.form(TOKEN, &large).await.status, 413);
}

#[tokio::test]
async fn an_unknown_client_is_told_the_same_wherever_it_asks() {
    let world = World::new().await;
    let grant = "grant_type=client_credentials&client_id=agt_x&client_secret=cda_x";
    let mut texts = Vec::new();
    for path in [
        TOKEN,
        "/o/nowhere/oauth2/token",
        "/o/acme/oauth2/introspect",
        "/o/acme/oauth2/revoke",
    ] {
        let refused = world.form(path, grant).await;
        assert_eq!(
            (refused.status.as_u16(), refused.body["error"].as_str()),
            (401, Some("invalid_client")),
            "{path}"
        );
        assert!(
            refused.header("www-authenticate").starts_with("Basic "),
            "{path}"
        );
        assert_eq!(refused.header("cache-control"), "no-store");
        texts.push(refused.text);
    }
    assert_eq!(texts[0], texts[2]);
    let basic = bare("POST", TOKEN)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "Bearer cdt_x")
        .body(Body::from("grant_type=client_credentials"))
        .unwrap();
    assert_eq!(
        world.send(basic).await.status,
        401,
        "a bearer token is no client here"
    );
}

#[tokio::test]
async fn an_api_token_introspects() {
    let world = World::new().await;
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let path = "/o/acme/oauth2/introspect";
    let answer = world.asked("POST", path, &form, "token=nonsense").await;
    assert_eq!(
        (answer.status.as_u16(), answer.text.as_str()),
        (200, r#"{"active":false}"#)
    );
    let both = world
        .asked(
            "POST",
            path,
            &form,
            "token=x&client_id=con_x&client_secret=y",
        )
        .await;
    assert_eq!(both.body["error"], "invalid_request");
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_page() {
    let world = World::new().await;
    let refused = world.plain("GET", "/api/v1/orgs/acme/users").await;
    let page = world
        .plain("GET", refused.body["type"].as_str().unwrap())
        .await;
    assert_eq!(
        (page.status.as_u16(), page.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    assert!(
        page.text.contains("<h1>unauthenticated</h1>"),
        "{}",
        page.text
    );
    assert!(!page.header("content-security-policy").is_empty());
    for none in ["/problems/nothing", "/problems/%3Cb%3E", "/problems/"] {
        assert_eq!(
            world.plain("GET", none).await.refusal(),
            (404, "not_found"),
            "{none}"
        );
    }
}

/// REL-17: a few bytes that unpack to gigabytes are refused by name on every door, before anything is unpacked.
#[tokio::test]
async fn a_packed_body_is_refused_on_every_door() {
    let world = World::new().await;
    let (form, json) = ("application/x-www-form-urlencoded", "application/json");
    let doors = [
        (
            "/o/acme/oauth2/token",
            form,
            "grant_type=client_credentials",
        ),
        ("/o/acme/oauth2/introspect", form, "token=x"),
        ("/o/acme/oauth2/revoke", form, "token=x"),
        ("/api/v1/orgs/acme/roles", json, "{}"),
        ("/api/v1/setup", json, "{}"),
        ("/o/acme/mcp", json, "{}"),
    ];
    for (path, kind, body) in doors {
        for (encoding, packed) in [
            ("gzip", true),
            ("identity, br", true),
            ("", true),
            ("Identity", false),
        ] {
            let headers = [("content-type", kind), ("content-encoding", encoding)];
            let answer = world.asked("POST", path, &headers, body).await;
            let told = answer.text.contains("Content-Encoding");
            assert_eq!(
                (answer.status == 415, told),
                (packed, packed),
                "{path} {encoding}: {}",
                answer.text
            );
        }
    }
}

#[tokio::test]
async fn the_documents_are_the_same_in_each_place_and_open_to_pages() {
    let world = World::new().await;
    let first = world
        .plain("GET", "/o/acme/.well-known/openid-configuration")
        .await;
    assert_eq!(first.body["issuer"], "https://iam.example/o/acme");
    for path in [
        "/o/acme/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration/o/acme",
        "/.well-known/oauth-authorization-server/o/acme",
    ] {
        assert_eq!(world.plain("GET", path).await.text, first.text, "{path}");
    }
    let keys = world.plain("GET", "/o/acme/jwks.json").await;
    assert!(!keys.body["keys"].as_array().unwrap().is_empty());
    assert_eq!(keys.header("access-control-allow-origin"), "*");
    assert_eq!(keys.header("cache-control"), "public, max-age=300");
    let resource = world
        .plain("GET", "/.well-known/oauth-protected-resource/o/acme/mcp")
        .await;
    assert_eq!(resource.body["resource"], "https://iam.example/o/acme/mcp");
    assert_eq!(
        resource.body["authorization_servers"][0],
        first.body["issuer"]
    );
    let preflight = world.plain("OPTIONS", "/o/acme/jwks.json").await;
    assert_eq!(
        (
            preflight.status.as_u16(),
            preflight.header("access-control-allow-origin")
        ),
        (204, "*")
    );
}

#[tokio::test]
async fn only_the_canonical_name_has_documents() {
    let world = World::new().await;
    let org = world.asked("GET", "/api/v1/orgs/acme", &[], "").await.body["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for name in [org.as_str(), "ACME", "nowhere"] {
        for path in [
            format!("/o/{name}/.well-known/openid-configuration"),
            format!("/o/{name}/jwks.json"),
        ] {
            assert_eq!(
                world.plain("GET", &path).await.refusal(),
                (404, "not_found"),
                "{path}"
            );
        }
    }
}
