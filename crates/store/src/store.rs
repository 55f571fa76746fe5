//! The store as callers see it. Every call hands a closure to a database thread and waits for its answer; none
//! blocks the caller's thread except `sqlite`, `postgres` and `close`.

use crate::{
    CommitError, Committed, Engine, Head, Load, Moved, Operational, Plan, Prepared, Reader, Record,
    Recorded, Refusal, StoreError,
    command::Pending,
    conn::{Backend, Conn, Role, Task},
    events::{self, CheckpointRow},
    head, meta, operate, postgres,
    record::Waiting,
    scan::{self, Scan, Stretch},
    sqlite,
    tx::Tx,
    value::Cells,
};
use domain::{Change, Stream};
use kernel::{Clock, Entropy, Timestamp};
use std::{collections::HashMap, path::Path, sync::Arc};
use tokio::sync::oneshot;

/// What a store needs from its surroundings.
#[derive(Clone)]
pub struct Options {
    /// Where the present comes from.
    pub clock: Arc<dyn Clock>,
    /// Where the epoch comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Reading threads on SQLite; connections for commits and reads on PostgreSQL.
    pub connections: usize,
}

/// A handle; clones share the same threads, which end with `close` or the last handle.
#[derive(Clone)]
pub struct Store {
    pub(crate) backend: Arc<dyn Backend>,
}

/// One revision of the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    /// The revision.
    pub state_rev: u64,
    /// What it changed.
    pub changes: Vec<Change>,
}

const FEED: &str = "SELECT stream, state_rev, changes FROM change_feed WHERE stream = $1 AND state_rev > $2 \
    ORDER BY state_rev LIMIT $3";
pub(crate) const HEADS: &str = "SELECT stream, seq, state_rev, authority_rev, hash, time, frontier FROM stream_head ORDER BY stream";
/// How many heads are looked up one by one rather than found among all.
const FEW: usize = 8;

impl Store {
    /// Opens the file at `path`, making or migrating it. Blocks.
    ///
    /// # Errors
    /// When the file cannot be used or its schema is not this build's.
    pub fn sqlite(path: &Path, options: Options) -> Result<Self, StoreError> {
        let backend = Arc::new(sqlite::Sqlite::open(path, &options)?);
        Ok(Self { backend })
    }

    /// Opens the file at `path` for reading alone, as a verifier does, beside whoever writes it. Blocks.
    ///
    /// # Errors
    /// When the file is not there, cannot be read or its schema is not this build's.
    pub fn sqlite_to_read(path: &Path, options: Options) -> Result<Self, StoreError> {
        let backend = Arc::new(sqlite::Sqlite::open_to_read(path, &options)?);
        Ok(Self { backend })
    }

    /// Writes all that the file at `from` holds, at one moment and beside whoever writes it, to the file `to`, which must
    /// not exist. Blocks.
    ///
    /// # Errors
    /// When the one cannot be read or the other not be made.
    pub fn sqlite_copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        sqlite::copy(from, to)
    }

    /// Connects to the database at `url`, migrating it. Blocks.
    ///
    /// # Errors
    /// When the server cannot be reached or the schema is not this build's.
    pub fn postgres(url: &str, options: Options) -> Result<Self, StoreError> {
        let backend = Arc::new(postgres::Postgres::open(url, &options)?);
        Ok(Self { backend })
    }

    /// Whether an address can be connected to at all, without connecting.
    ///
    /// # Errors
    /// What is wrong with it, without repeating it.
    pub fn reads_as_postgres(url: &str) -> Result<(), StoreError> {
        postgres::reads(url)
    }

    /// Connects to the database at `url` for reading alone: makes no role and no table, and refuses every write.
    /// Blocks.
    ///
    /// # Errors
    /// `Absent` when nothing was ever made there; when the server cannot be reached or the schema is not this build's.
    pub fn postgres_to_read(url: &str, options: Options) -> Result<Self, StoreError> {
        let backend = Arc::new(postgres::Postgres::open_to_read(url, &options)?);
        Ok(Self { backend })
    }

    /// How much waits in each queue.
    pub fn load(&self) -> Vec<Load> {
        self.backend.load()
    }

    /// Which database is underneath.
    pub fn engine(&self) -> Engine {
        self.backend.engine()
    }

    /// Whether the embedded database's disk is full: then nothing is written but what takes authority away.
    pub fn is_full(&self) -> bool {
        self.backend.is_full()
    }

    /// Runs `run` in a transaction that is committed whole or not at all: rows, entries, feed and heads. The
    /// closure may run more than once, so it takes everything random or costly from outside (I1, I2).
    ///
    /// # Errors
    /// See `CommitError`; nothing was written unless it is `Unavailable`, where it may be unknown.
    pub async fn commit<T, F>(&self, plan: Plan, run: F) -> Result<Committed<T>, CommitError>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, Refusal> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.commit_and_tell(plan, run, |_| ()).await
    }

    /// The same; `told` hears what was moved on the database's thread, after the commit and before anybody has the
    /// answer. On SQLite, that is in the order of the commits. It must not wait.
    ///
    /// # Errors
    /// As for `commit`.
    pub async fn commit_and_tell<T, F>(
        &self,
        plan: Plan,
        run: F,
        told: impl FnOnce(&[Moved]) + Send + 'static,
    ) -> Result<Committed<T>, CommitError>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, Refusal> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.backend.commit(Box::new(Pending {
            plan,
            run,
            value: None,
            told: Box::new(told),
            reply,
        }))?;
        answer.await.unwrap_or(Err(StoreError::closed().into()))
    }

    /// Appends an entry that moves no state, together with others that wait.
    ///
    /// # Errors
    /// See `CommitError`.
    pub async fn record(&self, record: Record) -> Result<Recorded, CommitError> {
        Prepared::check(&record.entry)?;
        let (reply, answer) = oneshot::channel();
        self.backend.record(Waiting { record, reply })?;
        answer.await.unwrap_or(Err(StoreError::closed().into()))
    }

    /// Makes operational writes, all or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn operate(&self, operations: Vec<Operational>) -> Result<(), StoreError> {
        let run = move |conn: &mut dyn Conn| {
            operations
                .iter()
                .try_for_each(|operation| operate::run(conn, operation))
        };
        self.write(Role::Node, run).await
    }

    /// Forgets up to `most` one-time artefacts, and as many answers to idempotency keys, that ended before this
    /// moment. Returns how many: fewer than `most` when none is left.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sweep(&self, before: Timestamp, most: u64) -> Result<u64, StoreError> {
        let run = move |conn: &mut dyn Conn| operate::sweep(conn, before, most);
        self.write(Role::Node, run).await
    }

    /// Makes the tables that the log will need in the months after `now`, where it has one for each. Without them
    /// nothing is refused: entries go into a table for all other times. Returns how many were missing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn make_months(&self, now: Timestamp) -> Result<u64, StoreError> {
        let ahead = self.backend.ahead();
        self.write(Role::Owner, move |conn| ahead(conn, now)).await
    }

    /// Reads one stream and the instance's in one snapshot, for at most two seconds.
    ///
    /// # Errors
    /// What `run` returns, or when the database fails.
    pub async fn read<T, F>(&self, scope: Stream, run: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut Reader<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let run = move |conn: &mut dyn Conn| run(&mut Reader::new(conn, scope));
        self.look(Role::Tenant(scope), run).await
    }

    /// Where streams stand: these, all zero for one without entries, or every one that has an entry. A query for
    /// each of a few, one for many.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn heads(
        &self,
        streams: Option<Vec<Stream>>,
    ) -> Result<Vec<(Stream, Head)>, StoreError> {
        let run = move |conn: &mut dyn Conn| match streams {
            None => every_head(conn),
            Some(streams) if streams.len() > FEW => {
                let known: HashMap<_, _> = every_head(conn)?.into_iter().collect();
                let head = |stream| (stream, known.get(&stream).copied().unwrap_or_default());
                Ok(streams.into_iter().map(head).collect())
            }
            Some(streams) => {
                let look = |stream| Ok((stream, head::look(conn, stream)?.head));
                streams.into_iter().map(look).collect()
            }
        };
        self.look(Role::Node, run).await
    }

    /// The rows of all streams as they lie in the file. An embedded database alone has positions.
    ///
    /// # Errors
    /// When the database fails or is a server.
    pub async fn scan(&self, stretch: Stretch) -> Result<Scan, StoreError> {
        self.has_positions()?;
        self.look(Role::Node, move |conn| scan::scan(conn, stretch))
            .await
    }

    /// A position before every row of the file, and that of its last.
    ///
    /// # Errors
    /// When the database fails or is a server.
    pub async fn extent(&self) -> Result<(i64, i64), StoreError> {
        self.has_positions()?;
        self.look(Role::Node, scan::extent).await
    }

    fn has_positions(&self) -> Result<(), StoreError> {
        match self.engine() {
            Engine::Sqlite => Ok(()),
            Engine::Postgres => Err(StoreError::Value(
                "a database server has no positions".into(),
            )),
        }
    }

    /// The streams that have entries, known or not.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn streams(&self) -> Result<Vec<Stream>, StoreError> {
        self.look(Role::Node, scan::streams).await
    }

    /// The feed of a stream after `state_rev`, in order.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn changes_after(
        &self,
        stream: Stream,
        state_rev: u64,
        limit: usize,
    ) -> Result<Vec<FeedRow>, StoreError> {
        let limit = u64::try_from(limit).unwrap_or(u64::MAX);
        let run = move |conn: &mut dyn Conn| {
            let params = [stream.into(), state_rev.into(), limit.into()];
            let rows = conn.query(FEED, &params)?;
            rows.into_iter().map(feed_row).collect()
        };
        self.look(Role::Tenant(stream), run).await
    }

    /// The head of a stream and the change that each of its rows stands for, in one snapshot.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn export(&self, stream: Stream) -> Result<(Head, Vec<Change>), StoreError> {
        self.read(stream, move |reader| {
            let (head, _) = reader.frontier(stream)?;
            Ok((head, reader.all_changes(stream)?))
        })
        .await
    }

    /// Keeps a signed checkpoint; one of the same size and time that is there stays.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn save_checkpoint(
        &self,
        stream: Stream,
        size: u64,
        time: Timestamp,
        note: String,
    ) -> Result<(), StoreError> {
        let row = CheckpointRow { size, time, note };
        let run = move |conn: &mut dyn Conn| events::save_checkpoint(conn, stream, &row);
        self.write(Role::Tenant(stream), run).await
    }

    /// A fact about the instance.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn meta(&self, key: &'static str) -> Result<Option<String>, StoreError> {
        let run = move |conn: &mut dyn Conn| meta::get(conn, key);
        self.look(Role::Owner, run).await
    }

    /// States a fact about the instance unless it is stated; returns the one that stands.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_meta_once(
        &self,
        key: &'static str,
        value: String,
    ) -> Result<String, StoreError> {
        let run = move |conn: &mut dyn Conn| meta::set_once(conn, key, &value);
        self.write(Role::Owner, run).await
    }

    /// Runs what waits, then ends the threads. Later calls are refused. Blocks.
    pub fn close(&self) {
        self.backend.close();
    }

    /// The same as `write` or `look`, in front of everybody who waits for those.
    pub(crate) async fn watch<T, F>(
        &self,
        role: Role,
        writes: bool,
        run: F,
    ) -> Result<T, StoreError>
    where
        F: FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (work, answer) = Task::queued(run);
        self.backend.watch(role, writes, work)?;
        answer.await.unwrap_or(Err(StoreError::closed()))
    }

    pub(crate) async fn write<T, F>(&self, role: Role, run: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (work, answer) = Task::queued(run);
        self.backend.write(role, work)?;
        answer.await.unwrap_or(Err(StoreError::closed()))
    }

    pub(crate) async fn project<T, F>(&self, role: Role, run: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (work, answer) = Task::queued(run);
        self.backend.project(role, work)?;
        answer.await.unwrap_or(Err(StoreError::closed()))
    }

    pub(crate) async fn look<T, F>(&self, role: Role, run: F) -> Result<T, StoreError>
    where
        F: FnOnce(&mut dyn Conn) -> Result<T, StoreError> + Send + 'static,
        T: Send + 'static,
    {
        let (work, answer) = Task::queued(run);
        self.backend.read(role, work)?;
        answer.await.unwrap_or(Err(StoreError::closed()))
    }
}

fn every_head(conn: &mut dyn Conn) -> Result<Vec<(Stream, Head)>, StoreError> {
    let rows = conn.query(HEADS, &[])?.into_iter();
    rows.map(|row| {
        let (stream, mut chain) = head::decode(row)?;
        head::follow(conn, stream, &mut chain)?;
        Ok((stream, chain.head))
    })
    .collect()
}

fn feed_row(row: crate::value::Row) -> Result<FeedRow, StoreError> {
    let mut cells = Cells::new("change_feed", row);
    let _stream = cells.array::<16>("stream")?;
    FeedRow::rest(cells)
}

impl FeedRow {
    /// What follows a row's stream.
    pub(crate) fn rest(mut cells: Cells) -> Result<Self, StoreError> {
        let state_rev = cells.count("state_rev")?;
        let text = cells.text("changes")?;
        let changes =
            serde_json::from_str(&text).map_err(|error| cells.corrupt("changes", error))?;
        Ok(Self { state_rev, changes })
    }
}
