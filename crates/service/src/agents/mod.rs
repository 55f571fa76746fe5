//! Agents: registering them under an owner, changing how far they may reach, their secrets, and ending them with
//! everything under them. What an agent holds at a moment is not decided here; that is the hinge's.

mod accept;
mod answer;
pub(crate) mod cascade;
mod ceiling;
pub(crate) mod credential;
mod list;
mod predecessors;
mod read;
mod register;
mod revoke;
mod revoke_secret;
mod rotation;
mod secrets;
mod suspend;
pub(crate) mod text;
mod update;

pub use accept::Accept;
pub use answer::{AgentAnswer, Score};
pub use list::List;
pub use read::Read;
pub use register::Register;
pub use revoke::{Mode, Revoke};
pub use revoke_secret::RevokeSecret;
pub use rotation::{Cancel as CancelRotation, Promote as PromoteRotation, Start as StartRotation};
pub use secrets::Secrets;
pub use suspend::{Resume, Suspend};
pub use update::Update;

use crate::{Cx, Error, Result, Target, caller};
use authz::{Access, Denied, Facts};
use domain::{AgentCore, Permission, ScopeGrant};
use kernel::{Code, Id, Timestamp};
use live::View;

/// An agent as the target of an act; unknown or invisible is not found.
pub(crate) fn target(view: &View, id: Id<kernel::Agent>) -> Result<Target> {
    let agent = caller::known_agent(view, id)?;
    Ok(Target::Thing {
        noun: "agent",
        owners: caller::owners_of(agent),
        read: Permission::AgentsRead,
    })
}

/// Whether the caller's `permission` reaches this agent.
pub(crate) fn reaches(cx: &Cx, permission: Permission, agent: &AgentCore) -> Result<bool> {
    let owned = caller::owners_of(agent).contains(&cx.caller()?.principal);
    Ok(match cx.reaches(permission) {
        Access::All => true,
        Access::Own => owned,
        Access::None => false,
    })
}

/// Whether the caller is the human who owns the agent.
pub(crate) fn is_owner(cx: &Cx, agent: &AgentCore) -> Result<bool> {
    Ok(cx.caller()?.user() == Some(agent.owner.0))
}

/// Refuses somebody who would gain the agent's authority without holding it: a control act takes its owner, or
/// every scope and permission it may ever use (RBAC-8).
pub(crate) fn require_control(cx: &Cx, agent: &AgentCore) -> Result<()> {
    if is_owner(cx, agent)? {
        return within_credential(cx, &agent.ceiling);
    }
    let held = &cx.caller()?.held;
    let scope = agent.ceiling.iter().find(|grant| !held.holds(&grant.scope));
    let scope = scope.map(|grant| grant.scope.as_str());
    let permission = caller::agent_permissions().minus(held.all).iter().next();
    match scope.or(permission.map(Permission::as_str)) {
        Some(beyond) => {
            let text = format!(
                "the agent may use `{beyond}`, which you do not hold; ask its owner to do this"
            );
            Err(Error::new(Code::BeyondOwnPermissions, text))
        }
        None => Ok(()),
    }
}

/// Refuses an API token that would gain, through an agent's secret, scopes which it does not declare itself: the
/// agent would act with its owner's whole authority and outlive the token (RBAC-4, TOK-1).
pub(crate) fn within_credential(cx: &Cx, ceiling: &[ScopeGrant]) -> Result<()> {
    let caller = cx.caller()?;
    let Some(token) = caller.token.filter(|_| !caller.sudo) else {
        return Ok(());
    };
    let declared = cx
        .view()?
        .api_token(token)
        .map_or(&[][..], |token| &token.scopes);
    match ceiling
        .iter()
        .find(|grant| !declared.contains(&grant.scope))
    {
        None => Ok(()),
        Some(beyond) => Err(Error::new(
            Code::BeyondOwnPermissions,
            format!(
                "the agent would reach `{}`, which this API token does not declare; use one made with that scope",
                beyond.scope
            ),
        )),
    }
}

/// When the credential on which the caller stands ends: no run started with it lives longer (CAP-6). An agent's
/// token is renewed, so its secret counts; within a run it is the run's deadline that bounds.
pub(crate) fn credential_end(cx: &Cx) -> Result<Option<Timestamp>> {
    let (caller, view) = (cx.caller()?, cx.view()?);
    let Some(agent) = caller.agent() else {
        return Ok(Some(caller.ends_at));
    };
    if caller.run.is_some() {
        return Ok(None);
    }
    let under = view
        .org
        .secrets_of(agent.bytes())
        .filter(|secret| caller.lineage.contains(secret.grant));
    Ok(under.filter_map(|secret| secret.not_after).min())
}

/// What the hinge said, for the management API.
pub(crate) fn refusal(denied: &Denied) -> Error {
    match denied {
        Denied::OrganizationInactive => Error::state("the organization is not in use"),
        Denied::AgentNotActive(_) => {
            Error::state("the agent is not active; have it accepted or resumed first")
        }
        Denied::OwnerInactive => {
            Error::state("the agent's owner or sponsor is no active member; resume them first")
        }
        Denied::Killed(target) => Error::state(format!(
            "the kill switch of `{target}` is set; lift it first"
        )),
        Denied::BelowFloor(floor, trust) => Error::state(format!(
            "the agent's trust is {trust}; the organization's floor is {floor}"
        )),
        Denied::RunNotOpen => Error::state("the run is not open"),
        _ => Error::state("nothing is given to this agent now; see its trust and its runs"),
    }
}
