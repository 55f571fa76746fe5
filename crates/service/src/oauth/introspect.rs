//! Introspection (RFC 7662): what a token is good for at this moment. A token that is foreign, dead or not the
//! caller's to know is `active: false` and nothing more. No entry is written but that of a used assertion.

use super::{Basic, Client, ClientForm, OAuthError, Verified, client, verify};
use crate::{Peer, Platform, caller, gate::Class};
use authz::Access;
use domain::{AgentCore, Permission, Scope, trust::Level};
use kernel::{Agent, Connection, Id};
use live::View;
use proto::oauth::{ErrorName, Introspection, TrustClaim};
use serde::Deserialize;

/// An introspection request.
#[derive(Clone, Deserialize)]
pub struct IntrospectRequest {
    /// The token in question.
    pub token: Option<String>,
    /// Who asks.
    #[serde(flatten)]
    pub client: ClientForm,
}

/// Whose tokens somebody may ask about.
enum Asker {
    Anything,
    Audience(Id<Connection>),
    Itself(Id<Agent>),
}

/// Answers an introspection request. `bearer` is an API token or a control-plane token, where one was sent.
///
/// # Errors
/// `invalid_client` when the caller is unknown, `invalid_request` without a token.
pub async fn introspect(
    platform: &Platform,
    org: &str,
    peer: &Peer,
    basic: Option<&Basic>,
    bearer: Option<&str>,
    request: &IntrospectRequest,
) -> Result<Introspection, OAuthError> {
    let view = platform.node.view_of(org).await?;
    let asker = asker(platform, &view, peer, basic, bearer, request).await?;
    let now = platform.clock.boot();
    let within = platform
        .gate
        .within(Class::Decision, &view.organization, now);
    within.await?;
    let Some(token) = request.token.as_deref().filter(|token| !token.is_empty()) else {
        return Err(OAuthError::new(
            ErrorName::InvalidRequest,
            "`token` is required",
        ));
    };
    let answer = answer(platform, &view, &asker, token).unwrap_or_default();
    let by = match asker {
        Asker::Anything => "api_token",
        Asker::Audience(_) => "connection",
        Asker::Itself(_) => "agent",
    };
    let active = if answer.active { "true" } else { "false" };
    metrics::counter!("cardea_introspections_total", "caller" => by, "active" => active)
        .increment(1);
    Ok(answer)
}

async fn asker(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    basic: Option<&Basic>,
    bearer: Option<&str>,
    request: &IntrospectRequest,
) -> Result<Asker, OAuthError> {
    if let Some(bearer) = bearer {
        let caller = caller::authenticate(platform, view, bearer, peer).await?;
        let all = authz::access(&caller.held, Permission::TokensIntrospect) == Access::All;
        return match caller.agent() {
            Some(agent) => Ok(Asker::Itself(agent)),
            None if all => Ok(Asker::Anything),
            None => Err(OAuthError::new(
                ErrorName::AccessDenied,
                "this needs the permission `tokens.introspect`",
            )),
        };
    }
    let client = client::authenticate(platform, view, peer, basic, &request.client).await?;
    client::spend(platform, view, peer, &client).await?;
    match client {
        Client::Agent { agent, .. } => Ok(Asker::Itself(agent.id)),
        Client::Connection(connection) if connection.introspection => {
            Ok(Asker::Audience(connection.id))
        }
        Client::Connection(_) => Err(OAuthError::invalid_client()),
    }
}

fn answer(platform: &Platform, view: &View, asker: &Asker, token: &str) -> Option<Introspection> {
    let verified = verify(platform, view, token)?;
    let may_know = match asker {
        Asker::Anything => true,
        Asker::Audience(connection) => verified.connection == Some(*connection),
        Asker::Itself(agent) => verified.claims.sub == *agent,
    };
    let scopes = authz::live_scopes(view, verified.presented(), view.now).filter(|_| may_know)?;
    let agent = view.org.agent_core(verified.claims.sub)?;
    platform.node.require_fresh(view.id()).ok()?;
    Some(active(view, agent, &verified, &scopes))
}

fn active(view: &View, agent: &AgentCore, verified: &Verified, scopes: &[Scope]) -> Introspection {
    let claims = &verified.claims;
    let trust = authz::trust_now(view, agent, view.now);
    let joined = scopes
        .iter()
        .map(Scope::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    Introspection {
        active: true,
        scope: Some(if verified.connection.is_none() {
            claims.scope.clone()
        } else {
            joined
        }),
        client_id: Some(claims.client_id.to_string()),
        token_type: Some("Bearer".into()),
        exp: Some(claims.exp),
        iat: Some(claims.iat),
        sub: Some(claims.sub.to_string()),
        aud: Some(claims.aud.clone()),
        iss: Some(claims.iss.clone()),
        jti: Some(claims.jti.clone()),
        run_id: claims.run_id.map(|run| run.to_string()),
        trust: Some(TrustClaim {
            score: trust,
            level: Level::of(trust).as_str().into(),
        }),
        chain: Some(vec![agent.id.to_string(), agent.owner.0.to_string()]),
    }
}
