//! Making and migrating the schema. Several nodes may start at once on one database, and several databases of one
//! server share its roles.

use super::{conn::Pg, target::Target};
use crate::{
    Options, StoreError, conn::Conn, meta, migrate, migrate::Migration, node, standing,
    value::Cells,
};
use kernel::Timestamp;

const ROLES: &str = include_str!("../../migrations/postgres/0000_roles.sql");
const LEDGER: &str = include_str!("../../migrations/postgres/0000_ledger.sql");
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "first",
        sql: include_str!("../../migrations/postgres/0001_first.sql"),
        beside: 1,
    },
    Migration {
        number: 2,
        name: "nodes",
        sql: include_str!("../../migrations/postgres/0002_nodes.sql"),
        beside: 1,
    },
    Migration {
        number: 3,
        name: "months",
        sql: include_str!("../../migrations/postgres/0003_months.sql"),
        beside: 3,
    },
    Migration {
        number: 7,
        name: "no_token_index",
        sql: include_str!("../../migrations/postgres/0007_no_token_index.sql"),
        beside: 3,
    },
    Migration {
        number: 9,
        name: "tiles",
        sql: include_str!("../../migrations/postgres/0009_tiles.sql"),
        beside: 3,
    },
    Migration {
        number: 11,
        name: "tally",
        sql: include_str!("../../migrations/postgres/0011_tally.sql"),
        beside: 7,
    },
    Migration {
        number: 13,
        name: "live_tokens",
        sql: include_str!("../../migrations/postgres/0013_live_tokens.sql"),
        beside: 7,
    },
    Migration {
        number: 14,
        name: "relations",
        sql: include_str!("../../migrations/postgres/0014_relations.sql"),
        // A build before it cannot read the changes of a relation store, and would prove nothing any more.
        beside: 14,
    },
    Migration {
        number: 17,
        name: "search",
        sql: include_str!("../../migrations/postgres/0017_search.sql"),
        beside: 14,
    },
];
/// Any number that nobody else locks in this database.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7093457012345)::text";
const VERSION: &str = "SELECT current_setting('server_version_num')";
const ENCODING: &str = "SELECT current_setting('server_encoding')";
const MADE: &str = "SELECT (to_regclass('schema_migration') IS NOT NULL)::text";
const MONTHS: &str = "SELECT cardea_months($1, $2)";
/// How many months' partitions there are beside the present one's.
const AHEAD: u64 = 2;
const OLDEST: u64 = 150_000;
const ATTEMPTS: u32 = 5;

/// Brings the schema to that of the build which knows these steps.
pub(super) fn migrate(
    target: &Target,
    options: &Options,
    steps: &[Migration],
) -> Result<(), StoreError> {
    let mut conn = target.open(&options.clock)?;
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
        let missing = migrate::missing(conn, steps)?;
        node::bear(conn, missing)?;
        for migration in missing {
            conn.batch(migration.sql)?;
            migrate::note(conn, migration, options.clock.now())?;
        }
        meta::set_once(conn, meta::EPOCH, &meta::epoch(&*options.entropy))?;
        standing::raise(conn, "", options.clock.now())?;
        ahead(conn, options.clock.now()).map(|_| ())
    })
}

/// Makes the log's partitions for the present month and the next ones. Returns how many were missing.
pub(super) fn ahead(conn: &mut dyn Conn, now: Timestamp) -> Result<u64, StoreError> {
    let made = conn.query(MONTHS, &[now.into(), AHEAD.into()])?.pop();
    Cells::new("audit_events", made.unwrap_or_default()).count("cardea_months")
}

/// Whether the schema is there and this build's; changes nothing.
pub(super) fn look(
    target: &Target,
    options: &Options,
    steps: &[Migration],
) -> Result<(), StoreError> {
    let mut conn = target.open(&options.clock)?;
    supported(&mut conn)?;
    if setting(&mut conn, MADE)? != "true" {
        return Err(StoreError::Absent);
    }
    if migrate::missing(&mut conn, steps)?.is_empty() {
        return Ok(());
    }
    Err(StoreError::Migration(
        "the database was made by an older build; start this build on it once".into(),
    ))
}

fn setting(conn: &mut Pg, sql: &str) -> Result<String, StoreError> {
    let row = conn.query(sql, &[])?.into_iter().next();
    Cells::new("pg_settings", row.unwrap_or_default()).text("setting")
}

fn supported(conn: &mut Pg) -> Result<(), StoreError> {
    let version = setting(conn, VERSION)?;
    if version
        .parse::<u64>()
        .map_or(true, |version| version < OLDEST)
    {
        return Err(StoreError::Migration(
            "the server is older than PostgreSQL 15; upgrade it".into(),
        ));
    }
    let encoding = setting(conn, ENCODING)?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(StoreError::Migration(format!(
        "the database's encoding is {encoding} and must be UTF8; make one with `CREATE DATABASE cardea ENCODING 'UTF8' TEMPLATE template0` and name that"
    )))
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
