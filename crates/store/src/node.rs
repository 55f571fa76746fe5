//! Rows of the processes at work on one database server, kept by beats: who is there and what schema each knows.
//! A beat is also the proof that the database takes writes. Nothing is decided by these rows except whether a
//! schema may be changed under somebody's feet.

use crate::{
    Engine, Standing, Store, StoreError,
    conn::{Conn, Role},
    migrate::Migration,
    standing,
    value::Cells,
};
use kernel::{Timestamp, limits};

/// A process at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    /// Drawn at its start.
    pub id: [u8; 16],
    /// The machine's name.
    pub name: String,
    /// The build.
    pub build: String,
    /// The last migration that the build knows.
    pub schema: u64,
    /// When it started, by the database's clock.
    pub started_at: Timestamp,
    /// When it was last heard of, by the database's clock.
    pub beat_at: Timestamp,
}

/// Who beats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Drawn at its start.
    pub id: [u8; 16],
    /// The machine's name.
    pub name: String,
    /// The build.
    pub build: String,
}

const LEAVE: &str = "DELETE FROM node WHERE id = $1";
/// The database's clock: leases of several machines are compared by one of them.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
const MADE: &str = "SELECT (to_regclass('node') IS NOT NULL)::text";

fn beat_sql() -> String {
    format!(
        "INSERT INTO node (id, name, build, schema, started_at, beat_at) VALUES ($1, $2, $3, $4, {NOW}, {NOW}) \
         ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at"
    )
}

/// Writes who is there and forgets those not heard of for long.
fn beat(conn: &mut dyn Conn, who: &Member, schema: u64) -> Result<(), StoreError> {
    let params = [
        who.id.into(),
        who.name.as_str().into(),
        who.build.as_str().into(),
        schema.into(),
    ];
    conn.execute(&beat_sql(), &params)?;
    let kept = limits::NODE_KEPT.get();
    conn.execute(
        &format!("DELETE FROM node WHERE beat_at < {NOW} - $1"),
        &[kept.into()],
    )
    .map(|_| ())
}

/// The nodes whose lease has not ended, oldest first.
fn nodes(conn: &mut dyn Conn) -> Result<Vec<NodeRow>, StoreError> {
    let sql = format!(
        "SELECT id, name, build, schema, started_at, beat_at FROM node WHERE beat_at >= {NOW} - $1 ORDER BY started_at, id"
    );
    let rows = conn.query(&sql, &[limits::NODE_LEASE.get().into()])?;
    let decode = |row| {
        let mut cells = Cells::new("node", row);
        Ok(NodeRow {
            id: cells.array("id")?,
            name: cells.text("name")?,
            build: cells.text("build")?,
            schema: cells.count("schema")?,
            started_at: cells.time("started_at")?,
            beat_at: cells.time("beat_at")?,
        })
    };
    rows.into_iter().map(decode).collect()
}

/// Refuses to take a step that a running node cannot live beside.
pub(crate) fn bear(conn: &mut dyn Conn, steps: &[Migration]) -> Result<(), StoreError> {
    let made = conn.query(MADE, &[])?.pop().unwrap_or_default();
    if steps.is_empty() || Cells::new("node", made).text("made")? != "true" {
        return Ok(());
    }
    for node in nodes(conn)? {
        if let Some(step) = steps.iter().find(|step| node.schema < step.beside) {
            return Err(StoreError::Migration(format!(
                "the node `{}` ({}) still runs and cannot work beside migration {}, `{}`; upgrade or stop it first",
                node.name, node.build, step.number, step.name
            )));
        }
    }
    Ok(())
}

impl Store {
    /// Says that a node is there, in a durable write: the answer proves that the server takes writes, and with a
    /// synchronous standby that nobody was promoted in its stead. Raises the epoch when the database is another's
    /// history. A file has one process, so there nothing is written.
    ///
    /// # Errors
    /// `Standby` when the server takes no writes; when the database fails.
    pub async fn beat(&self, who: Member, now: Timestamp) -> Result<Standing, StoreError> {
        if self.engine() == Engine::Sqlite {
            return self.standing().await;
        }
        let schema = self.backend.schema();
        let run = move |conn: &mut dyn Conn| {
            let standing = standing::raise(conn, "", now)?;
            beat(conn, &who, schema)?;
            Ok(standing)
        };
        self.watch(Role::Node, true, run).await
    }

    /// Says that a node is there no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn leave(&self, id: [u8; 16]) -> Result<(), StoreError> {
        if self.engine() == Engine::Sqlite {
            return Ok(());
        }
        let run = move |conn: &mut dyn Conn| conn.execute(LEAVE, &[id.into()]).map(|_| ());
        self.watch(Role::Node, true, run).await
    }

    /// The nodes at work, oldest first; none of a file.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn nodes(&self) -> Result<Vec<NodeRow>, StoreError> {
        if self.engine() == Engine::Sqlite {
            return Ok(Vec::new());
        }
        self.watch(Role::Node, false, nodes).await
    }
}
