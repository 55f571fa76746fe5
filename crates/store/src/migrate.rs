//! Ordered migrations, embedded, each with a digest of its text. A database that was changed by another text, or
//! by a newer build in a way that this one cannot live beside, is refused: guessing would lose data.

use crate::{StoreError, conn::Conn, log, value::Cells};
use kernel::Timestamp;

/// One step of the schema.
#[derive(Clone, Copy)]
pub(crate) struct Migration {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// The oldest schema, by its last migration, whose builds work beside this step. A step that only adds names
    /// the one before it; one that takes something away names itself.
    pub(crate) beside: u64,
}

impl Migration {
    fn checksum(&self) -> String {
        let digest = log::digest(self.sql.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// From this migration on the ledger says what each step can live beside.
const TOLD: u64 = 2;
const APPLIED: &str = "SELECT number, name, checksum FROM schema_migration ORDER BY number";
const BESIDE: &str = "SELECT number, name, beside FROM schema_migration WHERE number = $1";
const APPLY: &str =
    "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";
const TELL: &str = "INSERT INTO schema_migration (number, name, checksum, applied_at, beside) VALUES ($1, $2, $3, $4, $5)";

/// The last migration that a build knows.
pub(crate) fn newest(all: &[Migration]) -> u64 {
    all.last().map_or(0, |last| last.number)
}

/// The migrations that have not run, after comparing those that have. Steps of a newer build are accepted when
/// each says that it lives beside this one.
pub(crate) fn missing<'m>(
    conn: &mut dyn Conn,
    all: &'m [Migration],
) -> Result<&'m [Migration], StoreError> {
    let mut rest = all;
    for row in conn.query(APPLIED, &[])? {
        let mut cells = Cells::new("schema_migration", row);
        let (number, name) = (cells.count("number")?, cells.text("name")?);
        let checksum = cells.text("checksum")?;
        let Some((expected, after)) = rest.split_first() else {
            beside(conn, number, &name, newest(all))?;
            continue;
        };
        if expected.number != number || expected.checksum() != checksum {
            return Err(StoreError::Migration(format!(
                "migration {number}, `{name}`, is not the one that this build knows; start the build that made this database, or a newer one"
            )));
        }
        rest = after;
    }
    Ok(rest)
}

/// Refuses a step of a newer build unless it says that a build with the schema `known` works beside it.
fn beside(conn: &mut dyn Conn, number: u64, name: &str, known: u64) -> Result<(), StoreError> {
    let row = if known < TOLD {
        None
    } else {
        conn.query(BESIDE, &[number.into()])?.into_iter().next()
    };
    let oldest = row.map(|row| {
        let mut cells = Cells::new("schema_migration", row);
        let _key = (cells.count("number")?, cells.text("name")?);
        cells.optional_count("beside")
    });
    match oldest.transpose()?.flatten() {
        Some(oldest) if oldest <= known => Ok(()),
        _ => Err(StoreError::Migration(format!(
            "the database was migrated by a newer build (migration {number}, `{name}`); start that build or a newer one"
        ))),
    }
}

/// Notes that a migration has run.
pub(crate) fn note(
    conn: &mut dyn Conn,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let checksum = migration.checksum();
    let told = migration.number >= TOLD;
    let mut params = vec![
        migration.number.into(),
        migration.name.into(),
        checksum.as_str().into(),
        now.into(),
    ];
    if told {
        params.push(migration.beside.into());
    }
    conn.execute(if told { TELL } else { APPLY }, &params)
        .map(|_| ())
}

#[cfg(test)]
mod tests;
