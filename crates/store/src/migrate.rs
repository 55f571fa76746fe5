//! Ordered migrations, embedded, each with a digest of its text. A database that was changed by another text, or
//! by a newer build, is refused: guessing would lose data.

use crate::{StoreError, conn::Conn, log, value::Cells};
use kernel::Timestamp;

/// One step of the schema.
pub(crate) struct Migration {
    pub(crate) number: u64,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

impl Migration {
    fn checksum(&self) -> String {
        let digest = log::digest(self.sql.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

const APPLIED: &str = "SELECT number, name, checksum FROM schema_migration ORDER BY number";
const APPLY: &str =
    "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

/// The migrations that have not run, after comparing those that have.
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
            return Err(StoreError::Migration(format!(
                "the database was migrated by a newer build (migration {number}, `{name}`); start that build or a newer one"
            )));
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

/// Notes that a migration has run.
pub(crate) fn note(
    conn: &mut dyn Conn,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let checksum = migration.checksum();
    let params = [
        migration.number.into(),
        migration.name.into(),
        checksum.as_str().into(),
        now.into(),
    ];
    conn.execute(APPLY, &params).map(|_| ())
}
