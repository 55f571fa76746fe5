//! Who gets in: before anything costly, a request asks here for its organization and class. Organizations take turns,
//! what takes authority away has room of its own, and what would wait too long is refused at once. It never decides
//! what anybody may do, and an answer of its is never a permit.

mod failed;
mod pool;
mod pressure;
mod report;
mod share;

pub use pool::Permit;

use crate::{Error, Result};
use kernel::{Clock, Id, Micros, Monotonic, Org, limit, limits};
use pool::{Pool, Room};
use pressure::{Measured, Pace, Pressure, TICK};
use share::{Share, Shares};
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::Store;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// What sort of request it is, the last to be refused first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Takes authority away.
    Revocation,
    /// Asks what somebody may do now: introspection, dispatch.
    Decision,
    /// Asks for a token.
    Token,
    /// Manages.
    Management,
    /// Nobody waits for it.
    Job,
}

impl Class {
    /// How many there are.
    const COUNT: usize = 5;
    const ALL: [Self; Self::COUNT] = [
        Self::Revocation,
        Self::Decision,
        Self::Token,
        Self::Management,
        Self::Job,
    ];

    /// Its name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Decision => "decision",
            Self::Token => "token",
            Self::Management => "management",
            Self::Job => "job",
        }
    }

    const fn room(self) -> Room {
        let (all, each) = match self {
            Self::Revocation => (128, 32),
            Self::Decision | Self::Token => (512, 32),
            Self::Management => (128, 16),
            Self::Job => (4, 1),
        };
        Room {
            all,
            each,
            waiting: limits::WAITING_PER_ORG,
        }
    }

    /// The longest wait that is still begun, for a processor and for the database. Decisions from memory go on
    /// while the database stands still.
    const fn patience(self) -> (Micros, Micros) {
        let never = Micros::new(i64::MAX);
        match self {
            Self::Revocation => (never, never),
            Self::Decision => (Micros::seconds(2), never),
            Self::Token => (limits::QUEUE_WAIT, limits::QUEUE_WAIT),
            Self::Management => (Micros::new(500_000), Micros::new(500_000)),
            Self::Job => (Micros::new(100_000), Micros::new(100_000)),
        }
    }
}

/// The one gate of a process.
#[derive(Debug)]
pub struct Gate {
    pools: [Arc<Pool>; Class::COUNT],
    shares: Shares,
    pressure: Pressure,
    shed: [AtomicU64; Class::COUNT],
    named: report::Named,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            pools: Class::ALL.map(|class| Arc::new(Pool::new(class as usize, class.room()))),
            shares: Shares::default(),
            pressure: Pressure::default(),
            shed: Default::default(),
            named: report::Named::default(),
        }
    }
}

/// A request that was let in; it asks for its place when it is there whole.
#[derive(Clone, Debug)]
pub struct Ticket {
    gate: Arc<Gate>,
    share: Arc<Share>,
    class: Class,
}

impl Gate {
    /// Lets a request in, before it is read: an organization's own, or nobody's.
    ///
    /// # Errors
    /// `overloaded` when it would wait too long.
    pub fn admit(
        self: &Arc<Self>,
        class: Class,
        org: Option<Id<Org>>,
        now: Monotonic,
    ) -> Result<Ticket> {
        let share = self.shares.of(org);
        self.shares.note(&share, now);
        if self.is_hopeless(class) {
            return Err(self.shed(class, &share));
        }
        Ok(Ticket {
            gate: self.clone(),
            share,
            class,
        })
    }

    fn is_hopeless(&self, class: Class) -> bool {
        let (processor, database) = class.patience();
        self.pressure.runtime() > processor || self.pressure.store() > database
    }

    fn shed(&self, class: Class, share: &Share) -> Error {
        share.refused.fetch_add(1, Ordering::Relaxed);
        if let Some(count) = self.shed.get(class as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Error::overloaded()
    }

    fn pool(&self, class: Class) -> Option<&Arc<Pool>> {
        self.pools.get(class as usize)
    }

    /// Waits until nobody is kept waiting by a job.
    pub async fn quiet(&self) {
        while self.is_hopeless(Class::Job) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Measures for as long as the task lives.
    pub async fn watch(self: Arc<Self>, store: Store, clock: Arc<dyn Clock>) {
        let mut every = interval(Duration::from_micros(TICK.get().unsigned_abs()));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut paces, mut memory) = (Vec::<Pace>::new(), Measured::default());
        loop {
            every.tick().await;
            let now = clock.boot();
            let loads = store.load();
            paces.resize_with(loads.len(), Pace::default);
            let waits = paces
                .iter_mut()
                .zip(&loads)
                .map(|(pace, load)| pace.wait(now, load.waiting(), load.taken));
            let longest = waits.max().unwrap_or(Micros::new(0));
            self.pressure.measured(&mut memory, now, longest);
        }
    }
}

impl Ticket {
    /// A place among those that are carried out, in the organization's turn.
    ///
    /// # Errors
    /// `organization_busy` when too many of the organization wait, `overloaded` after a second.
    pub async fn enter(&self) -> Result<Permit> {
        let pool = self.gate.pool(self.class).ok_or_else(Error::overloaded)?;
        let place = match pool.ask(&self.share, self.gate.shares.contended()) {
            Ok(Ok(permit)) => return Ok(permit),
            Ok(Err(place)) => place,
            Err(pool::Full) => {
                self.share.refused.fetch_add(1, Ordering::Relaxed);
                return Err(Error::busy(limit!(WAITING_PER_ORG)));
            }
        };
        let patience = Duration::from_micros(limits::QUEUE_WAIT.get().unsigned_abs());
        match timeout(patience, place).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.gate.shed(self.class, &self.share)),
        }
    }

    /// What it asks for.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Counts a failed attempt from this source; whether there were too many in this minute.
    pub fn failed(&self, source: Option<IpAddr>, now: Monotonic) -> bool {
        too_many(self.share.failed.count(source, now))
    }
}

fn too_many(failed: u64) -> bool {
    usize::try_from(failed).is_ok_and(|failed| failed > limits::FAILED_PER_SOURCE)
}
