//! Whether a token that was issued earlier is still good, and for what. The signature was checked before;
//! here only the living state speaks: grants, agent, owner, run, connection, kill switches, and the hinge again.

use crate::{Facts, hinge};
use domain::{AgentCore, ConnectionCore, KillTarget, Lineage, RevocationCore, RunCore, Scope};
use kernel::{Agent, Connection, Id, Run, Timestamp};
use serde::{Deserialize, Serialize};

/// What sort of token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenKind {
    /// For a connection, without a run.
    Access,
    /// For the control plane: the agent itself, with or without a run.
    Control,
    /// For a connection, within a run.
    Capability,
}

/// What a genuine token says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// Its identifier.
    pub jti: [u8; 16],
    /// The agent it was issued to.
    pub agent: Id<Agent>,
    /// The connection it is for; none for the control plane.
    pub connection: Option<Id<Connection>>,
    /// The run it belongs to.
    pub run: Option<Id<Run>>,
    /// The grants above it.
    pub lineage: &'a Lineage,
    /// The scopes it was issued with.
    pub scopes: &'a [Scope],
    /// The state revision it was decided on.
    pub rev: u64,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Whether a revocation or an `issued_before` mark denies a token: of itself, of a grant above it, of its
/// connection, of its agent's owner, of whoever started one of its runs, or of everything. A token and a mark are
/// put in order by state revision, which is the order of the log: within one second, and whatever the clocks of
/// two nodes say, what was decided before the mark is dead and what was decided after it is not. A token that does
/// not say its revision counts as the oldest.
pub fn denied(
    facts: &impl Facts,
    token: &Presented<'_>,
    agent: &AgentCore,
    run: Option<&RunCore>,
) -> bool {
    let grants = token.lineage.iter().map(RevocationCore::grant_node);
    let runs = std::iter::successors(run, |run| run.parent.and_then(|id| facts.run(id)));
    let starters = runs.filter_map(|run| run.initiator.map(|by| by.user.bytes()));
    [token.jti, RevocationCore::EVERYTHING, agent.owner.0.bytes()]
        .into_iter()
        .chain(token.connection.map(|id| id.bytes()))
        .chain(grants)
        .chain(starters)
        .any(|node| token.rev < facts.issued_before(node))
}

/// The scopes it is good for now; none when it is dead. A control-plane token that is good answers with an empty list.
pub fn live_scopes(facts: &impl Facts, token: Presented<'_>, now: Timestamp) -> Option<Vec<Scope>> {
    let agent = facts.agent(token.agent)?;
    if token.expires_at <= now || hinge::may_act(facts, agent).is_err() {
        return None;
    }
    let run = match token.run {
        Some(id) => Some(
            facts
                .run(id)
                .filter(|run| run.agent == agent.id && hinge::run_stands(facts, run, now))?,
        ),
        None => None,
    };
    if denied(facts, &token, agent, run) {
        return None;
    }
    let trust = hinge::trust_now(facts, agent, now);
    if trust < facts.settings().trust_floor {
        return None;
    }
    match token.connection {
        None => Some(Vec::new()),
        Some(id) => {
            let connection = facts
                .connection(id)
                .filter(|connection| trust >= connection.min_trust)?;
            let left = hinge::remaining(facts, agent, connection, run, now);
            still_good(facts, connection, trust, &left, token.scopes)
        }
    }
}

fn still_good(
    facts: &impl Facts,
    connection: &ConnectionCore,
    trust: u8,
    left: &[Scope],
    issued: &[Scope],
) -> Option<Vec<Scope>> {
    // A scope that would not be given at this trust is not good for anything at it either.
    let minimum = |scope: &Scope| {
        facts
            .settings()
            .class_minimum(connection.scope_class(scope))
    };
    let good: Vec<Scope> = issued
        .iter()
        .filter(|scope| left.contains(scope) && trust >= minimum(scope))
        .cloned()
        .collect();
    (!good.is_empty() && !facts.killed(KillTarget::Connection(connection.id))).then_some(good)
}
