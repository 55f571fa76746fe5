//! Making and migrating the schema. Several nodes may start at once on one database, and several databases of one
//! server share its roles.

use super::conn::Pg;
use crate::{Options, StoreError, conn::Conn, meta, migrate, migrate::Migration, value::Cells};
use postgres::Config;

const ROLES: &str = include_str!("../../migrations/postgres/0000_roles.sql");
const LEDGER: &str = include_str!("../../migrations/postgres/0000_ledger.sql");
const MIGRATIONS: &[Migration] = &[Migration {
    number: 1,
    name: "first",
    sql: include_str!("../../migrations/postgres/0001_first.sql"),
}];
/// Any number that nobody else locks in this database.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7093457012345)::text";
const VERSION: &str = "SELECT current_setting('server_version_num')";
const OLDEST: u64 = 150_000;
const ATTEMPTS: u32 = 5;

/// Brings the schema to this build's.
pub(super) fn migrate(config: &Config, options: &Options) -> Result<(), StoreError> {
    let mut conn = Pg::connect(config, options.clock.clone())?;
    supported(&mut conn)?;
    // Two databases that make or grant a role at the same moment may disturb each other; roles are not versioned.
    let mut made = whole(&mut conn, |conn| conn.batch(ROLES));
    for attempt in 1..ATTEMPTS {
        if made.is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50) * attempt);
        made = whole(&mut conn, |conn| conn.batch(ROLES));
    }
    made?;
    whole(&mut conn, |conn| {
        conn.query(LOCK, &[])?;
        conn.batch(LEDGER)?;
        for migration in migrate::missing(conn, MIGRATIONS)? {
            conn.batch(migration.sql)?;
            migrate::note(conn, migration, options.clock.now())?;
        }
        meta::set_once(conn, meta::EPOCH, &meta::epoch(&*options.entropy)).map(|_| ())
    })
}

fn supported(conn: &mut Pg) -> Result<(), StoreError> {
    let row = conn.query(VERSION, &[])?.into_iter().next();
    let text = Cells::new("pg_settings", row.unwrap_or_default()).text("setting")?;
    if text.parse::<u64>().is_ok_and(|version| version >= OLDEST) {
        return Ok(());
    }
    Err(StoreError::Migration(
        "the server is older than PostgreSQL 15; upgrade it".into(),
    ))
}

fn whole(
    conn: &mut Pg,
    run: impl FnOnce(&mut Pg) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    conn.batch("BEGIN")?;
    let ran = run(conn);
    if ran.is_err() {
        // The connection is for migrating alone and is not used after a failure that ROLLBACK does not mend.
        conn.rollback()?;
        return ran;
    }
    conn.batch("COMMIT")
}
