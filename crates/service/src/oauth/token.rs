//! The token endpoint's client credentials grant: for a connection, within a run as a capability, or for the
//! control plane. Decided on one view; decided again when the authority moved before the entry was durable.

use super::{Basic, Client, ClientForm, Mint, OAuthError, client, issue};
use crate::{Act, Peer, Platform, again, audit, gate::Class};
use authz::{Denied, Facts, TokenKind, Wanted};
use domain::{
    AgentCore, AgentState, ConnectionCore, Lineage, Principal, RunCore, Scope, Stream, name,
};
use kernel::{Code, Timestamp, limits};
use live::View;
use proto::oauth::{ErrorName, TokenAnswer};
use serde::Deserialize;

/// A token request. `audience` is a synonym of `resource`.
#[derive(Clone, Deserialize)]
pub struct TokenRequest {
    /// The grant type.
    pub grant_type: Option<String>,
    /// Scopes joined by spaces.
    pub scope: Option<String>,
    /// The audience (RFC 8707).
    pub resource: Option<String>,
    /// The audience.
    pub audience: Option<String>,
    /// The run, for a capability token.
    pub run_id: Option<String>,
    /// Who asks.
    #[serde(flatten)]
    pub client: ClientForm,
}

/// A token answer with what the header must say of the credential.
pub struct Granted {
    /// The answer.
    pub answer: TokenAnswer,
    /// When the presented secret stops being accepted, if it is being replaced.
    pub retiring: Option<Timestamp>,
}

struct Asking<'a> {
    agent: &'a AgentCore,
    lineage: &'a Lineage,
    ends: Vec<Timestamp>,
    method: &'static str,
}

/// Answers a token request.
///
/// # Errors
/// As RFC 6749 section 5.2 and RFC 8707 section 2 name them.
pub async fn token(
    platform: &Platform,
    org: &str,
    peer: &Peer,
    basic: Option<&Basic>,
    request: &TokenRequest,
) -> Result<Granted, OAuthError> {
    for tries in 0..limits::DECIDE_ATTEMPTS {
        let view = platform.node.view_of(org).await?;
        match attempt(platform, &view, peer, basic, request).await {
            Err(error) if error.moved => {
                again::rest(platform, u32::try_from(tries).unwrap_or(u32::MAX)).await;
            }
            outcome => return outcome,
        }
    }
    Err(crate::Error::moved().into())
}

async fn attempt(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    basic: Option<&Basic>,
    request: &TokenRequest,
) -> Result<Granted, OAuthError> {
    let client = client::authenticate(platform, view, peer, basic, &request.client).await?;
    let now = platform.clock.boot();
    let within = platform.gate.within(Class::Token, &view.organization, now);
    within.await?;
    grant_type(request)?;
    let Client::Agent {
        agent,
        lineage,
        ends_at,
        once,
        method,
        retiring,
    } = client
    else {
        let text = "a connection's credential only introspects; register an agent for tokens";
        return Err(OAuthError::new(ErrorName::UnauthorizedClient, text));
    };
    let asking = Asking {
        agent: &agent,
        lineage: &lineage,
        ends: ends_at.into_iter().collect(),
        method,
    };
    let mint = match decide(view, &asking, request) {
        Ok(mint) => mint,
        Err(refusal) => {
            if let Some(once) = once {
                client::use_up(platform, view, peer, &agent, once, method).await?;
            }
            record_denied(platform, view, peer, &asking, &refusal).await;
            return Err(refusal);
        }
    };
    let minted = match issue(platform, view, peer, mint, once).await {
        Ok(minted) => minted,
        Err(error) if error.code == Code::Unauthenticated => {
            return Err(client::replayed(platform, view, peer, &agent).await);
        }
        Err(error) if error.code == Code::InvalidState => {
            return Err(OAuthError::new(ErrorName::AccessDenied, error.detail));
        }
        Err(error) => return Err(error.into()),
    };
    let answer = TokenAnswer {
        access_token: minted.token,
        token_type: "Bearer".into(),
        expires_in: minted.expires_in,
        scope: minted.scope,
    };
    Ok(Granted { answer, retiring })
}

fn grant_type(request: &TokenRequest) -> Result<(), OAuthError> {
    match request.grant_type.as_deref() {
        Some("client_credentials") => Ok(()),
        Some(_) => {
            let text = "`grant_type` must be `client_credentials`";
            Err(OAuthError::new(ErrorName::UnsupportedGrantType, text))
        }
        None => Err(OAuthError::new(
            ErrorName::InvalidRequest,
            "`grant_type` is required",
        )),
    }
}

fn decide<'a>(
    view: &'a View,
    asking: &Asking<'a>,
    request: &TokenRequest,
) -> Result<Mint<'a>, OAuthError> {
    let agent = asking.agent;
    authz::may_act(view, agent).map_err(|denied| refusal(&denied))?;
    let run = request
        .run_id
        .as_deref()
        .map(|id| open_run(view, agent, id))
        .transpose()?;
    let mint = |kind, connection, scopes, trust| Mint {
        agent,
        kind,
        connection,
        run,
        scopes,
        trust,
        asked_by: asking.lineage,
        ends: asking
            .ends
            .iter()
            .copied()
            .chain(run.and_then(|run| run.lease_until))
            .collect(),
        method: Some(asking.method),
    };
    let resource = resource(request)?;
    if resource.is_some_and(|resource| is_issuer(view, resource)) {
        return control(view, agent, request)
            .map(|trust| mint(TokenKind::Control, None, Vec::new(), trust));
    }
    let connection = connection(view, agent, resource)?;
    let named = scopes(request)?;
    let wanted = Wanted {
        agent,
        connection,
        run,
        scopes: named.as_deref(),
    };
    let offer = authz::offer(view, wanted, view.now).map_err(|denied| refusal(&denied))?;
    let kind = if run.is_some() {
        TokenKind::Capability
    } else {
        TokenKind::Access
    };
    Ok(mint(kind, Some(connection), offer.scopes, offer.trust))
}

/// Whether a resource is the control plane: the issuer, or its MCP door, which believes the same tokens.
fn is_issuer(view: &View, resource: &str) -> bool {
    let path = resource
        .trim_end_matches('/')
        .strip_prefix(view.organization.issuer.as_str());
    path.is_some_and(|rest| rest.is_empty() || rest == "/mcp")
}

fn control(view: &View, agent: &AgentCore, request: &TokenRequest) -> Result<u8, OAuthError> {
    if request
        .scope
        .as_deref()
        .is_some_and(|scope| scope != "self")
    {
        let text = "a token for the issuer has the scope `self` only";
        return Err(OAuthError::new(ErrorName::InvalidScope, text));
    }
    let (trust, floor) = (
        authz::trust_now(view, agent, view.now),
        view.settings().trust_floor,
    );
    if trust < floor {
        Err(refusal(&Denied::BelowFloor(floor, trust)))
    } else {
        Ok(trust)
    }
}

fn open_run<'a>(view: &'a View, agent: &AgentCore, id: &str) -> Result<&'a RunCore, OAuthError> {
    let known = id
        .parse()
        .ok()
        .and_then(|id| view.run(id))
        .filter(|run| authz::run_is_open(view, run, agent, view.now));
    known.ok_or_else(|| refusal(&Denied::RunNotOpen))
}

fn resource(request: &TokenRequest) -> Result<Option<&str>, OAuthError> {
    match (request.resource.as_deref(), request.audience.as_deref()) {
        (Some(a), Some(b)) if a != b => Err(OAuthError::new(
            ErrorName::InvalidTarget,
            "`resource` and `audience` name two targets; send one",
        )),
        (a, b) => Ok(a.or(b)),
    }
}

/// The connection a resource names; without one, the agent's only connection.
fn connection<'a>(
    view: &'a View,
    agent: &AgentCore,
    resource: Option<&str>,
) -> Result<&'a ConnectionCore, OAuthError> {
    let target = |text| OAuthError::new(ErrorName::InvalidTarget, text);
    let Some(resource) = resource else {
        let mut usable = view
            .org
            .connections()
            .filter(|connection| agent.may_use(connection.id));
        return match (usable.next(), usable.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(target(
                "`resource` is required: the agent has no connection or several",
            )),
        };
    };
    // Most clients send the audience as it is stored; only another spelling has to be brought into its form.
    let known = match view.org.connection_by_audience(resource) {
        Some(known) => Some(known),
        None => {
            let canonical = name::audience(resource)
                .map_err(|_| target("`resource` must be an absolute URL without fragment"))?;
            view.org.connection_by_audience(&canonical)
        }
    };
    known
        .filter(|connection| agent.may_use(connection.id))
        .map(AsRef::as_ref)
        .ok_or_else(|| target("`resource` names no connection of this agent"))
}

fn scopes(request: &TokenRequest) -> Result<Option<Vec<Scope>>, OAuthError> {
    let Some(text) = request.scope.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let named: Result<Vec<Scope>, _> = text
        .split(' ')
        .filter(|part| !part.is_empty())
        .map(Scope::parse)
        .collect();
    let named =
        named.map_err(|error| OAuthError::new(ErrorName::InvalidScope, error.to_string()))?;
    if named.len() > limits::SCOPES {
        return Err(OAuthError::new(
            ErrorName::InvalidScope,
            "too many scopes in one request",
        ));
    }
    Ok(Some(named))
}

/// The wire's name for what the hinge said.
pub(crate) fn refusal(denied: &Denied) -> OAuthError {
    use ErrorName as E;
    let error = |name, text: String| OAuthError::new(name, text);
    match denied {
        Denied::AgentNotActive(AgentState::Revoked)
        | Denied::AgentNotActive(_)
        | Denied::OrganizationInactive => OAuthError::invalid_client(),
        Denied::OwnerInactive => error(
            E::InvalidScope,
            "the agent's owner holds nothing at this moment".into(),
        ),
        Denied::Killed(target) => error(
            E::AccessDenied,
            format!("the kill switch of `{target}` is set"),
        ),
        Denied::BelowFloor(required, actual) => error(
            E::AccessDenied,
            format!("the agent's trust is {actual}; the organization's floor is {required}"),
        ),
        Denied::BelowConnection(required, actual) => error(
            E::AccessDenied,
            format!("the agent's trust is {actual}; this connection wants {required}"),
        ),
        Denied::BelowClass(scope, required, actual) => error(
            E::AccessDenied,
            format!("the agent's trust is {actual}; `{scope}` wants {required}"),
        ),
        Denied::RunNotOpen => error(
            E::InvalidRequest,
            "`run_id` names no open run of this agent".into(),
        ),
        Denied::ConnectionNotAllowed => error(
            E::InvalidTarget,
            "`resource` names no connection of this agent".into(),
        ),
        Denied::NotHeld(scope) => error(
            E::InvalidScope,
            format!("`{scope}` may not be had by this agent now"),
        ),
        Denied::NothingLeft => error(
            E::InvalidScope,
            "nothing is left of what this agent may hold now".into(),
        ),
    }
}

async fn record_denied(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    asking: &Asking<'_>,
    refusal: &OAuthError,
) {
    let agent = asking.agent;
    let act = Act::read("token.refused")
        .on(agent.id)
        .by(Principal::Agent(agent.id), asking.method)
        .chain([Principal::Agent(agent.id), Principal::User(agent.owner.0)])
        .failed(refusal.name.as_str(), &refusal.description);
    let who = agent.id.to_string();
    audit::record_failure(
        platform,
        Stream::org(view.id()),
        peer,
        &who,
        refusal.name.as_str(),
        act,
    )
    .await;
}
