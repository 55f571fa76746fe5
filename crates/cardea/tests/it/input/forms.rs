//! Forms at the OAuth endpoints: each parameter once, in the body, as a form; by one method of authentication.

use super::{bearer, port};
use crate::{
    calls::Stage,
    heads::heads,
    raw::{self, Reply},
    world::{Engine, World},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use kernel::{ExposeSecret, limits};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[track_caller]
fn assert_error(reply: &Reply, status: u16, error: &str, what: &str) {
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (status, error),
        "{what}: {}",
        reply.json()
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(
        reply.header("content-type"),
        Some("application/json"),
        "{what}"
    );
    if status == 401 {
        assert!(
            reply.header("www-authenticate").is_some(),
            "{what}: no challenge"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_c5_forms_of_the_oauth_endpoints_are_read_strictly() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let stage = Stage::acme(&world, "sam").await;
    let agent = world.agent(&stage.holder, "bot", &[]).await;
    let (id, secret) = (agent.id.as_str(), agent.secret.expose_secret());
    let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
    let client = format!("client_id={id}&client_secret={secret}");
    let token = format!(
        "token={}",
        world.control(&agent).await.token.expose_secret()
    );
    let resource = format!("resource={}/o/acme", world.url);
    let before = heads(&world.owner.api).await;
    for (endpoint, needed) in [
        ("token", format!("grant_type=client_credentials&{resource}")),
        ("introspect", token.clone()),
        ("revoke", token.clone()),
    ] {
        let line = format!("POST /o/acme/oauth2/{endpoint}");
        let send = |line: String, headers: Vec<(&'static str, String)>, body: String| {
            let world = &world;
            async move {
                let headers: Vec<(&str, &str)> = headers
                    .iter()
                    .map(|(name, value)| (*name, value.as_str()))
                    .collect();
                raw::send(port(world), &line, &headers, body.as_bytes()).await
            }
        };
        let form = || vec![("Content-Type", FORM.1.to_owned())];
        let what = |text: &str| format!("{endpoint}: {text}");
        let good = format!("{needed}&{client}");
        for twice in [
            "client_id=x",
            "client_secret=x",
            "scope=a&scope=b",
            "grant_type=a&grant_type=b",
            "token=a&token=b",
            "%67rant_type=a&grant_type=b",
        ] {
            let reply = send(line.clone(), form(), format!("{good}&{twice}")).await;
            assert_error(&reply, 400, "invalid_request", &what(twice));
        }
        let json = vec![("Content-Type", "application/json".to_owned())];
        let body = format!(
            "{{\"client_id\":\"{id}\",\"client_secret\":\"{secret}\",\"grant_type\":\"client_credentials\"}}"
        );
        assert_error(
            &send(line.clone(), json, body).await,
            400,
            "invalid_request",
            &what("a JSON body"),
        );
        assert_error(
            &send(line.clone(), vec![], good.clone()).await,
            400,
            "invalid_request",
            &what("no content type"),
        );
        let multipart = vec![("Content-Type", "multipart/form-data; boundary=x".to_owned())];
        assert_error(
            &send(line.clone(), multipart, good.clone()).await,
            400,
            "invalid_request",
            &what("multipart"),
        );
        for query in ["client_secret=x", "a=b", &client, "access_token=x"] {
            let reply = send(format!("{line}?{query}"), form(), good.clone()).await;
            assert_error(&reply, 400, "invalid_request", &what("a query"));
            assert!(
                !String::from_utf8_lossy(&reply.body).contains(secret),
                "the secret is echoed"
            );
        }
        let both = vec![
            ("Content-Type", FORM.1.to_owned()),
            ("Authorization", basic.clone()),
        ];
        assert_error(
            &send(line.clone(), both.clone(), good.clone()).await,
            400,
            "invalid_request",
            &what("two methods at once"),
        );
        let other = format!("{needed}&client_id=agt_01m0000000e000000000000000");
        assert_error(
            &send(line.clone(), both, other).await,
            400,
            "invalid_request",
            &what("two clients at once"),
        );
        let many = (0..=limits::PARAMETERS)
            .map(|n| format!("p{n}=1"))
            .collect::<Vec<_>>()
            .join("&");
        assert_error(
            &send(line.clone(), form(), many).await,
            400,
            "invalid_request",
            &what("many parameters"),
        );
        let large = format!("{good}&a={}", "x".repeat(limits::FORM_BYTES));
        assert_error(
            &send(line.clone(), form(), large).await,
            413,
            "invalid_request",
            &what("a large body"),
        );
        for wrong in [
            "",
            "client_id=x&client_secret=y",
            &format!("client_id={id}"),
            &format!("client_id={id}&client_secret={secret}x"),
        ] {
            let reply = send(line.clone(), form(), format!("{needed}&{wrong}")).await;
            assert_error(&reply, 401, "invalid_client", &what("not authenticated"));
        }
        for header in ["Basic !!!", "Basic ", "Digest x", "Basic Og=="] {
            let odd = vec![
                ("Content-Type", FORM.1.to_owned()),
                ("Authorization", header.to_owned()),
            ];
            assert_error(
                &send(line.clone(), odd, needed.clone()).await,
                401,
                "invalid_client",
                &what(header),
            );
        }
    }
    let line = "POST /o/acme/oauth2/token";
    for (grant, error) in [
        ("", "invalid_request"),
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=implicit", "unsupported_grant_type"),
    ] {
        let reply = raw::send(
            port(&world),
            line,
            &[FORM],
            format!("{client}&{grant}").as_bytes(),
        )
        .await;
        assert_error(&reply, 400, error, grant);
    }
    let bearer = raw::send(
        port(&world),
        line,
        &[FORM, ("Authorization", &bearer(&world))],
        b"grant_type=client_credentials",
    )
    .await;
    assert_error(
        &bearer,
        401,
        "invalid_client",
        "an API token at the token endpoint",
    );
    let before_changes = before.changes.get("token.revoked");
    assert_eq!(
        heads(&world.owner.api).await.changes.get("token.revoked"),
        before_changes,
        "nothing was revoked"
    );
    assert_eq!(
        heads(&world.owner.api).await.revision,
        before.revision,
        "something was written"
    );
}
