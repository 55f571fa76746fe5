//! The server engine: connections for commits and reads, and one appender for record entries. Row-level security
//! stands behind every statement in a tenant's name.

mod answers;
mod appender;
mod bell;
mod breaker;
mod conn;
mod lock;
mod outbox;
mod pipeline;
mod pool;
pub(crate) mod schema;
mod session;
mod target;
mod tls;

pub(crate) use outbox::Outbox;

use crate::{
    Engine, Load, Options, Priority, StoreError,
    command::Command,
    conn::{Backend, Conn, Role, Work},
    lanes::{Lane, Lanes},
    migrate::{self, Migration},
    record::Waiting,
};
use bell::Bell;
use conn::Mode;
use kernel::{Clock, Timestamp, limits};
use pool::Job;
use session::Session;
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};
use target::Target;
use tokio::sync::Notify;

/// See [`crate::Store::reads_as_postgres`].
pub(crate) fn reads(url: &str) -> Result<(), StoreError> {
    Target::parse(url, false).map(|_| ())
}

/// The queues and the threads behind them.
pub(crate) struct Postgres {
    jobs: Arc<Lanes<Job>>,
    records: Arc<Lanes<Waiting>>,
    /// What proves that the state is current, on a connection of its own: a crowd must not make the node doubt.
    watched: Arc<Lanes<Job>>,
    bell: Arc<Bell>,
    target: Arc<Target>,
    clock: Arc<dyn Clock>,
    /// The last migration that this build knows.
    schema: u64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Whether anything may be written; a verifier's store only reads.
    changes: bool,
}

impl Postgres {
    pub(crate) fn open(url: &str, options: &Options) -> Result<Self, StoreError> {
        Self::open_after(url, options, true, schema::MIGRATIONS)
    }

    /// Opens a database that is there without changing it.
    pub(crate) fn open_to_read(url: &str, options: &Options) -> Result<Self, StoreError> {
        Self::open_after(url, options, false, schema::MIGRATIONS)
    }

    /// Opens a database as a build does that knows these migrations.
    pub(crate) fn open_after(
        url: &str,
        options: &Options,
        changes: bool,
        known: &'static [Migration],
    ) -> Result<Self, StoreError> {
        let target = Arc::new(Target::parse(url, changes)?);
        let (first, wanted) = (target.clone(), options.clone());
        // The driver drives a runtime of its own, which must not start inside another.
        let migrated = std::thread::spawn(move || {
            if changes {
                schema::migrate(&first, &wanted, known)
            } else {
                schema::look(&first, &wanted, known)
            }
        });
        migrated.join().map_err(|_| StoreError::Panicked)??;
        let store = Self {
            jobs: Arc::new(Lanes::new("pool", limits::QUEUE_PER_ORG)),
            records: Arc::new(Lanes::new("append", limits::QUEUE_PER_ORG)),
            watched: Arc::new(Lanes::new("watch", limits::QUEUE_PER_ORG)),
            bell: Arc::new(Bell::new(u128::from_be_bytes((*options.entropy).bytes()))),
            target: target.clone(),
            clock: options.clock.clone(),
            schema: migrate::newest(known),
            threads: Mutex::default(),
            changes,
        };
        let (clock, bell) = (options.clock.clone(), store.bell.clone());
        let session = || Session::new(target.clone(), clock.clone(), bell.clone());
        for _ in 0..options.connections.max(1) {
            let (session, jobs) = (session(), store.jobs.clone());
            store.spawn("store-pool", move || {
                pool::run(session, || jobs.take(1), &jobs)
            })?;
        }
        // However long the others are busy, taking authority away finds a connection (AUD-9).
        let (first, jobs) = (session(), store.jobs.clone());
        store.spawn("store-urgent", move || {
            pool::run(first, || jobs.take_urgent(1), &jobs)
        })?;
        let (own, jobs) = (session(), store.watched.clone());
        store.spawn("store-watch", move || {
            pool::run(own, || jobs.take(1), &jobs)
        })?;
        if changes {
            let (bell, target, clock) = (bell.clone(), target.clone(), clock.clone());
            store.spawn("store-bell", move || bell.ringing(&target, &clock))?;
            let (session, records) = (session(), store.records.clone());
            store.spawn("store-appender", move || appender::run(session, &records))?;
        } else {
            store.records.close();
        }
        Ok(store)
    }

    fn spawn(&self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
        let builder = std::thread::Builder::new().name(name.into());
        let thread = builder
            .spawn(run)
            .map_err(|error| StoreError::Lost(format!("a thread cannot be started: {error}")))?;
        self.threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(thread);
        Ok(())
    }

    fn may_change(&self) -> Result<(), StoreError> {
        if self.changes {
            return Ok(());
        }
        Err(StoreError::closed())
    }

    fn work(&self, role: Role, mode: Mode, work: Box<dyn Work>) -> Result<(), StoreError> {
        let priority = match mode {
            Mode::Read => role.reads_at(),
            Mode::Write => role.writes_at(),
        };
        let lane = Lane::shared(role.lane(), priority);
        self.jobs.push(lane, Job::Work(role, mode, work))
    }
}

impl Backend for Postgres {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }

    /// Commits of one stream wait for its head anyhow: they take one connection at a time.
    fn commit(&self, command: Box<dyn Command>) -> Result<(), StoreError> {
        self.may_change()?;
        let plan = command.plan();
        let lane = Lane::single(plan.scope, plan.priority);
        self.jobs.push(lane, Job::Command(command))
    }

    fn record(&self, waiting: Waiting) -> Result<(), StoreError> {
        let lane = Lane::shared(waiting.record.stream, Priority::Usual);
        self.records.push(lane, waiting)
    }

    fn write(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError> {
        self.may_change()?;
        self.work(role, Mode::Write, work)
    }

    fn read(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError> {
        self.work(role, Mode::Read, work)
    }

    fn load(&self) -> Vec<Load> {
        vec![self.jobs.load(), self.records.load()]
    }

    fn ahead(&self) -> fn(&mut dyn Conn, Timestamp) -> Result<u64, StoreError> {
        schema::ahead
    }

    fn watch(&self, role: Role, writes: bool, work: Box<dyn Work>) -> Result<(), StoreError> {
        let mode = if writes {
            self.may_change()?;
            Mode::Write
        } else {
            Mode::Read
        };
        let lane = Lane::shared(role.lane(), Priority::Usual);
        self.watched.push(lane, Job::Work(role, mode, work))
    }

    fn subscribe(&self) -> Result<Arc<Notify>, StoreError> {
        if self.bell.first_listener() {
            let (target, clock) = (self.target.clone(), self.clock.clone());
            let bell = self.bell.clone();
            self.spawn("store-listener", move || bell.listening(&target, &clock))?;
        }
        Ok(self.bell.heard())
    }

    fn renew(&self) {
        self.target.renew();
    }

    fn ended(&self) -> Option<String> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = threads.iter().find(|thread| thread.is_finished());
        ended.map(|thread| thread.thread().name().unwrap_or_default().to_owned())
    }

    fn schema(&self) -> u64 {
        self.schema
    }

    fn close(&self) {
        self.jobs.close();
        self.watched.close();
        self.bell.close();
        self.records.close();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let own = std::thread::current().id();
        for thread in threads
            .drain(..)
            .filter(|thread| thread.thread().id() != own)
        {
            // A thread that panicked has already said so.
            let _ended = thread.join();
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.close();
    }
}
