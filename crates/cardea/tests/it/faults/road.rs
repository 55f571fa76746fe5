//! The road: an organization, people, agents and their secrets, tokens, runs and dispatches, and every way of taking
//! them back. Each step makes what it needs anew for each COMMIT, so that no step stands on another's fault.

use super::walk::{Asked, Walk};
use crate::{
    kill::wire::AUDIENCE,
    world::{AgentClient, text},
};
use serde_json::{Value, json};
use std::cell::RefCell;

pub async fn all(walk: &mut Walk) {
    let orders = prepare(walk).await;
    organization_and_people(walk).await;
    agents(walk).await;
    tokens(walk).await;
    work(walk, &orders).await;
    taking(walk).await;
}

/// The connection whose tokens everybody asks for, and a role by which the owner holds its scope.
pub async fn prepare(walk: &mut Walk) -> String {
    let body = json!({
        "name": "orders", "audience": AUDIENCE, "min_trust": 0, "scopes": ["orders:read"],
        "operations": { "orders.list": "read" },
    });
    let orders = walk.plain(Asked::api("POST", "/connections", body)).await;
    let role = role(walk, "reader").await;
    let given = json!({ "subject": walk.owner, "role": role });
    walk.plain(Asked::api("POST", "/role-assignments", given))
        .await;
    text(&orders, "id")
}

fn new_role(name: &str) -> Asked {
    let body = json!({ "name": name, "permissions": [], "scopes": ["orders:read"] });
    Asked::api("POST", "/roles", body).logged("role.created", "id")
}

async fn role(walk: &mut Walk, name: &str) -> String {
    text(&walk.plain(new_role(name)).await, "id")
}

pub fn new_person(name: &str) -> Asked {
    let body =
        json!({ "email": format!("{name}@acme.example"), "name": name, "roles": ["member"] });
    Asked::api("POST", "/users", body).logged("user.created", "id")
}

fn new_agent(owner: &str, name: &str) -> Asked {
    let auth = json!({ "method": "client_secret" });
    let body =
        json!({ "name": name, "owner": owner, "scope_ceiling": ["orders:read"], "auth": auth });
    Asked::api("POST", "/agents", body).logged("agent.registered", "id")
}

pub async fn agent(walk: &mut Walk, name: &str) -> AgentClient {
    let asked = new_agent(&walk.owner, name);
    let made = walk.plain(asked).await;
    AgentClient {
        id: text(&made, "client_id"),
        secret: text(&made, "client_secret").into(),
    }
}

fn new_token(agent: &AgentClient) -> Asked {
    let asked = [("grant_type", "client_credentials"), ("resource", AUDIENCE)];
    Asked::form("token", agent, &asked).logged("token.issued", "access_token")
}

async fn organization_and_people(walk: &mut Walk) {
    walk.step(async |_, n| {
        let body = json!({ "slug": format!("org-{n}") });
        Asked::api("POST", "!/api/v1/orgs", body).then(409, "already_exists")
    })
    .await;
    walk.step(async |_, n| new_person(&format!("ada-{n}")))
        .await;
    walk.step(async |_, n| new_role(&format!("role-{n}"))).await;
    walk.step(async |walk, n| {
        let (person, role) = (
            walk.plain(new_person(&format!("bea-{n}"))).await,
            role(walk, &format!("given-{n}")).await,
        );
        Asked::api(
            "POST",
            "/role-assignments",
            json!({ "subject": person["id"], "role": role }),
        )
    })
    .await;
    walk.step(async |walk, n| {
        let role = role(walk, &format!("taken-{n}")).await;
        let given = json!({ "subject": walk.owner, "role": role });
        let given = walk
            .plain(Asked::api("POST", "/role-assignments", given))
            .await;
        Asked::api(
            "DELETE",
            format!("/role-assignments/{}", text(&given, "id")),
            Value::Null,
        )
    })
    .await;
}

async fn agents(walk: &mut Walk) {
    walk.step(async |walk, n| new_agent(&walk.owner, &format!("agent-{n}")))
        .await;
    walk.step(async |walk, n| {
        let agent = agent(walk, &format!("rotated-{n}")).await;
        let path = format!("/agents/{}/secret-rotations", agent.id);
        Asked::api("POST", path, json!({ "overlap_seconds": 600 }))
    })
    .await;
    walk.step(async |walk, n| {
        let agent = agent(walk, &format!("changed-{n}")).await;
        Asked::api(
            "PATCH",
            format!("/agents/{}", agent.id),
            json!({ "version": "2" }),
        )
    })
    .await;
    walk.step(async |_, _| Asked::api("POST", "/keys/rotate", json!({})))
        .await;
}

async fn tokens(walk: &mut Walk) {
    let own = agent(walk, "issued").await;
    let given = walk.step(async |_, _| new_token(&own)).await;
    assert!(walk.is_active(&text(&given, "access_token")).await);
    let mut revoked = Vec::new();
    for n in 0..2 {
        // Two tokens, so that the step has one for its fault and one for its end.
        let token = text(&walk.plain(new_token(&own)).await, "access_token");
        revoked.push(token.clone());
        let form = [("token", token.as_str())];
        walk.step(async |_, _| Asked::form("revoke", &own, &form))
            .await;
        assert!(!walk.is_active(&revoked[n]).await);
    }
    walk.step(async |walk, n| {
        let body = json!({ "name": format!("token-{n}"), "principal": walk.owner, "permissions": ["agents.read"], "scopes": [] });
        Asked::api("POST", "/tokens", body)
    })
    .await;
}

async fn work(walk: &mut Walk, orders: &str) {
    let own = agent(walk, "worker").await;
    let run = |n: &str| {
        let body = json!({ "agent": own.id, "purpose": n, "scopes": ["orders:read"], "deadline_seconds": 600 });
        Asked::api("POST", "/runs", body).logged("run.started", "id")
    };
    walk.step(async |_, n| run(&n.to_string())).await;
    walk.step(async |_, _| {
        let body = json!({ "agent": own.id, "connection": orders, "operation": "orders.list" });
        Asked::api("POST", "/dispatch", body).logged("dispatch.allowed", "dispatch")
    })
    .await;
    walk.step(async |walk, n| {
        let run = walk.plain(run(&format!("ended {n}"))).await;
        Asked::api(
            "POST",
            format!("/runs/{}/terminate", text(&run, "id")),
            json!({ "reason": "walk" }),
        )
    })
    .await;
}

async fn taking(walk: &mut Walk) {
    for on in [true, false] {
        walk.step(async |walk, n| {
            let agent = agent(walk, &format!("killed-{on}-{n}")).await;
            Asked::api(
                "PUT",
                format!("/kill-switches/{}", agent.id),
                json!({ "on": on, "reason": "walk" }),
            )
        })
        .await;
    }
    for act in ["suspend", "revoke"] {
        let tokens = RefCell::new(Vec::new());
        walk.step(async |walk, n| {
            let agent = agent(walk, &format!("{act}-{n}")).await;
            let token = text(&walk.plain(new_token(&agent)).await, "access_token");
            assert!(walk.is_active(&token).await);
            tokens.borrow_mut().push(token);
            Asked::api("POST", format!("/agents/{}/{act}", agent.id), json!({}))
        })
        .await;
        for token in tokens.into_inner() {
            assert!(!walk.is_active(&token).await, "{act}");
        }
    }
    walk.step(async |walk, n| {
        let person = walk.plain(new_person(&format!("gone-{n}"))).await;
        Asked::api(
            "POST",
            format!("/users/{}/suspend", text(&person, "id")),
            json!({}),
        )
    })
    .await;
}
