//! What happens in the steps about Ada, her agent and the orders API. Each act calls, looks, and says what it saw
//! or what was wrong; none looks into the server.

mod fleet;

use super::{
    player::{Seen, Told, expect, secret, text},
    story::Play,
};
pub(super) use fleet::{Fleet, revoked, tree};
use http::Method;
use kernel::{ExposeSecret, SecretString};
use serde_json::{Value, json};

/// An audience that is not the orders API's.
const INVOICES: &str = "https://invoices.example";

/// The people and their roles.
#[derive(Default)]
pub(super) struct People {
    ada: String,
    ada_token: SecretString,
    writer_assignment: String,
    connection: String,
    invoices: String,
}

/// Ada's agent and what it holds.
#[derive(Default)]
pub(super) struct AdasAgent {
    id: String,
    secret: SecretString,
    control: SecretString,
    access: SecretString,
}

pub(super) async fn member(play: &mut Play) -> Told<String> {
    let owner = play.stage.token.clone();
    let mut roles = Vec::new();
    let pairs = [
        ("invoices-reader", "invoices:read"),
        ("orders-reader", "orders:read"),
        ("orders-writer", "orders:write"),
    ];
    for (name, scope) in pairs {
        let role = json!({ "name": name, "permissions": [], "scopes": [scope] });
        roles.push(text(
            &play.player.post(&owner, "/roles", role).await?,
            "id",
        )?);
    }
    let ada = json!({ "email": "ada@example.com", "name": "Ada", "roles": ["member"] });
    play.people.ada = text(&play.player.post(&owner, "/users", ada).await?, "id")?;
    for role in &roles {
        let given = json!({ "subject": play.people.ada, "role": role });
        play.people.writer_assignment = text(
            &play.player.post(&owner, "/role-assignments", given).await?,
            "id",
        )?;
    }
    let permissions = [
        "agents.create",
        "agents.read",
        "agents.act_for",
        "runs.create",
        "runs.read",
    ];
    let token = json!({
        "name": "story", "principal": play.people.ada, "permissions": permissions,
        "scopes": ["orders:read", "orders:write", "invoices:read"],
    });
    play.people.ada_token = secret(&play.player.post(&owner, "/tokens", token).await?, "token")?;
    Ok(format!("Ada is {}", play.people.ada))
}

pub(super) async fn connection(play: &mut Play) -> Told<String> {
    let owner = play.stage.token.clone();
    let orders = json!({
        "name": "orders", "audience": play.downstream.url, "min_trust": 30,
        "scopes": ["orders:read", "orders:write"],
        "operations": { "orders.list": "read", "orders.create": "write" },
    });
    play.people.connection = text(
        &play.player.post(&owner, "/connections", orders).await?,
        "id",
    )?;
    let invoices = json!({
        "name": "invoices", "audience": INVOICES, "min_trust": 30, "scopes": ["invoices:read"],
    });
    play.people.invoices = text(
        &play.player.post(&owner, "/connections", invoices).await?,
        "id",
    )?;
    Ok(format!(
        "{} stands for {}",
        play.people.connection, play.downstream.url
    ))
}

pub(super) async fn agent(play: &mut Play) -> Told<String> {
    let ada = play.people.ada_token.clone();
    let wanted = json!({
        "name": "order clerk", "owner": play.people.ada,
        "connections": [play.people.connection, play.people.invoices],
        "scope_ceiling": ["orders:read", "orders:write", "invoices:read"],
        "auth": { "method": "client_secret" },
    });
    let made = play.player.post(&ada, "/agents", wanted).await?;
    play.ada.id = text(&made, "client_id")?;
    play.ada.secret = secret(&made, "client_secret")?;
    let trust = made.pointer("/trust/score").and_then(Value::as_u64);
    expect(trust == Some(48), || {
        format!("a new agent with a secret has a trust of 48, not {trust:?}")
    })?;
    let audience = play.downstream.url.clone();
    let token = token(play, &[("resource", &audience)]).await?.ok()?;
    play.ada.access = secret(&token, "access_token")?;
    let scope = text(&token, "scope")?;
    expect(scope == "orders:read orders:write", || {
        format!("the token is good for `{scope}`")
    })?;
    let seen = orders(play, Method::POST, &play.ada.access.clone()).await?;
    expect(seen.status == 200, || seen.refusal())?;
    Ok(format!(
        "trust 48, `{scope}`, and the orders API says {}",
        seen.body
    ))
}

/// Asks for a token of Ada's agent.
async fn token(play: &mut Play, more: &[(&str, &str)]) -> Told<Seen> {
    let (id, secret) = (play.ada.id.clone(), play.ada.secret.clone());
    let fixed = [
        ("grant_type", "client_credentials"),
        ("client_id", &id),
        ("client_secret", secret.expose_secret()),
    ];
    let fields: Vec<(&str, &str)> = fixed.iter().chain(more).copied().collect();
    play.player.form("/oauth2/token", None, &fields).await
}

async fn orders(play: &mut Play, method: Method, token: &SecretString) -> Told<Seen> {
    let address = format!("{}/orders", play.downstream.url);
    play.player.elsewhere(method, &address, token).await
}

async fn introspect(play: &mut Play, token: &SecretString) -> Told<Value> {
    let owner = play.stage.token.clone();
    play.player
        .form(
            "/oauth2/introspect",
            Some(&owner),
            &[("token", token.expose_secret())],
        )
        .await?
        .ok()
}

async fn dispatch(play: &mut Play, run: Option<&str>) -> Told<Value> {
    let control = play.ada.control.clone();
    let mut task = json!({ "agent": play.ada.id, "connection": play.people.connection, "operation": "orders.list" });
    if let (Some(run), Some(fields)) = (run, task.as_object_mut()) {
        fields.insert("run".into(), run.into());
    }
    play.player.post(&control, "/dispatch", task).await
}

/// The gates in words.
fn gates(decision: &Value) -> String {
    let all = decision
        .get("gates")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let gate = |gate: &Value| {
        let word = |name: &str| {
            gate.get(name)
                .map(|value| {
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned)
                })
                .unwrap_or_default()
        };
        let verdict = if gate.get("pass") == Some(&Value::Bool(true)) {
            "passes"
        } else {
            "STOPS"
        };
        format!(
            "{} wants {}, has {}: {verdict}",
            word("gate"),
            word("required"),
            word("actual")
        )
    };
    all.map(gate).collect::<Vec<_>>().join("; ")
}

pub(super) async fn capability(play: &mut Play) -> Told<String> {
    let issuer = token_issuer(play).await?;
    play.ada.control = secret(
        &token(play, &[("resource", &issuer)]).await?.ok()?,
        "access_token",
    )?;
    let control = play.ada.control.clone();
    let wanted = json!({ "agent": play.ada.id, "purpose": "answer a customer", "scopes": ["orders:read"], "deadline_seconds": 600 });
    let run = text(&play.player.post(&control, "/runs", wanted).await?, "id")?;
    let decision = dispatch(play, Some(&run)).await?;
    let outcome = text(&decision, "outcome")?;
    expect(outcome == "allow", || {
        format!("the dispatch was not allowed: {decision}")
    })?;
    let capability = secret(&decision, "capability_token")?;
    let seen = orders(play, Method::GET, &capability).await?;
    expect(seen.status == 200, || seen.refusal())?;
    Ok(format!(
        "{outcome}: {}; the orders API says {}",
        gates(&decision),
        seen.body
    ))
}

/// The issuer by its canonical name, which need not be the address it is reached at.
async fn token_issuer(play: &Play) -> Told<String> {
    let metadata = format!("{}/.well-known/openid-configuration", play.player.issuer());
    let read: Result<Value, _> = play.player.client().get_json(&metadata).await;
    text(&read.map_err(|error| error.to_string())?, "issuer")
}

pub(super) async fn other_audience(play: &mut Play) -> Told<String> {
    let other = secret(
        &token(play, &[("resource", INVOICES)]).await?.ok()?,
        "access_token",
    )?;
    let seen = orders(play, Method::GET, &other).await?;
    expect(seen.status == 401, || {
        format!("the orders API answered {}", seen.status)
    })?;
    Ok(seen.refusal())
}

pub(super) async fn narrower(play: &mut Play) -> Told<String> {
    let owner = play.stage.token.clone();
    let path = format!("/role-assignments/{}", play.people.writer_assignment);
    play.player
        .api(&owner, Method::DELETE, &path, None)
        .await?
        .ok()?;
    let audience = play.downstream.url.clone();
    let token = token(play, &[("resource", &audience)]).await?.ok()?;
    let scope = text(&token, "scope")?;
    expect(scope == "orders:read", || {
        format!("the token is good for `{scope}`")
    })?;
    let narrow = secret(&token, "access_token")?;
    let write = orders(play, Method::POST, &narrow).await?;
    expect(write.status == 403, || {
        format!("writing was answered {}", write.status)
    })?;
    let read = orders(play, Method::GET, &narrow).await?;
    expect(read.status == 200, || read.refusal())?;
    let old = introspect(play, &play.ada.access.clone()).await?;
    let left = text(&old, "scope").unwrap_or_default();
    expect(left == "orders:read", || {
        format!("the older token is still good for `{left}`")
    })?;
    Ok(format!(
        "the new token is good for `{scope}`, and so is the older one; writing: {}",
        write.refusal()
    ))
}

pub(super) async fn blocked(play: &mut Play) -> Told<String> {
    let owner = play.stage.token.clone();
    let path = format!("/agents/{}/events", play.ada.id);
    let mut scores = vec![48];
    for _ in 0..3 {
        let report = json!({ "type": "guardrail.blocked", "severity": "major" });
        let told = play.player.post(&owner, &path, report).await?;
        scores.extend(told.pointer("/trust/after").and_then(Value::as_u64));
    }
    expect(scores.last() == Some(&27) && scores.len() == 4, || {
        format!("the trust went {scores:?}")
    })?;
    let decision = dispatch(play, None).await?;
    expect(text(&decision, "outcome")? == "block", || {
        format!("the dispatch was not blocked: {decision}")
    })?;
    let pass = |name: &str| {
        let all = decision
            .get("gates")
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        all.filter(|gate| gate.get("gate").and_then(Value::as_str) == Some(name))
            .any(|gate| gate.get("pass") == Some(&Value::Bool(true)))
    };
    let only = !pass("connection") && pass("policy") && pass("org_floor");
    expect(only, || {
        format!("the gates stand otherwise: {}", gates(&decision))
    })?;
    Ok(format!("trust {scores:?}; {}", gates(&decision)))
}

pub(super) async fn suspended(play: &mut Play) -> Told<String> {
    let owner = play.stage.token.clone();
    let path = format!("/users/{}/suspend", play.people.ada);
    play.player.post(&owner, &path, json!({})).await?;
    let audience = play.downstream.url.clone();
    let seen = token(play, &[("resource", &audience)]).await?;
    let error = text(&seen.body, "error").unwrap_or_default();
    expect(seen.status == 400 && error == "invalid_scope", || {
        format!("a token was answered {} {error}", seen.status)
    })?;
    let old = introspect(play, &play.ada.access.clone()).await?;
    expect(old.get("active") == Some(&Value::Bool(false)), || {
        format!("the older token is alive: {old}")
    })?;
    Ok(format!("{}; the older token: {old}", seen.refusal()))
}
