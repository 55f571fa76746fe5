//! The hinge: an agent never holds more than the human who answers for it holds at that moment.
//! Its scopes at a connection are ceiling ∩ owner ∩ run ∩ initiator ∩ connection, computed at each use from
//! one set of facts. There is no stored copy to go stale, and anything missing leaves nothing.

use crate::{Facts, person};
use domain::{
    AgentCore, AgentState, Class, ConnectionCore, Initiator, KillTarget, Permission, Reach,
    RevocationCore, RunCore, Scope, ScopeGrant, trust,
};
use kernel::{Id, Timestamp};

/// Why an agent is given nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The organization is not in use.
    OrganizationInactive,
    /// The agent is draft, suspended, in escrow or revoked.
    AgentNotActive(AgentState),
    /// The human who answers for it, or vouches for it, does not stand.
    OwnerInactive,
    /// A kill switch stops it.
    Killed(KillTarget),
    /// Its trust is below the organization's floor.
    BelowFloor(u8, u8),
    /// Its trust is below the connection's minimum.
    BelowConnection(u8, u8),
    /// Its trust is below the minimum of a scope asked for by name.
    BelowClass(Scope, u8, u8),
    /// The run is unknown, ended, draining, revoked or another agent's.
    RunNotOpen,
    /// It may not use this connection.
    ConnectionNotAllowed,
    /// A scope asked for by name is not held.
    NotHeld(Scope),
    /// Nothing is left of the intersection.
    NothingLeft,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The agent.
    pub agent: &'a AgentCore,
    /// The connection.
    pub connection: &'a ConnectionCore,
    /// The run it is for.
    pub run: Option<&'a RunCore>,
    /// Scopes asked for by name; none means everything that remains.
    pub scopes: Option<&'a [Scope]>,
}

/// What may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The scopes, sorted; never empty.
    pub scopes: Vec<Scope>,
    /// The agent's trust now.
    pub trust: u8,
}

/// Everything the agent's trust depends on.
pub fn trust_facts<'a>(
    facts: &'a impl Facts,
    agent: &AgentCore,
    now: Timestamp,
) -> trust::Facts<'a> {
    trust::Facts {
        state: agent.state,
        method: agent.method,
        credential_since: facts.credential_since(agent, now),
        owner_active: person::stands(facts, agent.owner.0),
        events: facts.trust_events(agent.id),
    }
}

/// The agent's trust now.
pub fn trust_now(facts: &impl Facts, agent: &AgentCore, now: Timestamp) -> u8 {
    trust::score(trust_facts(facts, agent, now), now)
}

/// Whether the agent may act at all: organization, agent, owner, sponsor and kill switches, in that order.
///
/// # Errors
/// The first that stands in the way.
pub fn may_act(facts: &impl Facts, agent: &AgentCore) -> Result<(), Denied> {
    if !facts.organization_active() {
        return Err(Denied::OrganizationInactive);
    }
    if agent.state != AgentState::Active || facts.revoked(RevocationCore::grant_node(agent.grant)) {
        return Err(Denied::AgentNotActive(agent.state));
    }
    if !person::stands(facts, agent.owner.0) || !person::stands(facts, agent.sponsor) {
        return Err(Denied::OwnerInactive);
    }
    let targets = [
        KillTarget::Instance,
        KillTarget::Org,
        KillTarget::Agent(agent.id),
    ];
    targets
        .into_iter()
        .find(|target| facts.killed(*target))
        .map_or(Ok(()), |t| Err(Denied::Killed(t)))
}

/// Whether a run is this agent's, open now, and no node above it is revoked.
pub fn run_is_open(facts: &impl Facts, run: &RunCore, agent: &AgentCore, now: Timestamp) -> bool {
    run.agent == agent.id && run.state_at(now).is_open() && run_stands(facts, run, now)
}

/// Whether a run is live, with every ancestor of it, and no node above it is revoked.
pub(crate) fn run_stands(facts: &impl Facts, run: &RunCore, now: Timestamp) -> bool {
    run.state_at(now).is_live()
        && !run
            .lineage
            .iter()
            .any(|grant| facts.revoked(RevocationCore::grant_node(grant)))
        && run
            .initiator
            .is_none_or(|initiator| stands_behind(facts, run, initiator, now))
        && run.parent.is_none_or(|parent| {
            facts
                .run(parent)
                .is_some_and(|above| run_stands(facts, above, now) && hop_stands(facts, above, run))
        })
}

/// Whether the agent of a run may act, where a run of another agent was started from it: what stops the one stops
/// what it handed on (A2A-6). Of one agent's own runs that is asked where the agent itself is judged.
fn hop_stands(facts: &impl Facts, above: &RunCore, run: &RunCore) -> bool {
    above.agent == run.agent
        || facts
            .agent(above.agent)
            .is_some_and(|agent| may_act(facts, agent).is_ok())
}

/// Whether a run and every run above it, each with its agent's ceiling as it is now, reach this far.
fn reaches(facts: &impl Facts, run: &RunCore, grant: &ScopeGrant) -> bool {
    let by_agent =
        |agent: &AgentCore| agent.ceiling.contains(grant) && agent.may_use(grant.connection);
    run.scopes.contains(grant)
        && facts.agent(run.agent).is_some_and(by_agent)
        && run.parent.is_none_or(|parent| {
            facts
                .run(parent)
                .is_some_and(|above| reaches(facts, above, grant))
        })
}

/// Whether the human who started the run may still act for its agent, by the credential they used: what let them
/// start it must hold as long as it lasts (AGT-10).
fn stands_behind(facts: &impl Facts, run: &RunCore, initiator: Initiator, now: Timestamp) -> bool {
    let user = initiator.user;
    let owns = facts
        .agent(run.agent)
        .is_some_and(|agent| agent.owner.0 == user);
    let reach = if owns { Reach::Own } else { Reach::All };
    let by_token = |id: Id<kernel::Token>| {
        facts.api_token(id).is_some_and(|token| {
            !token.revoked
                && token.expires_at > now
                && token.permissions.has(Permission::AgentsActFor)
        })
    };
    person::stands(facts, user)
        && person::holds(facts, user, Permission::AgentsActFor, reach, now)
        && initiator.token.is_none_or(by_token)
}

/// The intersection itself: scopes of the connection that every side holds now.
pub fn remaining(
    facts: &impl Facts,
    agent: &AgentCore,
    connection: &ConnectionCore,
    run: Option<&RunCore>,
    now: Timestamp,
) -> Vec<Scope> {
    if may_act(facts, agent).is_err() || !agent.may_use(connection.id) {
        return Vec::new();
    }
    let grants = agent.ceiling.iter();
    grants
        .filter(|grant| is_left(facts, agent, connection, run, grant, now))
        .map(|grant| grant.scope.clone())
        .collect()
}

/// Whether one grant of an agent's ceiling is a scope of the connection that every side holds now.
fn is_left(
    facts: &impl Facts,
    agent: &AgentCore,
    connection: &ConnectionCore,
    run: Option<&RunCore>,
    grant: &ScopeGrant,
    now: Timestamp,
) -> bool {
    person::holds_scope(facts, agent.owner.0, &grant.scope, now)
        && is_bounded_by(facts, agent, connection, run, grant, now)
}

/// The same whatever the owner holds.
fn is_bounded_by(
    facts: &impl Facts,
    agent: &AgentCore,
    connection: &ConnectionCore,
    run: Option<&RunCore>,
    grant: &ScopeGrant,
    now: Timestamp,
) -> bool {
    let ScopeGrant {
        connection: of,
        scope,
    } = grant;
    let initiator = run.and_then(|run| run.initiator);
    *of == connection.id
        && connection.scopes.contains(scope)
        && run.is_none_or(|run| reaches(facts, run, grant))
        && initiator.is_none_or(|by| passes(facts, by, agent, scope, now))
}

/// Whether the human who started the run, by the credential they used, holds this scope now (AGT-10). What the owner
/// holds is asked where the owner is judged; the credential they used bounds them as it does anybody.
fn passes(
    facts: &impl Facts,
    initiator: Initiator,
    agent: &AgentCore,
    scope: &Scope,
    now: Timestamp,
) -> bool {
    let by_token = |id: Id<kernel::Token>| {
        facts.api_token(id).is_some_and(|token| {
            !token.revoked && (token.bootstrap || token.scopes.contains(scope))
        })
    };
    (initiator.user == agent.owner.0 || person::holds_scope(facts, initiator.user, scope, now))
        && initiator.token.is_none_or(by_token)
}

/// What may be given now: the intersection, cut by the gates of trust. A scope asked for by name is given or
/// refused; one that was not asked for is left out.
///
/// # Errors
/// What stands in the way.
pub fn offer(facts: &impl Facts, wanted: Wanted<'_>, now: Timestamp) -> Result<Offer, Denied> {
    let Wanted {
        agent,
        connection,
        run,
        scopes,
    } = wanted;
    clear(facts, agent, connection, run, now)?;
    let left = remaining(facts, agent, connection, run, now);
    let asked = match scopes {
        Some(named) => named_within(named, &left)?,
        None => left,
    };
    let trust = trust_now(facts, agent, now);
    floors(facts, connection, trust)?;
    let scopes = by_class(facts, connection, trust, asked, scopes.is_some())?;
    if scopes.is_empty() {
        Err(Denied::NothingLeft)
    } else {
        Ok(Offer { scopes, trust })
    }
}

/// Whether one scope of a connection would be given now: an offer of it by name, without anything else being
/// looked at.
///
/// # Errors
/// What stands in the way.
pub fn holds(
    facts: &impl Facts,
    agent: &AgentCore,
    connection: &ConnectionCore,
    run: Option<&RunCore>,
    scope: &Scope,
    now: Timestamp,
) -> Result<(), Denied> {
    if !person::holds_scope(facts, agent.owner.0, scope, now) {
        clear(facts, agent, connection, run, now)?;
        return Err(Denied::NotHeld(scope.clone()));
    }
    may_reach(facts, agent, connection, run, scope, now)
}

/// Whether nothing but its owner stands in the way of one scope of a connection: ceiling, run, connection, kill
/// switches and trust are as for a token, and whether the owner may do it is found out elsewhere.
///
/// # Errors
/// What stands in the way.
pub fn may_reach(
    facts: &impl Facts,
    agent: &AgentCore,
    connection: &ConnectionCore,
    run: Option<&RunCore>,
    scope: &Scope,
    now: Timestamp,
) -> Result<(), Denied> {
    clear(facts, agent, connection, run, now)?;
    let mut grants = agent.ceiling.iter().filter(|grant| grant.scope == *scope);
    if !grants.any(|grant| is_bounded_by(facts, agent, connection, run, grant, now)) {
        return Err(Denied::NotHeld(scope.clone()));
    }
    let trust = trust_now(facts, agent, now);
    floors(facts, connection, trust)?;
    let minimum = facts
        .settings()
        .class_minimum(connection.scope_class(scope));
    match trust < minimum {
        true => Err(Denied::BelowClass(scope.clone(), minimum, trust)),
        false => Ok(()),
    }
}

/// Whether agent, kill switches, run and connection let anything be given at all.
fn clear(
    facts: &impl Facts,
    agent: &AgentCore,
    connection: &ConnectionCore,
    run: Option<&RunCore>,
    now: Timestamp,
) -> Result<(), Denied> {
    may_act(facts, agent)?;
    if facts.killed(KillTarget::Connection(connection.id)) {
        return Err(Denied::Killed(KillTarget::Connection(connection.id)));
    }
    if run.is_some_and(|run| !run_is_open(facts, run, agent, now)) {
        return Err(Denied::RunNotOpen);
    }
    match agent.may_use(connection.id) {
        true => Ok(()),
        false => Err(Denied::ConnectionNotAllowed),
    }
}

fn named_within(named: &[Scope], left: &[Scope]) -> Result<Vec<Scope>, Denied> {
    if let Some(missing) = named.iter().find(|scope| !left.contains(scope)) {
        return Err(if left.is_empty() {
            Denied::NothingLeft
        } else {
            Denied::NotHeld(missing.clone())
        });
    }
    Ok(left
        .iter()
        .filter(|scope| named.contains(scope))
        .cloned()
        .collect())
}

fn floors(facts: &impl Facts, connection: &ConnectionCore, trust: u8) -> Result<(), Denied> {
    let floor = facts.settings().trust_floor;
    if trust < floor {
        return Err(Denied::BelowFloor(floor, trust));
    }
    if trust < connection.min_trust {
        return Err(Denied::BelowConnection(connection.min_trust, trust));
    }
    Ok(())
}

fn by_class(
    facts: &impl Facts,
    connection: &ConnectionCore,
    trust: u8,
    asked: Vec<Scope>,
    by_name: bool,
) -> Result<Vec<Scope>, Denied> {
    let minimum = |scope: &Scope| {
        facts
            .settings()
            .class_minimum(connection.scope_class(scope))
    };
    let below = asked
        .iter()
        .find(|scope| trust < minimum(scope))
        .filter(|_| by_name);
    match below {
        Some(scope) => Err(Denied::BelowClass(scope.clone(), minimum(scope), trust)),
        None => Ok(asked
            .into_iter()
            .filter(|scope| trust >= minimum(scope))
            .collect()),
    }
}

/// Whether a scope's class asks for no more trust than the class of an operation does.
pub fn class_minimum_met(
    facts: &impl Facts,
    connection: &ConnectionCore,
    scope: &Scope,
    operation: Class,
) -> bool {
    let settings = facts.settings();
    settings.class_minimum(connection.scope_class(scope)) <= settings.class_minimum(operation)
}
