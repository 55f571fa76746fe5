//! Runs: one execution of a task by an agent, inside a tree. A run is a node of the grant graph; its lineage
//! is its parent's with its own id, so that revoking any ancestor ends it.

use crate::{Change, Entity, GrantId, Lineage, ScopeGrant, Table};
use kernel::{Id, Timestamp, User};
use serde::{Deserialize, Serialize};

/// The life of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Made, not begun.
    Pending,
    /// Under way.
    Running,
    /// Nothing new is issued; what is in flight may finish.
    Draining,
    /// Ended well.
    Completed,
    /// Ended badly.
    Failed,
    /// Stopped by somebody.
    Terminated,
}

impl RunState {
    /// Whether new tokens and dispatches are possible.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
    /// Whether tokens issued under it are still good.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Pending | Self::Running | Self::Draining)
    }
}

/// The human in whose name a run was started, whose authority then bounds it too (AGT-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Initiator {
    /// The human.
    pub user: Id<User>,
    /// The API token they used.
    pub token: Option<Id<kernel::Token>>,
}

/// What decisions need of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCore {
    /// Identifier.
    pub id: Id<kernel::Run>,
    /// The agent whose run it is.
    pub agent: Id<kernel::Agent>,
    /// The run it was started from.
    pub parent: Option<Id<kernel::Run>>,
    /// Its own node in the grant graph.
    pub grant: GrantId,
    /// Every node above it and its own.
    pub lineage: Lineage,
    /// How deep it lies; a root is 1.
    pub depth: u8,
    /// What the task was scoped to; never more than its parent's.
    pub scopes: Vec<ScopeGrant>,
    /// Life.
    pub state: RunState,
    /// When it ends by itself.
    pub deadline: Timestamp,
    /// When it drains by itself unless a heartbeat moves this on.
    pub lease_until: Option<Timestamp>,
    /// The human who started it, when it was not the agent itself.
    pub initiator: Option<Initiator>,
    /// The transaction that it and its descendants belong to.
    pub transaction: String,
}

impl RunCore {
    /// The state at this moment: a lease that ran out drains, a deadline that passed fails.
    pub fn state_at(&self, now: Timestamp) -> RunState {
        if self.state.is_live() && self.deadline <= now {
            RunState::Failed
        } else if self.state.is_open() && self.lease_until.is_some_and(|until| until <= now) {
            RunState::Draining
        } else {
            self.state
        }
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What decisions need.
    pub core: RunCore,
    /// What it is for, in the words of whoever started it.
    pub purpose: String,
    /// How long a heartbeat keeps it alive, in seconds, when it asked for a lease.
    pub lease_seconds: Option<u32>,
    /// When it was started.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Whether a dispatch that was allowed made it; only such a run may raise trust (TRU-7).
    #[serde(default)]
    pub dispatched: bool,
}

impl Entity for Run {
    const TABLE: Table = Table::Run;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Run(Box::new(self.core.clone())))
    }
}
