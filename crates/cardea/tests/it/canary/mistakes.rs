//! Secrets where they do not belong, mistyped, and sent to whoever does not take them.

use super::visitor::{Canary, mistyped};
use kernel::{ExposeSecret, SecretString};
use serde_json::json;

/// Secrets where they do not belong: each is a mistake that somebody makes some day.
pub async fn make(canary: &mut Canary, id: &str, secret: &str) {
    let wrong = canary.learn(&mistyped(secret), "a mistyped client secret");
    let bearer = mistyped(canary.token.expose_secret());
    let bearer = canary.learn(&bearer, "a mistyped API token");
    let assertion = format!(
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ4In0.{}",
        "c2lnbmF0dXJlIG9mIGFuIGFzc2VydGlvbg"
    );
    let assertion = canary.learn(&assertion, "a client assertion");
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let grant = ("grant_type", "client_credentials");
    for basic in [(id, wrong.as_str()), (secret, id), (secret, secret)] {
        canary
            .form("token", &[grant], Some(basic))
            .await
            .refused(401);
    }
    for more in [
        ("scope", secret),
        ("resource", secret),
        ("audience", secret),
        ("run_id", secret),
        (secret, "x"),
    ] {
        canary
            .form("token", &[grant, more], Some((id, secret)))
            .await;
    }
    canary
        .form("token", &[("grant_type", secret)], Some((id, secret)))
        .await
        .refused(400);
    canary
        .form(
            "token",
            &[grant, ("client_id", secret), ("client_secret", id)],
            None,
        )
        .await
        .refused(401);
    canary
        .form(
            "token",
            &[
                grant,
                ("client_id", id),
                ("client_assertion_type", kind),
                ("client_assertion", &assertion),
            ],
            None,
        )
        .await
        .refused(401);
    canary
        .form("introspect", &[("token", &wrong)], Some((id, secret)))
        .await
        .ok();

    let owner = std::mem::replace(&mut canary.token, SecretString::from(bearer));
    canary.call("GET", "/agents", json!({})).await.refused(401);
    canary.tool("list-agents", json!({})).await.refused(401);
    canary.token = owner;
    let query = format!("/agents?cursor={secret}");
    let paths = [
        format!("/agents/{secret}"),
        query,
        format!("/agents?access_token={secret}"),
        format!("/nothing/{secret}"),
    ];
    for path in &paths {
        let answer = canary.call("GET", path, json!({})).await;
        assert!(answer.status >= 400, "{path}");
    }
    canary
        .call(
            "GET",
            &format!("/audit/events?type={secret}&actor={secret}"),
            json!({}),
        )
        .await;
    let bodies = [
        json!({ secret: 1 }),
        json!({ "name": 1, "owner": secret }),
        json!({ "name": "x", "owner": secret, "scope_ceiling": secret, "auth": secret }),
        json!({ "name": "x", "owner": "usr_00000000000000000000000000", "scope_ceiling": [secret], "auth": { "method": secret } }),
    ];
    for body in bodies {
        canary.call("POST", "/agents", body).await.refused(400);
    }
    let address = canary
        .request("POST", "/api/v1/orgs/acme/roles")
        .bearer(&canary.token)
        .unwrap();
    for (header, status) in [
        ("idempotency-key", 201),
        ("if-match", 400),
        ("cardea-at-least", 400),
        ("x-request-id", 409),
        ("traceparent", 409),
    ] {
        let body = json!({ "name": "headers", "permissions": [], "scopes": [] });
        let request = address
            .clone()
            .json(&body)
            .unwrap()
            .header(header, secret)
            .unwrap();
        assert_eq!(
            canary.send(request, "POST /roles", false).await.status,
            status,
            "{header}"
        );
    }
    canary
        .send(
            address.clone().json(&secret).unwrap(),
            "a text for an object",
            false,
        )
        .await
        .refused(400);
    let torn = address
        .form(&[("{\"name", secret)])
        .unwrap()
        .header("content-type", "application/json")
        .unwrap();
    canary.send(torn, "torn JSON", false).await.refused(400);
    canary.tool(secret, json!({})).await;
    canary
        .tool("get-agent", json!({ "id": secret, secret: secret }))
        .await;
    let setup = canary
        .secrets
        .iter()
        .find(|(secret, _)| secret.starts_with("cdu_"))
        .map(|(secret, _)| mistyped(secret))
        .unwrap();
    let setup = canary.learn(&setup, "a mistyped set-up secret");
    let request = canary
        .request("POST", "/api/v1/setup")
        .json(&json!({ "secret": setup, "org": secret, "email": secret }))
        .unwrap();
    canary.send(request, "setup", false).await.refused(401);
}
