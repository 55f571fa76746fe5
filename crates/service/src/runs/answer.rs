//! A run as the management API shows it, in the state that time gives it. Its token is in the answers that start
//! and renew it and nowhere else.

use domain::{Run, RunState, Scope};
use kernel::{Agent, Id, Timestamp, User};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RunAnswer {
    /// Identifier.
    pub id: Id<kernel::Run>,
    /// The agent whose run it is.
    pub agent: Id<Agent>,
    /// The run it was started from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Id<kernel::Run>>,
    /// Life, as of now.
    pub state: RunState,
    /// How deep it lies; a root is 1.
    pub depth: u8,
    /// What it is for.
    pub purpose: String,
    /// What it was scoped to, by name.
    pub scopes: Vec<Scope>,
    /// When it ends by itself.
    pub deadline: Timestamp,
    /// When it drains by itself unless a heartbeat comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_until: Option<Timestamp>,
    /// The human in whose name it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiator: Option<Id<User>>,
    /// The transaction that it and its descendants belong to.
    pub transaction: String,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Its token for this server, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_token: Option<String>,
    /// Seconds until its token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    /// Set when an earlier answer to the same request carried the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_already_delivered: Option<bool>,
}

impl RunAnswer {
    /// A run at this moment.
    pub fn new(run: &Run, now: Timestamp) -> Self {
        let core = &run.core;
        let state = core.state_at(now);
        let mut scopes: Vec<Scope> = core
            .scopes
            .iter()
            .map(|grant| grant.scope.clone())
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        Self {
            id: core.id,
            agent: core.agent,
            parent: core.parent,
            state,
            depth: core.depth,
            purpose: run.purpose.clone(),
            scopes,
            deadline: core.deadline,
            lease_until: core.lease_until,
            initiator: core.initiator.map(|initiator| initiator.user),
            transaction: core.transaction.clone(),
            created_at: run.created_at,
            ended_at: run.ended_at.or((!state.is_live()).then_some(core.deadline)),
            run_token: None,
            expires_in: None,
            secret_already_delivered: None,
        }
    }
}
