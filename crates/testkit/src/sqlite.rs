//! An embedded database in the hands of somebody who can write its file: no trigger, no uniqueness and no journal
//! stands in their way. Development only; the product never opens a file like this.

use rusqlite::{Connection, OpenFlags, Params, Row};
use std::path::Path;

pub use rusqlite::{named_params, params, types::Value};

/// What the schema does to keep rows as they are, and how to be rid of it: the table again, without uniqueness.
const REBUILD: &str = "
    ALTER TABLE audit_events RENAME TO guarded;
    CREATE TABLE audit_events (position INTEGER PRIMARY KEY, stream BLOB, seq INTEGER, time INTEGER, event_id BLOB,
        state_rev INTEGER, type TEXT, actor TEXT, resource TEXT, agent BLOB, lineage BLOB, expires_at INTEGER,
        body BLOB, hash BLOB);
    INSERT INTO audit_events SELECT * FROM guarded;
    DROP TABLE guarded;
    CREATE INDEX found ON audit_events (stream, seq);
";

/// Somebody with the file open.
#[derive(Debug)]
pub struct Intruder {
    connection: Connection,
}

impl Intruder {
    /// Opens a file that nobody else has open, drops its triggers and its journal.
    ///
    /// # Panics
    /// When it is not there or is in use.
    pub fn open(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags(path, flags).expect("the file can be opened");
        let intruder = Self { connection };
        intruder.batch("PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA legacy_alter_table = ON");
        let triggers = intruder.all(
            "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
            [],
            |row| row.get(0),
        );
        triggers
            .iter()
            .for_each(|name: &String| intruder.batch(&format!("DROP TRIGGER {name}")));
        intruder
    }

    /// Opens a file beside whoever uses it, and leaves its triggers and its journal.
    ///
    /// # Panics
    /// When it is not there.
    pub fn beside(path: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags(path, flags).expect("the file can be opened");
        let intruder = Self { connection };
        intruder.batch("PRAGMA busy_timeout = 5000");
        intruder
    }

    /// Makes the log's table again, with the same rows and without anything that keeps them unique.
    pub fn rebuild(&self) {
        self.batch(REBUILD);
    }

    /// Runs statements.
    ///
    /// # Panics
    /// At the first that fails.
    pub fn batch(&self, sql: &str) {
        self.connection
            .execute_batch(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Runs one statement and gives how many rows it changed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, sql: &str, params: impl Params) -> usize {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        statement
            .execute(params)
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Every row of a query.
    ///
    /// # Panics
    /// When it fails.
    pub fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Vec<T> {
        let mut statement = self
            .connection
            .prepare_cached(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        let rows = statement
            .query_map(params, each)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.collect::<rusqlite::Result<_>>()
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one row of a query.
    ///
    /// # Panics
    /// When there is none.
    pub fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        each: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> T {
        self.all(sql, params, each)
            .pop()
            .unwrap_or_else(|| panic!("{sql}: no row"))
    }
}
