//! How a node is, for readiness and metrics: what it knows of its database, of its own threads, and whether it is
//! still there for new requests. Nothing is decided by it but whether requests should be sent here.

use super::Node;
use kernel::Monotonic;
use std::sync::{MutexGuard, PoisonError, atomic::Ordering};
use std::time::Duration;
use store::{Engine, Member, StoreError};
use tokio::time::timeout;

/// How long whoever writes may take to answer before it counts as stuck.
const PULSE: Duration = Duration::from_secs(5);

/// What the last look at the database found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    /// A file of this process.
    Embedded,
    /// A server that takes writes.
    Primary,
    /// A server that is a standby or takes no writes.
    Standby,
    /// It did not answer.
    Unreachable,
    /// Another history than before: the state is being loaded anew.
    Replaced,
}

impl Database {
    /// Its name in readiness.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::Unreachable => "unreachable",
            Self::Replaced => "replaced",
        }
    }

    /// Whether it can be worked with.
    pub const fn is_well(self) -> bool {
        matches!(self, Self::Embedded | Self::Primary)
    }
}

/// How a node is.
#[derive(Clone, Debug)]
pub struct Health {
    /// The database, as it was found last.
    pub database: Database,
    /// When the state was last proven current.
    pub proven: Monotonic,
    /// The thread that does not do its work, if one does not.
    pub stuck: Option<String>,
    well: Database,
}

impl Health {
    pub(super) fn new(engine: Engine, proven: Monotonic) -> Self {
        let well = match engine {
            Engine::Sqlite => Database::Embedded,
            Engine::Postgres => Database::Primary,
        };
        Self {
            database: well,
            proven,
            stuck: None,
            well,
        }
    }
}

impl Node {
    fn health_mut(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How this node is.
    pub fn health(&self) -> Health {
        self.health_mut().clone()
    }

    /// Who this node is to the others, once it joined them.
    pub fn member(&self) -> Option<&Member> {
        self.member.get()
    }

    /// From now on no new request should be sent here.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Whether this node is on its way out.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Looks whether the database's threads do their work: none has ended, and one that writes nothing is answered
    /// by whoever writes. Says which does not, for readiness.
    pub async fn feel(&self) {
        let pulse = timeout(PULSE, self.store.operate(Vec::new()));
        let stuck = match (self.store.ended(), pulse.await) {
            (Some(thread), _) => Some(thread),
            (None, Err(_)) => Some("database writer".to_owned()),
            // That the database does not answer is the polls' to say.
            (None, Ok(_)) => None,
        };
        self.health_mut().stuck = stuck;
    }

    pub(super) fn found(&self, database: Database) {
        self.health_mut().database = database;
    }

    pub(super) fn failed(&self, error: &StoreError) {
        self.found(match error {
            StoreError::Standby => Database::Standby,
            _ => Database::Unreachable,
        });
    }

    pub(super) fn proven(&self, as_of: Monotonic) {
        let mut health = self.health_mut();
        health.database = health.well;
        health.proven = as_of;
    }
}
