//! What of a change concerns a resource server, in words that fit the claims of the tokens it sees. Every event says how
//! something is from now on, so that hearing one twice, or a later one first, leaves nothing wrong.

use authz::Facts;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::{AgentCore, AgentState, Change, GrantId, KillTarget, RevocationCore, RunCore};
use kernel::{Agent, Connection, Id, Run};
use live::View;
use serde::Serialize;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event {
    /// Every token with this grant in `lin`, or with this `jti`, is dead.
    Revoked {
        #[serde(flatten)]
        node: Node,
        /// No token that it denies lives longer; seconds.
        until: i64,
    },
    /// Every token of this node whose `rev` is smaller is dead; one without `rev` counts as 0.
    IssuedBefore {
        #[serde(flatten)]
        node: Node,
        rev: u64,
        until: i64,
    },
    /// The issuer forgot a revocation: nothing that it denied can be alive.
    Forgotten {
        #[serde(flatten)]
        node: Node,
    },
    /// The tokens of an agent (`sub`) are good, or none is.
    Agent { agent: Id<Agent>, active: bool },
    /// The tokens for an audience (`aud`) are good, or none is.
    Audience { audience: String, active: bool },
}

/// By which claim a token is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Node {
    /// One of `lin`.
    Grant(GrantId),
    /// `jti`.
    Jti(String),
    /// `sub`.
    Agent(Id<Agent>),
    /// `run_id`.
    Run(Id<Run>),
    /// `aud`.
    Audience(String),
    /// Every token of the issuer.
    All(bool),
}

fn grant_or_token(node: [u8; 16]) -> Node {
    let number = u128::from_be_bytes(node);
    match u64::try_from(number) {
        Ok(grant) => Node::Grant(GrantId::from_number(grant)),
        Err(_) => Node::Jti(B64URL.encode(node)),
    }
}

/// Whether anything of an agent may be good, as far as it is about this agent alone.
fn stands(view: &View, agent: &AgentCore) -> bool {
    agent.state == AgentState::Active
        && !view.revoked(RevocationCore::grant_node(agent.grant))
        && authz::stands(view, agent.owner.0)
        && authz::stands(view, agent.sponsor)
        && !view.killed(KillTarget::Agent(agent.id))
}

/// Whether anything of the organization may be good at all.
pub(super) fn open(view: &View) -> bool {
    view.organization_active()
        && !view.killed(KillTarget::Instance)
        && !view.killed(KillTarget::Org)
}

fn agent(view: &View, agent: &AgentCore) -> Event {
    Event::Agent {
        agent: agent.id,
        active: stands(view, agent),
    }
}

fn audience(view: &View, id: Id<Connection>) -> Option<Event> {
    let connection = view.connection(id)?;
    Some(Event::Audience {
        audience: connection.audience.clone(),
        active: !view.killed(KillTarget::Connection(id)),
    })
}

/// The events of a revocation. What is known by the owner's or the connection's id here is known by other claims
/// in a token.
fn revoked(view: &View, core: &RevocationCore) -> Vec<Event> {
    let until = core.until.seconds();
    let rev = core.rev;
    if !core.mark {
        let node = grant_or_token(core.node);
        return vec![Event::Revoked { node, until }];
    }
    nodes(view, core.node)
        .into_iter()
        .map(|node| Event::IssuedBefore { node, rev, until })
        .collect()
}

fn nodes(view: &View, node: [u8; 16]) -> Vec<Node> {
    if node == RevocationCore::EVERYTHING {
        return vec![Node::All(true)];
    }
    if let Some(connection) = view.connection(Id::from_bytes(node)) {
        return vec![Node::Audience(connection.audience.clone())];
    }
    if let known @ Node::Grant(_) = grant_or_token(node) {
        return vec![known];
    }
    let owned = view
        .org
        .agents()
        .filter(|agent| agent.owner.0.bytes() == node);
    let begun = view.org.runs().filter(|run| began(view, run, node));
    owned
        .map(|agent| Node::Agent(agent.id))
        .chain(begun.map(|run| Node::Run(run.id)))
        .collect()
}

/// Whether a run, or one above it, was started by this person.
fn began(view: &View, run: &RunCore, user: [u8; 16]) -> bool {
    std::iter::successors(Some(run), |run| run.parent.and_then(|id| view.run(id)))
        .any(|run| run.initiator.is_some_and(|by| by.user.bytes() == user))
}

/// What a change says to a resource server. The view is at this change or past it: an event tells how things are in
/// it, which a later change of the same thing tells again.
pub(super) fn of(view: &View, change: &Change) -> Vec<Event> {
    match change {
        Change::Revoked(core) => revoked(view, core),
        Change::RevocationRemoved(node) => vec![Event::Forgotten {
            node: grant_or_token(*node),
        }],
        Change::Agent(core) => view
            .agent(core.id)
            .map(|core| agent(view, core))
            .into_iter()
            .collect(),
        Change::Membership(core) => {
            let meant = |agent: &&std::sync::Arc<AgentCore>| {
                agent.owner.0 == core.user || agent.sponsor == core.user
            };
            view.org
                .agents()
                .filter(meant)
                .map(|core| agent(view, core))
                .collect()
        }
        Change::KillSwitch(core) => match core.target {
            KillTarget::Agent(id) => view
                .agent(id)
                .map(|core| agent(view, core))
                .into_iter()
                .collect(),
            KillTarget::Connection(id) => audience(view, id).into_iter().collect(),
            KillTarget::Org | KillTarget::Instance => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Everything that is not good now.
pub(super) fn all(view: &View) -> Vec<Event> {
    let revoked = view.org.revocations().flat_map(|core| revoked(view, core));
    let agents = view.org.agents().filter(|core| !stands(view, core));
    let killed = view
        .org
        .connections()
        .filter(|core| view.killed(KillTarget::Connection(core.id)));
    revoked
        .chain(agents.map(|core| agent(view, core)))
        .chain(killed.filter_map(|core| audience(view, core.id)))
        .collect()
}
