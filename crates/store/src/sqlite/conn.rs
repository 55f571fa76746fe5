//! A connection to the file: its settings, its statements, and what its errors mean. Never begins or ends a
//! transaction by itself.

use super::file;
use crate::{
    Engine, StoreError,
    conn::Conn,
    faults::{self, Fault},
    value::{Cell, Param, Row, Value},
};
use kernel::{Clock, Micros};
use rusqlite::{
    Connection, OpenFlags, Statement, ToSql,
    config::DbConfig,
    ffi, params_from_iter,
    types::{ToSqlOutput, ValueRef},
};
use std::{
    fs::File,
    io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

const SETTINGS: &str = "
    PRAGMA page_size = 4096;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA trusted_schema = OFF;
    PRAGMA recursive_triggers = ON;
    PRAGMA cache_size = -32768;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
";
const READING: &str = "
    PRAGMA query_only = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA temp_store = MEMORY;
    PRAGMA mmap_size = 0;
";
/// The longest a reading transaction may last.
const READ: Micros = Micros::seconds(2);

/// The exit code of a process whose disk failed: `EX_IOERR` of sysexits.h.
const DISK_FAILED: i32 = 74;

/// What a checkpoint may make others wait for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Checkpoint {
    /// Nobody waits; what is in use stays.
    Passive,
    /// The writer waits, then begins the log anew.
    Restart,
    /// The same, and the log is emptied.
    Truncate,
}

/// A connection.
pub(super) struct Lite {
    inner: Connection,
    /// When the present read must have ended, by the boot-time clock.
    deadline: Arc<AtomicI64>,
    clock: Option<Arc<dyn Clock>>,
    /// None where nothing is written.
    file: Option<Arc<File>>,
    /// Whether the file in which logs are searched is at hand.
    searches: bool,
}

impl Lite {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = file::keep(path).map_err(|error| lost(path, &error))?;
        let inner = Connection::open(path).map_err(meaning)?;
        inner
            .busy_timeout(Duration::from_secs(5))
            .map_err(meaning)?;
        inner.execute_batch(SETTINGS).map_err(meaning)?;
        plan_once(&inner)?;
        inner.set_prepared_statement_cache_capacity(256);
        Ok(Self {
            inner,
            deadline: Arc::new(AtomicI64::new(i64::MAX)),
            clock: None,
            file: Some(file),
            searches: false,
        })
    }

    /// Opens a file that is there, for reading alone.
    pub(super) fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = Connection::open_with_flags(path, flags).map_err(meaning)?;
        inner
            .busy_timeout(Duration::from_secs(5))
            .map_err(meaning)?;
        inner.execute_batch(READING).map_err(meaning)?;
        plan_once(&inner)?;
        inner.set_prepared_statement_cache_capacity(64);
        Ok(Self {
            inner,
            deadline: Arc::new(AtomicI64::new(i64::MAX)),
            clock: None,
            file: None,
            searches: false,
        })
    }

    /// Writes all that the file holds to another, which is made, readable by nobody else.
    pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let inner = Connection::open_with_flags(from, flags).map_err(meaning)?;
        let name = to
            .to_str()
            .ok_or_else(|| StoreError::Lost(format!("{} is not a name in UTF-8", to.display())))?;
        drop(file::keep(to).map_err(|error| lost(to, &error))?);
        inner
            .execute("VACUUM INTO ?1", [name])
            .map(|_| ())
            .map_err(meaning)
    }

    /// Reads the file in which logs are searched too.
    pub(super) fn attach(&mut self, search: &Path) -> Result<(), StoreError> {
        let name = search.to_string_lossy();
        self.inner
            .execute("ATTACH DATABASE ?1 AS search", [&*name])
            .map_err(meaning)?;
        self.searches = true;
        Ok(())
    }

    /// The number that a file in which logs are searched carries for its form.
    pub(super) fn form(&self) -> Result<u64, StoreError> {
        let form = self
            .inner
            .query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        form.map(|form| u64::try_from(form).unwrap_or(0))
            .map_err(meaning)
    }

    /// Interrupts statements that go on after the deadline.
    pub(super) fn limit_reads(&mut self, clock: Arc<dyn Clock>) -> Result<(), StoreError> {
        let (deadline, watch) = (self.deadline.clone(), clock.clone());
        let late = move || watch.boot().micros() > deadline.load(Ordering::Relaxed);
        self.clock = Some(clock);
        self.inner
            .progress_handler(10_000, Some(late))
            .map_err(meaning)
    }

    /// Starts a reading transaction.
    pub(super) fn begin_read(&mut self) -> Result<(), StoreError> {
        let now = self.clock.as_ref().map(|clock| clock.boot().micros());
        let until = now.map_or(i64::MAX, |now| now.saturating_add(READ.get()));
        self.deadline.store(until, Ordering::Relaxed);
        self.batch("BEGIN")
    }

    /// Ends a reading transaction.
    pub(super) fn end_read(&mut self) {
        self.deadline.store(i64::MAX, Ordering::Relaxed);
        if let Err(error) = self.batch("ROLLBACK") {
            tracing::warn!(%error, "a read did not end");
        }
    }

    fn in_time(&self) -> Result<(), StoreError> {
        let deadline = self.deadline.load(Ordering::Relaxed);
        let late = |clock: &Arc<dyn Clock>| clock.boot().micros() > deadline;
        if self.clock.as_ref().is_some_and(late) {
            return Err(StoreError::TooLong);
        }
        Ok(())
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.inner.execute_batch(sql).map_err(meaning)
    }

    /// A statement without parameters, kept prepared.
    pub(super) fn step(&mut self, sql: &str) -> Result<(), StoreError> {
        self.execute(sql, &[]).map(|_| ())
    }

    /// COMMIT.
    pub(super) fn commit(&mut self, logged: bool) -> Result<(), StoreError> {
        let inner = &self.inner;
        let run = || {
            let mut commit = inner.prepare_cached("COMMIT")?;
            commit.execute([]).map(|_| ())
        };
        faults::around(logged, said, run).map_err(meaning)
    }

    /// A number that changes when another connection has written. Inside a transaction it stands still.
    pub(super) fn others_wrote(&mut self, seen: &mut i64) -> Result<bool, StoreError> {
        let now = self.statement("PRAGMA data_version", |statement| {
            statement.query_row([], |row| row.get::<_, i64>(0))
        })?;
        Ok(std::mem::replace(seen, now) != now)
    }

    /// Whether the engine gave up the transaction by itself.
    pub(super) fn lost(&self) -> bool {
        self.inner.is_autocommit()
    }

    /// Moves frames of the write-ahead log into the file; returns how many the log holds and how many of them were moved.
    pub(super) fn checkpoint(&self, mode: Checkpoint) -> Result<(u64, u64), StoreError> {
        let sql = match mode {
            Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
            Checkpoint::Restart => "PRAGMA wal_checkpoint(RESTART)",
            Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
        };
        let counts = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
        let (frames, moved) = self.inner.query_row(sql, [], counts).map_err(meaning)?;
        Ok((
            u64::try_from(frames).unwrap_or(0),
            u64::try_from(moved).unwrap_or(0),
        ))
    }

    /// Waits until the disk has what was moved into the file, while nobody waits for it.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let synced = self.file.as_ref().map_or(Ok(()), |file| file.sync_data());
        synced.map_err(|error| StoreError::Disk(format!("the file was not synced: {error}")))
    }

    /// How long to wait for a lock.
    pub(super) fn patience(&self, length: Duration) -> Result<(), StoreError> {
        self.inner.busy_timeout(length).map_err(meaning)
    }

    fn statement<T>(
        &self,
        sql: &str,
        run: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.in_time()?;
        let mut statement = self.inner.prepare_cached(sql).map_err(meaning)?;
        run(&mut statement).map_err(meaning)
    }
}

/// A prepared statement keeps its plan whatever is bound to it; otherwise each new value may have it made again.
fn plan_once(conn: &Connection) -> Result<(), StoreError> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(|_| ())
        .map_err(meaning)
}

impl Conn for Lite {
    fn engine(&self) -> Engine {
        Engine::Sqlite
    }

    fn searches(&self) -> bool {
        self.searches
    }

    fn query(&mut self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, StoreError> {
        self.statement(sql, |statement| {
            let columns = statement.column_count();
            let mut rows = statement.query(params_from_iter(params))?;
            let mut all = Vec::new();
            while let Some(row) = rows.next()? {
                let cells = (0..columns).map(|at| row.get_ref(at).map(value));
                all.push(cells.collect::<rusqlite::Result<Row>>()?);
            }
            Ok(all)
        })
    }

    fn each(
        &mut self,
        sql: &str,
        params: &[Param<'_>],
        show: &mut dyn FnMut(&[Cell<'_>]),
    ) -> Result<(), StoreError> {
        self.statement(sql, |statement| {
            let columns = statement.column_count();
            let mut rows = statement.query(params_from_iter(params))?;
            while let Some(row) = rows.next()? {
                let mut cells = [Cell::Null; WIDEST];
                for (at, slot) in cells.iter_mut().enumerate().take(columns) {
                    *slot = cell(row.get_ref(at)?);
                }
                show(cells.get(..columns).unwrap_or(&cells));
            }
            Ok(())
        })
    }

    fn execute(&mut self, sql: &str, params: &[Param<'_>]) -> Result<u64, StoreError> {
        let run = |statement: &mut Statement<'_>| statement.execute(params_from_iter(params));
        self.statement(sql, run)
            .map(|count| u64::try_from(count).unwrap_or(u64::MAX))
    }
}

impl ToSql for Param<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Param::Null => ValueRef::Null,
            Param::Int(value) => ValueRef::Integer(*value),
            Param::Text(value) => ValueRef::Text(value.as_bytes()),
            Param::Blob(value) => ValueRef::Blob(value),
            Param::Key(value) => ValueRef::Blob(value),
        }))
    }
}

/// More columns than any row that is shown where it lies.
const WIDEST: usize = 16;

fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Blob(value) => Cell::Blob(value),
        ValueRef::Text(value) => Cell::Text(value),
    }
}

fn value(value: ValueRef<'_>) -> Value {
    cell(value).into()
}

/// What the engine says at a fault.
fn said(fault: Fault) -> rusqlite::Error {
    let code = match fault {
        Fault::Broken => ffi::SQLITE_CANTOPEN,
        Fault::Full => ffi::SQLITE_FULL,
        Fault::Io => ffi::SQLITE_IOERR_WRITE,
        Fault::Sync => ffi::SQLITE_IOERR_FSYNC,
    };
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("a fault of a test".into()))
}

/// A disk that fails ends the process: what the kernel dropped cannot be written again, and a later success would be
/// a lie. The next start reads what the disk really has.
pub(super) fn sound<T>(done: &Result<T, StoreError>) {
    if let Err(StoreError::Disk(cause)) = done {
        tracing::error!(%cause, "the disk failed, and what it holds is not known; stopping: look at the disk, then start again");
        std::process::exit(DISK_FAILED);
    }
}

fn lost(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Lost(format!("{} cannot be opened: {error}", path.display()))
}

fn meaning(error: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode as Code;
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match error.sqlite_error_code() {
        Some(Code::OperationInterrupted) => StoreError::TooLong,
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => StoreError::Contended(error.to_string()),
        Some(Code::DiskFull) => StoreError::Full(error.to_string()),
        // The index of the write-ahead log is made longer before it is written.
        Some(Code::SystemIoFailure) if extended == Some(ffi::SQLITE_IOERR_SHMSIZE) => {
            StoreError::Full(error.to_string())
        }
        Some(Code::SystemIoFailure) => StoreError::Disk(error.to_string()),
        Some(Code::CannotOpen) => StoreError::Lost(error.to_string()),
        _ => StoreError::Database(error.to_string()),
    }
}
