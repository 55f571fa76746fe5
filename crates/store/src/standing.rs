//! Where a database stands in its own history: which epoch it is in, and by what one notices that it is another
//! history than before. A restored copy, a promoted standby and a server that started again are all told apart
//! from the database that a node has followed so far; none of them is trusted to go on from where it was.

use crate::{Engine, StoreError, conn::Conn, value::Cells};
use kernel::Timestamp;

/// One moment's standing. Two that are equal are of one history without a break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Raised each time the database was restored or promoted; part of every signed checkpoint.
    pub epoch: u64,
    /// What the history is known by: the cluster, its timeline, the database and its tables; or the file.
    pub identity: String,
    /// When the server started; empty for a file.
    pub started: String,
}

/// The timeline is taken from the log's present position: what the control file says of it is that of the last
/// checkpoint, some minutes after a promotion. A restored dump has other tables under the same names.
const LOOK: &str = "SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE \
    (SELECT system_identifier FROM pg_control_system())::text || '/' || \
    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '/' || \
    (SELECT oid FROM pg_database WHERE datname = current_database())::text || '/' || \
    'stream_head'::regclass::oid::text END, pg_postmaster_start_time()::text";
const LATEST: &str = "SELECT number, identity FROM epoch ORDER BY number DESC LIMIT 1";
const RAISE: &str =
    "INSERT INTO epoch (number, identity, since) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";

/// What the server says of itself.
///
/// # Errors
/// `Standby` when it is one: it takes no writes, and what it shows may be old.
fn server(conn: &mut dyn Conn) -> Result<(String, String), StoreError> {
    let row = conn.query(LOOK, &[])?.pop().unwrap_or_default();
    let mut cells = Cells::new("pg_control", row);
    let identity = cells
        .optional_text("identity")?
        .ok_or(StoreError::Standby)?;
    Ok((identity, cells.text("started")?))
}

fn latest(conn: &mut dyn Conn) -> Result<Option<(u64, String)>, StoreError> {
    let row = conn.query(LATEST, &[])?.pop();
    let decode = |row| {
        let mut cells = Cells::new("epoch", row);
        Ok((cells.count("number")?, cells.text("identity")?))
    };
    row.map(decode).transpose()
}

/// The standing in this transaction's snapshot.
pub(crate) fn look(conn: &mut dyn Conn) -> Result<Standing, StoreError> {
    let (identity, started) = match conn.engine() {
        Engine::Postgres => server(conn)?,
        // The file was compared when it was opened, and nobody else opens it while this process holds it.
        Engine::Sqlite => (String::new(), String::new()),
    };
    let (epoch, stored) = latest(conn)?.unwrap_or_default();
    let identity = if conn.engine() == Engine::Sqlite {
        stored
    } else {
        identity
    };
    Ok(Standing {
        epoch,
        identity,
        started,
    })
}

/// Raises the epoch when the database is not the one that the last epoch names; the first is 1. A later one is the
/// second in which it was noticed: two restores of one copy must not share a number.
pub(crate) fn raise(
    conn: &mut dyn Conn,
    file: &str,
    now: Timestamp,
) -> Result<Standing, StoreError> {
    let (identity, started) = match conn.engine() {
        Engine::Postgres => server(conn)?,
        Engine::Sqlite => (file.to_owned(), String::new()),
    };
    let known = latest(conn)?;
    let epoch = match known {
        Some((number, before)) if before == identity => number,
        known => {
            let second = u64::try_from(now.seconds()).unwrap_or(0);
            let next = known.map_or(1, |(number, _)| second.max(number + 1));
            tracing::info!(epoch = next, "the database begins a new epoch");
            conn.execute(RAISE, &[next.into(), identity.as_str().into(), now.into()])?;
            next
        }
    };
    Ok(Standing {
        epoch,
        identity,
        started,
    })
}
