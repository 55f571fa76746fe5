//! The embedded engine: one writing thread that commits whatever waits together, reading threads, and a thread
//! that moves the write-ahead log into the file. Never lets two threads write.

mod checkpoint;
mod conn;
mod file;
mod reader;
mod room;
mod search;
mod writer;

use crate::{
    Engine, Load, Options, Priority, StoreError,
    command::Command,
    conn::{Backend, Role, Work},
    lanes::{Lane, Lanes},
    meta, migrate,
    migrate::Migration,
    record::Waiting,
    standing,
};
use conn::{Checkpoint, Lite};
use kernel::limits;
use room::Room;
use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};
use tokio::sync::Notify;

const LEDGER: &str = include_str!("../../migrations/sqlite/0000_ledger.sql");
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        sql: include_str!("../../migrations/sqlite/0001_first.sql"),
        beside: 1,
    },
    Migration {
        number: 2,
        name: "nodes",
        sql: include_str!("../../migrations/sqlite/0002_nodes.sql"),
        beside: 1,
    },
    Migration {
        number: 7,
        name: "no_token_index",
        sql: include_str!("../../migrations/sqlite/0007_no_token_index.sql"),
        beside: 2,
    },
    Migration {
        number: 9,
        name: "tiles",
        sql: include_str!("../../migrations/sqlite/0009_tiles.sql"),
        beside: 2,
    },
    Migration {
        number: 11,
        name: "tally",
        sql: include_str!("../../migrations/sqlite/0011_tally.sql"),
        beside: 7,
    },
    Migration {
        number: 13,
        name: "live_tokens",
        sql: include_str!("../../migrations/sqlite/0013_live_tokens.sql"),
        beside: 7,
    },
    Migration {
        number: 14,
        name: "relations",
        sql: include_str!("../../migrations/sqlite/0014_relations.sql"),
        beside: 14,
    },
];

/// See [`crate::Store::sqlite_copy`].
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    Lite::copy(from, to)
}

/// What the writing thread takes from its queue.
pub(crate) enum Job {
    Command(Box<dyn Command>),
    Record(Box<Waiting>),
    Work(Box<dyn Work>),
}

/// The queues and the threads behind them.
pub(crate) struct Sqlite {
    path: PathBuf,
    writes: Arc<Lanes<Job>>,
    reads: Arc<Lanes<Box<dyn Work>>>,
    /// What is written where logs are searched.
    searches: Arc<Lanes<Box<dyn Work>>>,
    ticks: Arc<checkpoint::Ticks>,
    /// None where nothing is written.
    room: Option<Arc<Room>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Whether it may write.
    changes: bool,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, options: &Options) -> Result<Self, StoreError> {
        Self::open_as(path, options, MIGRATIONS)
    }

    /// Opens a file as a build does that knows these migrations.
    pub(crate) fn open_as(
        path: &Path,
        options: &Options,
        known: &'static [Migration],
    ) -> Result<Self, StoreError> {
        let mut writer = Lite::open(path)?;
        migrate(&mut writer, &identity(path), options, known)?;
        let room = Arc::new(Room::beside(path));
        let store = Self {
            path: path.to_owned(),
            writes: Arc::new(Lanes::new("write", limits::QUEUE_PER_ORG)),
            reads: Arc::new(Lanes::new("read", limits::QUEUE_PER_ORG)),
            searches: Arc::new(Lanes::new("search", limits::QUEUE_PER_ORG)),
            ticks: Arc::default(),
            room: Some(room.clone()),
            threads: Mutex::default(),
            changes: true,
        };
        let (jobs, clock, full) = (store.writes.clone(), options.clock.clone(), room.clone());
        let write = move || {
            let (clock, room) = (&*clock, &*full);
            writer::run(writer, &jobs, writer::Means { clock, room });
        };
        store.spawn("store-writer", write)?;
        let searched = store.search(path)?;
        for _ in 0..options.connections.max(1) {
            let mut conn = Lite::open(path)?;
            conn.limit_reads(options.clock.clone())?;
            if let Some(file) = &searched
                && let Err(error) = conn.attach(file)
            {
                tracing::warn!(%error, "the file in which logs are searched cannot be read");
            }
            let jobs = store.reads.clone();
            store.spawn("store-reader", move || reader::run(conn, &jobs))?;
        }
        let (conn, ticks) = (Lite::open(path)?, store.ticks.clone());
        store.spawn("store-checkpoint", move || {
            checkpoint::run(conn, &ticks, &room)
        })?;
        Ok(store)
    }

    /// Opens a file that is there without changing it: nothing is migrated, and every write is refused.
    pub(crate) fn open_to_read(path: &Path, options: &Options) -> Result<Self, StoreError> {
        let mut conn = Lite::open_to_read(path)?;
        if !migrate::missing(&mut conn, MIGRATIONS)?.is_empty() {
            let text = "the database was made by an older build; start this build on it once";
            return Err(StoreError::Migration(text.into()));
        }
        let store = Self {
            path: path.to_owned(),
            writes: Arc::new(Lanes::new("write", limits::QUEUE_PER_ORG)),
            reads: Arc::new(Lanes::new("read", limits::QUEUE_PER_ORG)),
            searches: Arc::new(Lanes::new("search", limits::QUEUE_PER_ORG)),
            ticks: Arc::default(),
            room: None,
            threads: Mutex::default(),
            changes: false,
        };
        store.writes.close();
        store.searches.close();
        drop(conn);
        for _ in 0..options.connections.max(1) {
            // Nobody waits behind a verifier's read, however long it takes on a busy machine.
            let conn = Lite::open_to_read(path)?;
            let jobs = store.reads.clone();
            store.spawn("store-reader", move || reader::run(conn, &jobs))?;
        }
        Ok(store)
    }

    /// Starts the thread that writes where logs are searched. Without such a file nothing is refused.
    fn search(&self, path: &Path) -> Result<Option<PathBuf>, StoreError> {
        let file = search::beside(path);
        let jobs = self.searches.clone();
        match search::open(&file) {
            Ok(conn) => {
                self.spawn("store-search", move || search::run(conn, &jobs))?;
                Ok(Some(file))
            }
            Err(error) => {
                tracing::error!(%error, "there is no file to search logs in; searches look through the entries");
                jobs.close();
                Ok(None)
            }
        }
    }

    /// Refuses what may not use the reserve while the disk is full.
    fn has_room(&self, may_use_reserve: bool) -> Result<(), StoreError> {
        if self.is_full() && !may_use_reserve {
            return Err(StoreError::Full(
                "its reserve is kept for what takes authority away".into(),
            ));
        }
        Ok(())
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
}

/// What a file is known by: a copy that is put in its place has another place on the disk and was born later.
fn identity(path: &Path) -> String {
    use std::{os::unix::fs::MetadataExt, time::UNIX_EPOCH};
    let Ok(file) = path.metadata() else {
        return String::new();
    };
    let born = file.created().ok();
    let born = born.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    format!(
        "{}/{}",
        file.ino(),
        born.map_or(0, |since| since.as_micros())
    )
}

fn migrate(
    conn: &mut Lite,
    identity: &str,
    options: &Options,
    known: &[Migration],
) -> Result<(), StoreError> {
    conn.batch("BEGIN IMMEDIATE")?;
    let done = (|| {
        conn.batch(LEDGER)?;
        for migration in migrate::missing(conn, known)? {
            conn.batch(migration.sql)?;
            migrate::note(conn, migration, options.clock.now())?;
        }
        meta::set_once(conn, meta::EPOCH, &meta::epoch(&*options.entropy))?;
        standing::raise(conn, identity, options.clock.now())
    })();
    conn.batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    done.map(|_| ())
}

impl Backend for Sqlite {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn is_full(&self) -> bool {
        self.room.as_ref().is_some_and(|room| room.is_full())
    }

    fn commit(&self, command: Box<dyn Command>) -> Result<(), StoreError> {
        let plan = command.plan();
        self.has_room(plan.priority == Priority::Urgent)?;
        let lane = Lane::shared(plan.scope, plan.priority);
        self.writes.push(lane, Job::Command(command))
    }

    fn record(&self, waiting: Waiting) -> Result<(), StoreError> {
        self.has_room(false)?;
        let lane = Lane::shared(waiting.record.stream, Priority::Usual);
        self.writes.push(lane, Job::Record(Box::new(waiting)))
    }

    /// What the instance states of itself is written, so that a start does not need room.
    fn write(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError> {
        self.has_room(role == Role::Owner)?;
        let lane = Lane::shared(role.lane(), role.writes_at());
        self.writes.push(lane, Job::Work(work))
    }

    fn read(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError> {
        let lane = Lane::shared(role.lane(), role.reads_at());
        self.reads.push(lane, work)
    }

    fn project(&self, role: Role, work: Box<dyn Work>) -> Result<(), StoreError> {
        self.has_room(false)?;
        self.searches
            .push(Lane::shared(role.lane(), Priority::Bulk), work)
    }

    fn load(&self) -> Vec<Load> {
        vec![self.writes.load(), self.reads.load()]
    }

    fn watch(&self, role: Role, writes: bool, work: Box<dyn Work>) -> Result<(), StoreError> {
        if writes {
            self.write(role, work)
        } else {
            self.read(role, work)
        }
    }

    /// Nobody else writes, so nobody is ever notified.
    fn subscribe(&self) -> Result<Arc<Notify>, StoreError> {
        Ok(Arc::default())
    }

    fn renew(&self) {}

    fn ended(&self) -> Option<String> {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = threads.iter().find(|thread| thread.is_finished());
        ended.map(|thread| thread.thread().name().unwrap_or_default().to_owned())
    }

    fn schema(&self) -> u64 {
        migrate::newest(MIGRATIONS)
    }

    fn close(&self) {
        self.writes.close();
        self.reads.close();
        self.searches.close();
        self.ticks.stop();
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let own = std::thread::current().id();
        let ended: Vec<_> = threads.drain(..).collect();
        drop(threads);
        if ended.is_empty() {
            return;
        }
        for thread in ended
            .into_iter()
            .filter(|thread| thread.thread().id() != own)
        {
            // A thread that panicked has already said so.
            let _ended = thread.join();
        }
        if !self.changes {
            return;
        }
        if let Err(error) =
            Lite::open(&self.path).and_then(|conn| conn.checkpoint(Checkpoint::Truncate))
        {
            tracing::warn!(%error, "the write-ahead log was not emptied; the next start does it");
        }
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        self.close();
    }
}
