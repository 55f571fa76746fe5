//! An ordinary day that uses every kind of credential once, and its end.

use super::{AUDIENCE, visitor::Canary};
use crate::world::text;
use kernel::SecretString;
use serde_json::json;

/// Everybody's ordinary day.
pub async fn ordinary(canary: &mut Canary) -> (String, String) {
    let made = canary
        .call(
            "POST",
            "/users",
            json!({ "email": "ada@canary.example", "name": "Ada Canary", "roles": ["member"] }),
        )
        .await
        .ok();
    let ada = text(&made, "id");
    let laptop = json!({ "name": "laptop", "principal": ada, "permissions": ["agents.read"] });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let request = canary
            .request("POST", "/api/v1/orgs/acme/tokens")
            .bearer(&canary.token)
            .unwrap()
            .json(&laptop)
            .unwrap();
        let once = canary
            .send(
                request.header("idempotency-key", "laptop-1").unwrap(),
                "POST /tokens",
                true,
            )
            .await
            .ok();
        ids.push(text(&once, "id"));
    }
    assert_eq!(ids[0], ids[1], "one token, shown once");
    canary
        .call("POST", &format!("/tokens/{}/rotate", ids[0]), json!({}))
        .await
        .ok();
    let orders = json!({
        "name": "orders", "audience": AUDIENCE, "min_trust": 30, "scopes": ["orders:read", "orders:write"],
        "operations": { "orders.list": "read" }, "introspection": true,
    });
    let orders = canary.call("POST", "/connections", orders).await.ok();
    let opaque = json!({ "name": "mail", "audience": "https://mail.canary.example", "min_trust": 20, "scopes": ["mail:read"], "format": "opaque" });
    canary.call("POST", "/connections", opaque).await.ok();
    let owner = text(
        &canary.call("GET", "/users", json!({})).await.ok()["items"][0],
        "id",
    );
    let bot = json!({ "name": "bot", "owner": owner, "scope_ceiling": ["orders:read", "mail:read"], "auth": { "method": "client_secret" } });
    let agent = canary.call("POST", "/agents", bot).await.ok();
    let (id, first) = (text(&agent, "client_id"), text(&agent, "client_secret"));
    let rotation = canary
        .call(
            "POST",
            &format!("/agents/{id}/secret-rotations"),
            json!({ "overlap_seconds": 600 }),
        )
        .await
        .ok();
    let secret = text(&rotation, "client_secret");
    let grant = |resource| [("grant_type", "client_credentials"), ("resource", resource)];
    let access = text(
        &canary
            .form("token", &grant(AUDIENCE), Some((&id, &first)))
            .await
            .ok(),
        "access_token",
    );
    let sealed = text(
        &canary
            .form(
                "token",
                &grant("https://mail.canary.example"),
                Some((&id, &secret)),
            )
            .await
            .ok(),
        "access_token",
    );
    assert!(sealed.starts_with("cdx_"));
    let issuer = format!("{}/o/acme", canary.url.replace("127.0.0.1", "localhost"));
    let control = text(
        &canary
            .form("token", &grant(&issuer), Some((&id, &secret)))
            .await
            .ok(),
        "access_token",
    );
    canary
        .call(
            "POST",
            &format!("/secret-rotations/{}/promote", text(&rotation, "id")),
            json!({}),
        )
        .await
        .ok();

    let run = json!({ "agent": id, "purpose": "purpose told by a person", "scopes": ["orders:read"], "deadline_seconds": 600 });
    let run = canary.call("POST", "/runs", run).await.ok();
    let ask = json!({
        "agent": id, "connection": text(&orders, "id"), "operation": "orders.list", "run": text(&run, "id"),
        "task": "task told by a person", "arguments": { "password": access },
    });
    let owner = std::mem::replace(
        &mut canary.token,
        SecretString::from(text(&run, "run_token")),
    );
    canary
        .call(
            "POST",
            &format!("/runs/{}/heartbeat", text(&run, "id")),
            json!({}),
        )
        .await
        .ok();
    canary.token = SecretString::from(control);
    let allowed = canary.call("POST", "/dispatch", ask).await.ok();
    assert_eq!(allowed["outcome"], "allow", "{allowed}");
    canary.token = owner;
    let connection = (text(&orders, "client_id"), text(&orders, "client_secret"));
    for token in [
        access.as_str(),
        &sealed,
        &text(&allowed, "capability_token"),
    ] {
        canary
            .form(
                "introspect",
                &[("token", token)],
                Some((&connection.0, &connection.1)),
            )
            .await
            .ok();
        canary
            .form("revoke", &[("token", token)], Some((&id, &secret)))
            .await;
    }
    canary.call("POST", "/keys/rotate", json!({})).await;
    canary.tool("list-agents", json!({})).await.ok();
    (id, secret)
}

pub async fn end(canary: &mut Canary, agent: &str) {
    let switch = json!({ "on": true, "reason": "purpose told by a person" });
    canary.call("PUT", "/kill-switches/org", switch).await.ok();
    canary
        .call(
            "PUT",
            "/kill-switches/org",
            json!({ "on": false, "reason": "over" }),
        )
        .await
        .ok();
    canary
        .call("POST", &format!("/agents/{agent}/revoke"), json!({}))
        .await
        .ok();
    for path in [
        "/users",
        "/roles",
        "/tokens",
        "/agents",
        "/connections",
        "/runs",
        "/keys",
        "/kill-switches",
        "/settings/security",
    ] {
        canary.call("GET", path, json!({})).await.ok();
    }
    canary
        .call("GET", &format!("/agents/{agent}/secrets"), json!({}))
        .await
        .ok();
    let mut after = 0;
    loop {
        let page = canary
            .call(
                "GET",
                &format!("/audit/events?limit=200&after={after}"),
                json!({}),
            )
            .await
            .ok();
        match page["next_after"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    for path in [
        "/metrics",
        "/api/v1/openapi.json",
        "/health/ready",
        "/o/acme/jwks.json",
        "/setup",
    ] {
        let request = canary.request("GET", path);
        assert_eq!(
            canary.send(request, path, false).await.status,
            200,
            "{path}"
        );
    }
}
