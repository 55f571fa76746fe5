//! Dispatch: should this agent get this task at this moment. Three gates on the current score, after kill
//! switches and identity; every gate and every reason is in the answer, none is cut short (GATE-1, GATE-2).

use crate::{Denied, Facts, hinge, person};
use domain::{AgentCore, AgentState, Class, ConnectionCore, KillTarget, RunCore, Scope};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The agent that would get the task.
    pub agent: &'a AgentCore,
    /// The connection it would use.
    pub connection: &'a ConnectionCore,
    /// The class of the operation.
    pub class: Class,
    /// The run it belongs to.
    pub run: Option<&'a RunCore>,
}

/// The answer's first word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Go on.
    Allow,
    /// Do not.
    Block,
}

/// Which gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateName {
    /// The connection's minimum.
    Connection,
    /// The minimum of the operation's class.
    Policy,
    /// The organization's floor.
    OrgFloor,
}

/// One gate with what it wanted and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Gate {
    /// Which gate.
    pub gate: GateName,
    /// The least trust it lets through.
    pub required: u8,
    /// The agent's trust now.
    pub actual: u8,
    /// Whether it let the agent through.
    pub pass: bool,
}

/// Why a dispatch is blocked. Codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A kill switch is set.
    KillSwitch,
    /// The organization is not in use.
    OrganizationInactive,
    /// The agent is draft, suspended or in escrow.
    AgentSuspended,
    /// The agent is revoked.
    AgentRevoked,
    /// The human who answers for it does not stand.
    OwnerInactive,
    /// The run is unknown, ended, draining or revoked.
    RunNotOpen,
    /// The agent may not use the connection.
    ConnectionNotAllowed,
    /// No scope is left for this operation.
    NoScopeLeft,
    /// Trust is below the connection's minimum.
    TrustBelowConnectionMin,
    /// Trust is below the minimum of the operation's class.
    TrustBelowPolicyGate,
    /// Trust is below the organization's floor.
    TrustBelowOrgFloor,
}

/// The whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Allow or block.
    pub outcome: Outcome,
    /// Every reason for a block, none for an allow.
    pub reasons: Vec<Reason>,
    /// The three gates.
    pub gates: Vec<Gate>,
    /// The agent's trust now.
    pub trust: u8,
    /// The scopes that a capability would hold.
    pub scopes: Vec<Scope>,
}

/// Decides. Nothing is issued here.
pub fn dispatch(facts: &impl Facts, question: Question<'_>, now: Timestamp) -> Verdict {
    let Question {
        agent,
        connection,
        class,
        run,
    } = question;
    let trust = hinge::trust_now(facts, agent, now);
    let gate = |gate, required| Gate {
        gate,
        required,
        actual: trust,
        pass: trust >= required,
    };
    let gates = vec![
        gate(GateName::Connection, connection.min_trust),
        gate(GateName::Policy, facts.settings().class_minimum(class)),
        gate(GateName::OrgFloor, facts.settings().trust_floor),
    ];
    let scopes: Vec<Scope> = hinge::remaining(facts, agent, connection, run, now)
        .into_iter()
        .filter(|scope| hinge::class_minimum_met(facts, connection, scope, class))
        .filter(|scope| {
            trust
                >= facts
                    .settings()
                    .class_minimum(connection.scope_class(scope))
        })
        .collect();
    let identity = standing(facts, question, now);
    let nothing = scopes.is_empty().then_some(Reason::NoScopeLeft);
    let failed = gates
        .iter()
        .filter(|gate| !gate.pass)
        .map(|gate| trust_reason(gate.gate));
    let reasons: Vec<Reason> = identity.into_iter().chain(nothing).chain(failed).collect();
    let outcome = if reasons.is_empty() {
        Outcome::Allow
    } else {
        Outcome::Block
    };
    Verdict {
        outcome,
        reasons,
        gates,
        trust,
        scopes,
    }
}

const fn trust_reason(gate: GateName) -> Reason {
    match gate {
        GateName::Connection => Reason::TrustBelowConnectionMin,
        GateName::Policy => Reason::TrustBelowPolicyGate,
        GateName::OrgFloor => Reason::TrustBelowOrgFloor,
    }
}

/// Everything but trust that stands in the way, each once.
fn standing(facts: &impl Facts, question: Question<'_>, now: Timestamp) -> Vec<Reason> {
    let Question {
        agent,
        connection,
        run,
        ..
    } = question;
    let kills = [
        KillTarget::Instance,
        KillTarget::Org,
        KillTarget::Connection(connection.id),
        KillTarget::Agent(agent.id),
    ];
    let owner = person::stands(facts, agent.owner.0) && person::stands(facts, agent.sponsor);
    let state = match agent.state {
        AgentState::Active => None,
        AgentState::Revoked => Some(Reason::AgentRevoked),
        _ => Some(Reason::AgentSuspended),
    };
    let revoked = matches!(
        hinge::may_act(facts, agent),
        Err(Denied::AgentNotActive(AgentState::Active))
    );
    let open = run.is_none_or(|run| hinge::run_is_open(facts, run, agent, now));
    [
        kills
            .into_iter()
            .any(|target| facts.killed(target))
            .then_some(Reason::KillSwitch),
        (!facts.organization_active()).then_some(Reason::OrganizationInactive),
        state,
        revoked.then_some(Reason::AgentRevoked),
        (!owner).then_some(Reason::OwnerInactive),
        (!open).then_some(Reason::RunNotOpen),
        (!agent.may_use(connection.id)).then_some(Reason::ConnectionNotAllowed),
    ]
    .into_iter()
    .flatten()
    .collect()
}
