//! Forward authentication: a proxy in front of an application hands on what a client presented to it, and asks whether
//! that token is good for a scope of the application's connection at this moment. It believes nobody but the token.

use super::{asker::Kind, leaves, waiting::Made};
use crate::{Error, Platform, Result, oauth};
use authz::decide::Reason;
use domain::{Principal, Scope};
use kernel::{Agent, Code, Connection, Id, User};
use live::View;

/// Longest scope that the log repeats.
const SCOPE_CHARS: usize = 128;

/// Who came with a token that is good.
#[derive(Clone, Debug)]
pub struct Forwarded {
    /// The agent.
    pub agent: Id<Agent>,
    /// The human who answers for it.
    pub owner: Id<User>,
    /// Everything that the token is good for now, joined by spaces.
    pub scopes: String,
}

/// Whether a token is good for a scope of a connection.
///
/// # Errors
/// `unauthenticated` for a token that is dead, foreign or for another audience; `permission_denied` for one that is not
/// good for the scope; `stale_state`.
pub fn forward(
    platform: &Platform,
    view: &View,
    connection: &str,
    scope: &str,
    token: &str,
) -> Result<Forwarded> {
    let connection: Option<Id<Connection>> = connection.parse().ok();
    let verified = oauth::verify(platform, view, token);
    let verified = verified
        .filter(|verified| connection.is_some() && verified.connection == connection)
        .ok_or_else(unbelieved)?;
    let live = authz::live_scopes(view, verified.presented(), view.now).ok_or_else(unbelieved)?;
    let agent = view.org.agent_core(verified.claims.sub);
    let agent = agent.ok_or_else(unbelieved)?;
    let good = live.iter().any(|one| one.as_str() == scope);
    leaves(platform, view)?;
    platform.decided.count(Kind::Agent, good);
    platform.journal.put(Made {
        org: view.id(),
        by: (Principal::Agent(agent.id), Kind::Agent.as_str()),
        at: view.now,
        principal: Some(agent.id.to_string()),
        subject: ("agent".into(), agent.id.to_string()),
        action: scope.chars().take(SCOPE_CHARS).collect(),
        resource: (
            "connection".into(),
            verified
                .connection
                .map(|id| id.to_string())
                .unwrap_or_default(),
        ),
        permit: good,
        reason: if good { Reason::Role } else { Reason::NoPermit }.as_str(),
        revision: view.revision.state,
    });
    if !good {
        let detail = "the token is not good for what this needs; ask for one with the scope that the challenge names";
        return Err(Error::new(Code::PermissionDenied, detail));
    }
    let scopes: Vec<&str> = live.iter().map(Scope::as_str).collect();
    Ok(Forwarded {
        agent: agent.id,
        owner: agent.owner.0,
        scopes: scopes.join(" "),
    })
}

fn unbelieved() -> Error {
    let detail = "present an access token for this application as `Authorization: Bearer`";
    Error::new(Code::Unauthenticated, detail)
}
