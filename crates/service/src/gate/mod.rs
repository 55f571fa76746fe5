//! Who gets in: before anything costly, a request asks here for its organization and class. Organizations take turns,
//! what takes authority away has room of its own, and what would wait too long is refused at once. It never decides
//! what anybody may do, and an answer of its is never a permit.

mod failed;
mod pool;
mod pressure;
mod rate;
mod report;
mod share;
mod shared;

pub use failed::TooMany;
pub use pool::Permit;

use crate::{Error, Result};
use aws_lc_rs::hmac;
use domain::OrganizationCore;
use egress::Guarded;
use kernel::{Clock, Code, Id, Micros, Monotonic, Org, limit, limits};
use pool::{Pool, Room};
use pressure::{Measured, Pace, Pressure, TICK};
use share::{Share, Shares};
use shared::Shared;
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

/// More requests than this carried out at once keep the processors busy.
const MANY: usize = 8;

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
            Self::Decision | Self::Token => (512, 16),
            Self::Management => (128, 4),
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
    /// Counts that nodes share; none where there is one node.
    shared: Option<Shared>,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            pools: Class::ALL.map(|class| Arc::new(Pool::new(class as usize, class.room()))),
            shares: Shares::default(),
            pressure: Pressure::default(),
            shed: Default::default(),
            named: report::Named::default(),
            shared: None,
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
    /// A gate that counts together with other nodes, and names sources to them under this key.
    #[must_use]
    pub fn sharing(mut self, fast: Arc<Guarded>, key: hmac::Key) -> Self {
        self.shared = Some(Shared::new(fast, key));
        self
    }

    /// The counts that nodes share; none where this one counts by itself.
    pub fn shared(&self) -> Option<&Arc<Guarded>> {
        self.shared.as_ref().map(|shared| &shared.fast)
    }

    /// Organizations that used four fifths of a second's quota since this was last asked.
    pub fn take_near(&self) -> Vec<Id<Org>> {
        let near = |share: Arc<Share>| share.org.filter(|_| share.rate.take_near());
        self.shares.all().into_iter().filter_map(near).collect()
    }

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

    /// Whether the organization's quota of requests a second, if it has one, leaves room for this one. Asked once it
    /// is known who asks: a stranger uses up nobody's quota. What takes authority away is not counted.
    ///
    /// # Errors
    /// `organization_busy`, with the quota.
    pub async fn within(&self, class: Class, org: &OrganizationCore, now: Monotonic) -> Result<()> {
        let quota = org.quotas.requests_per_second;
        let Some(most) = quota.filter(|_| class != Class::Revocation) else {
            return Ok(());
        };
        let share = self.shares.of(Some(org.id));
        let shared = self
            .shared()
            .map(|fast| (&**fast, || Shared::requests(org.id)));
        if share.rate.take(most, shared, now).await {
            return Ok(());
        }
        share.refused.fetch_add(1, Ordering::Relaxed);
        let detail = format!(
            "the organization's quota of {most} requests a second is used up; send fewer, or ask the instance's administrators for more"
        );
        let limit = limits::Limit::new("quota_requests_per_second", most);
        Err(Error::new(Code::OrganizationBusy, detail).at(limit))
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

    /// Rests after work that nobody waits for and that took this long: three times as long, and thirty times while
    /// many requests are carried out, so that those feel next to nothing of it.
    pub(crate) async fn rest(&self, worked: Micros) {
        let running: usize = self.pools.iter().map(|pool| pool.running()).sum();
        let times = if running > MANY { 30 } else { 3 };
        tokio::time::sleep(Duration::from_micros(worked.get().unsigned_abs()) * times).await;
    }

    /// Measures for as long as the task lives.
    pub async fn watch(self: Arc<Self>, store: Store, clock: Arc<dyn Clock>) {
        let mut every = interval(Duration::from_micros(TICK.get().unsigned_abs()));
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut paces, mut memory) = (Vec::<Pace>::new(), Measured::default());
        let mut forgotten = clock.boot();
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
            if now.since(forgotten) > Micros::seconds(60) {
                forgotten = now;
                self.shares
                    .all()
                    .iter()
                    .for_each(|share| share.failed.forget(now));
            }
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

    /// Counts a failed attempt from this source; whether there were too many. Other nodes are told of many at a time
    /// and nobody waits for it; without the shared counts half as many of a source are too many.
    pub fn failed(&self, source: Option<IpAddr>, now: Monotonic) -> Option<TooMany> {
        let seen = self.share.failed.count(source, now);
        let shared = self.gate.shared.as_ref();
        if let Some(shared) = shared.filter(|_| seen.tell) {
            let key = shared.failures(self.share.org, seen.source);
            let (fast, share) = (shared.fast.clone(), self.share.clone());
            tokio::spawn(async move {
                if let Ok(counted) = fast.add(&key, failed::TOLD, Duration::from_secs(60)).await {
                    share.failed.heard(seen.source, counted.count, now);
                }
            });
        }
        failed::too_many(seen, shared.is_some_and(|shared| shared.fast.is_open()))
    }
}
