//! Attacks that fail: authority that would outlive what it came from, credentials used twice, and what a refusal
//! would tell of things its reader may not know.

use crate::{agents::ISSUER, directory::code, world::World};
use kernel::Code;
use serde_json::{Value, json};
use service::oauth::{self, IntrospectRequest};

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

impl World {
    async fn entries(&self, kind: &str) -> Vec<Value> {
        let read = self.owner_calls("audit.events", json!({ "type": kind }));
        read.await.unwrap()["items"].as_array().unwrap().clone()
    }

    async fn role(&self, name: &str, permissions: &[&str], scopes: &[&str]) -> Value {
        let input = json!({ "name": name, "permissions": permissions, "scopes": scopes });
        self.owner_calls("roles.create", input).await.unwrap()["id"].clone()
    }

    async fn assign(&self, subject: &str, role: &Value) -> Value {
        let input = json!({ "subject": subject, "role": role });
        self.owner_calls("role_assignments.create", input)
            .await
            .unwrap()["id"]
            .clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_ends_with_what_let_its_human_start_it() {
    let world = World::new().await;
    world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let (dispatcher, _) = world.person("d@acme.example", "guest", &[]).await;
    let scopes = world.role("orders", &[], &["orders:read"]).await;
    let acting = [
        "agents.act_for",
        "agents.read",
        "runs.create",
        "tokens.create",
        "tokens.read",
    ];
    let acting = world.role("acting", &acting, &[]).await;
    world.assign(&dispatcher, &scopes).await;
    let given = world.assign(&dispatcher, &acting).await;
    let token = json!({ "name": "d", "principal": dispatcher, "scopes": ["orders:read"],
        "permissions": ["agents.act_for", "agents.read", "runs.create", "tokens.create", "tokens.read"] });
    let token = world.owner_calls("tokens.create", token).await.unwrap();
    let start = json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 600 });

    let run = world
        .call(text(&token["token"]), "runs.start", start.clone())
        .await
        .unwrap();
    assert!(world.is_active(text(&run["run_token"])).await);
    world
        .owner_calls("role_assignments.delete", json!({ "id": given }))
        .await
        .unwrap();
    assert!(
        !world.is_active(text(&run["run_token"])).await,
        "they may no longer act for the agent"
    );

    world.assign(&dispatcher, &acting).await;
    let run = world
        .call(text(&token["token"]), "runs.start", start)
        .await
        .unwrap();
    let rotate = json!({ "id": token["id"], "overlap_seconds": 1 });
    world
        .call(text(&token["token"]), "tokens.rotate", rotate)
        .await
        .unwrap();
    assert!(world.is_active(text(&run["run_token"])).await);
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    assert!(
        !world.is_active(text(&run["run_token"])).await,
        "the credential it was started with has ended"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stops_an_agent_stops_what_it_handed_on() {
    let world = World::new().await;
    world.orders().await;
    let first = world.agent("a", &["orders:read", "orders:write"]).await;
    let second = world.agent("b", &["orders:read", "orders:write"]).await;
    let start = |agent: &Value, parent: Value| json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 600, "parent": parent });
    let parent = world
        .owner_calls("runs.start", start(&first, Value::Null))
        .await
        .unwrap();
    let child = world
        .owner_calls("runs.start", start(&second, parent["id"].clone()))
        .await
        .unwrap();
    let capability = json!({ "resource": "https://orders.example.com", "run_id": child["id"] });
    let capability = world.token(&second, capability).await.unwrap();
    let scope = async || {
        let request: IntrospectRequest =
            serde_json::from_value(json!({ "token": capability })).unwrap();
        let asker = Some(world.token.as_str());
        let answer = oauth::introspect(
            &world.platform,
            "acme",
            &World::peer(),
            None,
            asker,
            &request,
        )
        .await;
        answer.unwrap().scope.unwrap_or_default()
    };
    assert_eq!(scope().await, "orders:read orders:write");
    let narrower = json!({ "id": first["id"], "scope_ceiling": ["orders:read"] });
    world.owner_calls("agents.update", narrower).await.unwrap();
    assert_eq!(
        scope().await,
        "orders:read",
        "what the first may no longer do, the second may not do for it"
    );
    world
        .owner_calls("agents.suspend", json!({ "id": first["id"] }))
        .await
        .unwrap();
    assert_eq!(scope().await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_loses_the_scopes_that_its_agents_trust_no_longer_reaches() {
    let world = World::new().await;
    world.orders().await;
    let lower = json!({ "name": "Notes", "audience": "urn:notes", "min_trust": 0, "scopes": ["notes:read", "notes:write"], "introspection": true });
    world
        .owner_calls("connections.create", lower)
        .await
        .unwrap();
    let agent = world.agent("a", &["notes:read", "notes:write"]).await;
    let token = world
        .token(&agent, json!({ "resource": "urn:notes" }))
        .await
        .unwrap();
    for _ in 0..2 {
        let report = json!({ "id": agent["id"], "type": "guardrail.blocked", "severity": "major" });
        world
            .owner_calls("agents.report_event", report)
            .await
            .unwrap();
    }
    let request: IntrospectRequest = serde_json::from_value(json!({ "token": token })).unwrap();
    let asker = Some(world.token.as_str());
    let answer = oauth::introspect(
        &world.platform,
        "acme",
        &World::peer(),
        None,
        asker,
        &request,
    )
    .await
    .unwrap();
    assert_eq!(
        (answer.active, answer.scope.as_deref()),
        (true, Some("notes:read"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_is_used_once_wherever_it_is_presented() {
    let world = World::new().await;
    world.orders().await;
    let (key, _) = jose::SigningKey::generate(jose::Algorithm::EdDSA).unwrap();
    let input = json!({ "name": "k", "owner": world.owner, "scope_ceiling": ["orders:read"],
        "auth": { "method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] } } });
    let agent = world.owner_calls("agents.register", input).await.unwrap();
    let assertion = |jti: &str| {
        let now = world.platform.clock.now().seconds();
        let claims = json!({ "iss": agent["id"], "sub": agent["id"], "aud": ISSUER, "exp": now + 60, "jti": jti });
        key.sign_jwt("JWT", claims.to_string().as_bytes()).unwrap()
    };
    let form = |jti: &str, more: Value| {
        let mut form = json!({ "grant_type": "client_credentials", "client_assertion": assertion(jti),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" });
        form.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        form
    };
    let ask = async |jti: &str, more: Value| {
        let request = serde_json::from_value(form(jti, more)).unwrap();
        let granted = oauth::token(&world.platform, "acme", &World::peer(), None, &request).await;
        granted
            .map(|granted| granted.answer.access_token)
            .map_err(|error| error.name.as_str())
    };
    let token = ask("1", json!({})).await.unwrap();
    assert_eq!(
        ask("1", json!({})).await,
        Err("invalid_client"),
        "used at the token endpoint"
    );
    assert_eq!(
        ask("2", json!({ "scope": "orders:write" })).await,
        Err("invalid_scope")
    );
    assert_eq!(
        ask("2", json!({})).await,
        Err("invalid_client"),
        "used in a request that was refused"
    );
    let request = serde_json::from_value(form("3", json!({ "token": token }))).unwrap();
    let seen = oauth::introspect(
        &world.platform,
        "acme",
        &World::peer(),
        None,
        None,
        &request,
    )
    .await;
    assert!(seen.unwrap().active);
    assert_eq!(
        ask("3", json!({})).await,
        Err("invalid_client"),
        "used at introspection"
    );
    let request = serde_json::from_value(form("4", json!({ "token": "unknown" }))).unwrap();
    oauth::revoke(&world.platform, "acme", &World::peer(), None, &request)
        .await
        .unwrap();
    assert_eq!(
        ask("4", json!({})).await,
        Err("invalid_client"),
        "used at revocation"
    );
    assert_eq!(
        world.entries("authentication.failed").await.len(),
        4,
        "each replay is in the log"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_does_not_tell_what_exists() {
    let world = World::new().await;
    let connection = world.orders().await;
    let agent = world.agent("a", &["orders:read"]).await;
    let permissions = [
        "dispatch.evaluate",
        "agents.read",
        "users.read",
        "connections.read",
    ];
    let (member, token) = world.person("m@acme.example", "member", &permissions).await;
    let unknown = |prefix: &str| json!(format!("{prefix}_00000000000000000000000000"));
    let ask = |agent: &Value, connection: Value| json!({ "agent": agent, "connection": connection, "operation": "x" });
    let kill = |scope: &Value| json!({ "scope": scope, "on": true, "reason": "r" });
    let assign = |subject: &Value| json!({ "subject": subject, "role": "member" });
    let given = world
        .owner_calls("role_assignments.list", json!({ "subject": member }))
        .await
        .unwrap();
    let pairs = [
        (
            "dispatch.evaluate",
            ask(&agent["id"], unknown("con")),
            ask(&unknown("agt"), unknown("con")),
        ),
        (
            "dispatch.evaluate",
            ask(&agent["id"], connection["id"].clone()),
            ask(&unknown("agt"), connection["id"].clone()),
        ),
        (
            "kill_switches.set",
            kill(&agent["id"]),
            kill(&unknown("agt")),
        ),
        (
            "kill_switches.set",
            kill(&connection["id"]),
            kill(&unknown("con")),
        ),
        (
            "role_assignments.create",
            assign(&json!(world.owner)),
            assign(&unknown("usr")),
        ),
        (
            "role_assignments.delete",
            json!({ "id": given["items"][0]["id"] }),
            json!({ "id": unknown("asg") }),
        ),
    ];
    for (operation, known, unknown) in pairs {
        let known = world.call(&token, operation, known).await.unwrap_err();
        let unknown = world.call(&token, operation, unknown).await.unwrap_err();
        assert_eq!(known, unknown, "{operation}");
    }
    // An agent does not learn of another agent's run either.
    let (other, start) = (
        world.agent("b", &["orders:read"]).await,
        json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 60 }),
    );
    let run = world.owner_calls("runs.start", start).await.unwrap();
    let control = world.control(&other).await;
    let ask = |run: &Value| json!({ "agent": other["id"], "connection": connection["id"], "operation": "orders.list", "run": run });
    for run in [&run["id"], &unknown("run")] {
        let answer = world
            .call(&control, "dispatch.evaluate", ask(run))
            .await
            .unwrap();
        assert_eq!(
            (&answer["reasons"], answer.get("run")),
            (&json!(["run_not_open"]), None),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_held_for_a_time_is_not_given_for_longer() {
    let world = World::new().await;
    let (temporary, token) = world
        .person(
            "t@acme.example",
            "guest",
            &["roles.assign", "users.create", "users.read"],
        )
        .await;
    let (friend, _) = world.person("f@acme.example", "guest", &[]).await;
    let role = world
        .role(
            "helpers",
            &["roles.assign", "users.create", "users.read"],
            &[],
        )
        .await;
    let end = world
        .platform
        .clock
        .now()
        .plus(kernel::Micros::seconds(3_600));
    let given = json!({ "subject": temporary, "role": role, "expires_at": end });
    world
        .owner_calls("role_assignments.create", given)
        .await
        .unwrap();
    let later = end.plus(kernel::Micros::new(1));
    for longer in [
        json!({ "subject": friend, "role": role }),
        json!({ "subject": friend, "role": role, "expires_at": later }),
    ] {
        let refused = world.call(&token, "role_assignments.create", longer).await;
        assert_eq!(code(&refused), Some(Code::BeyondOwnPermissions));
    }
    let new = json!({ "email": "n@acme.example", "name": "N", "roles": [role] });
    assert_eq!(
        code(&world.call(&token, "users.create", new).await),
        Some(Code::BeyondOwnPermissions)
    );
    let within = json!({ "subject": friend, "role": role, "expires_at": end });
    world
        .call(&token, "role_assignments.create", within)
        .await
        .unwrap();
    // What an operation refuses inside is in the log as what the guard refuses is.
    let denied = world.entries("access.denied").await;
    assert_eq!(denied.len(), 3);
    assert!(
        denied
            .iter()
            .all(|entry| entry["outcome"]["error_code"] == "beyond_own_permissions")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tries_with_a_dead_token_are_in_the_log() {
    let world = World::new().await;
    let (_, token) = world
        .person("m@acme.example", "member", &["users.read"])
        .await;
    let listed = world.owner_calls("tokens.list", json!({})).await.unwrap();
    let id = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["name"] == "t")
        .unwrap()["id"]
        .clone();
    world
        .owner_calls("tokens.revoke", json!({ "id": id }))
        .await
        .unwrap();
    assert_eq!(
        code(&world.call(&token, "users.list", json!({})).await),
        Some(Code::Unauthenticated)
    );
    assert_eq!(
        code(&world.call("not.a.token", "users.list", json!({})).await),
        Some(Code::Unauthenticated)
    );
    let entries = world.entries("authentication.failed").await;
    let about: Vec<_> = entries
        .iter()
        .map(|entry| entry["action"]["resource"].clone())
        .collect();
    assert_eq!(about, [id, Value::Null]);
    assert!(
        entries
            .iter()
            .all(|entry| !entry.to_string().contains(&token))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_does_not_report_without_end() {
    let world = World::new().await;
    let may = [
        "agents.create",
        "agents.report",
        "agents.read",
        "agents.act_for",
        "runs.create",
    ];
    let (member, own) = world.person("m@acme.example", "member", &may).await;
    let agent = json!({ "name": "c", "owner": member, "scope_ceiling": [], "auth": { "method": "client_secret" } });
    let agent = world.call(&own, "agents.register", agent).await.unwrap();
    let start = json!({ "agent": agent["id"], "purpose": "p", "deadline_seconds": 60 });
    let run = world.call(&own, "runs.start", start).await.unwrap();
    let report = |n: usize| json!({ "id": agent["id"], "type": format!("t{n}"), "severity": "minor", "run": run["id"] });
    for n in 0..100 {
        world
            .call(&own, "agents.report_event", report(n))
            .await
            .unwrap();
    }
    let more = world.call(&own, "agents.report_event", report(100)).await;
    assert_eq!(code(&more), Some(Code::LimitReached));
    world
        .owner_calls("agents.report_event", report(100))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn making_an_organization_gives_nothing_of_the_instance() {
    let world = World::new().await;
    let narrow = json!({ "name": "orgs", "permissions": ["instance.create_orgs"] });
    let narrow = world.owner_calls("tokens.create", narrow).await.unwrap();
    let made = world
        .call(
            text(&narrow["token"]),
            "orgs.create",
            json!({ "slug": "beta" }),
        )
        .await
        .unwrap();
    let redeem = json!({ "secret": made["setup_secret"] });
    let redeemed = world.anonymous("setup.redeem", redeem).await.unwrap();
    let view = world.platform.node.view_of("beta").await.unwrap();
    let bearer = text(&redeemed["token"]);
    let caller = service::authenticate(&world.platform, &view, bearer, &World::peer())
        .await
        .unwrap();
    assert!(
        caller.sudo && caller.held.every_scope,
        "its owner holds all of it"
    );
    assert!(
        caller.instance.is_empty(),
        "a token that only makes organizations led to the instance's kill switch"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrow_token_makes_no_wide_agent() {
    let world = World::new().await;
    world.orders().await;
    let (member, narrow) = world
        .person(
            "n@acme.example",
            "member",
            &["agents.create", "agents.credentials", "agents.update"],
        )
        .await;
    let wide = |name: &str, ceiling: &[&str]| json!({ "name": name, "owner": member, "scope_ceiling": ceiling, "auth": { "method": "client_secret" } });
    let made = world
        .call(&narrow, "agents.register", wide("w", &["orders:read"]))
        .await;
    assert_eq!(
        code(&made),
        Some(Code::BeyondOwnPermissions),
        "the token declares no scope"
    );
    let empty = world
        .call(&narrow, "agents.register", wide("e", &[]))
        .await
        .unwrap();
    let grow = json!({ "id": empty["id"], "scope_ceiling": ["orders:read"] });
    assert_eq!(
        code(&world.call(&narrow, "agents.update", grow).await),
        Some(Code::BeyondOwnPermissions)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_token_made_ends_with_it() {
    let world = World::new().await;
    let (_, first) = world
        .person(
            "s@acme.example",
            "member",
            &["tokens.create", "tokens.read", "tokens.revoke"],
        )
        .await;
    let make = json!({ "name": "successor", "permissions": ["tokens.read"] });
    let made = world.call(&first, "tokens.create", make).await.unwrap();
    let second = made["token"].as_str().unwrap().to_owned();
    let listed = world.call(&second, "tokens.list", json!({})).await.unwrap();
    let parent = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["id"] != made["id"])
        .unwrap()["id"]
        .clone();
    world
        .owner_calls("tokens.revoke", json!({ "id": parent }))
        .await
        .unwrap();
    assert_eq!(
        code(&world.call(&second, "tokens.list", json!({})).await),
        Some(Code::Unauthenticated)
    );
}
