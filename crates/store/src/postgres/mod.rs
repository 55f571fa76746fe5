//! The server engine: connections for commits and reads, and one appender for record entries. Row-level security
//! stands behind every statement in a tenant's name.

mod answers;
mod appender;
mod breaker;
mod conn;
mod lock;
mod outbox;
mod pipeline;
mod pool;
mod schema;
mod session;
mod target;
mod tls;

pub(crate) use outbox::Outbox;

use crate::{
    Engine, Load, Options, Priority, StoreError,
    command::Command,
    conn::{Backend, Conn, Role, Work},
    lanes::{Lane, Lanes},
    record::Waiting,
};
use conn::Mode;
use kernel::{Timestamp, limits};
use pool::Job;
use session::Session;
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};
use target::Target;

/// The queues and the threads behind them.
pub(crate) struct Postgres {
    jobs: Arc<Lanes<Job>>,
    records: Arc<Lanes<Waiting>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Whether anything may be written; a verifier's store only reads.
    changes: bool,
}

impl Postgres {
    pub(crate) fn open(url: &str, options: &Options) -> Result<Self, StoreError> {
        Self::open_after(url, options, true)
    }

    /// Opens a database that is there without changing it.
    pub(crate) fn open_to_read(url: &str, options: &Options) -> Result<Self, StoreError> {
        Self::open_after(url, options, false)
    }

    fn open_after(url: &str, options: &Options, changes: bool) -> Result<Self, StoreError> {
        let target = Arc::new(Target::parse(url, changes)?);
        let (first, wanted) = (target.clone(), options.clone());
        // The driver drives a runtime of its own, which must not start inside another.
        let migrated = std::thread::spawn(move || {
            if changes {
                schema::migrate(&first, &wanted)
            } else {
                schema::look(&first, &wanted)
            }
        });
        migrated.join().map_err(|_| StoreError::Panicked)??;
        let store = Self {
            jobs: Arc::new(Lanes::new("pool", limits::QUEUE_PER_ORG)),
            records: Arc::new(Lanes::new("append", limits::QUEUE_PER_ORG)),
            threads: Mutex::default(),
            changes,
        };
        let session = || Session::new(target.clone(), options.clock.clone());
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
        if changes {
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

    fn close(&self) {
        self.jobs.close();
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
