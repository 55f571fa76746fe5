//! Facts about the instance that are written once: its public URL, the check value of its key, its epoch.
//! The first writer wins; nothing here is ever changed.

use crate::{StoreError, conn::Conn, value::Cells};
use kernel::Entropy;

/// The key under which the instance's epoch stands: made at the first open, in hexadecimal. A copy that is
/// rolled back keeps it; a new data base has another.
pub const EPOCH: &str = "epoch";

const GET: &str = "SELECT key, value FROM instance_meta WHERE key = $1";
const SET: &str = "INSERT INTO instance_meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";

pub(crate) fn get(conn: &mut dyn Conn, key: &str) -> Result<Option<String>, StoreError> {
    let rows = conn.query(GET, &[key.into()])?;
    let decode = |row| {
        let mut cells = Cells::new("instance_meta", row);
        let _key = cells.text("key")?;
        cells.text("value")
    };
    rows.into_iter().next().map(decode).transpose()
}

/// Writes the value if there is none; returns the one that stands.
pub(crate) fn set_once(conn: &mut dyn Conn, key: &str, value: &str) -> Result<String, StoreError> {
    conn.execute(SET, &[key.into(), value.into()])?;
    get(conn, key)?.ok_or_else(|| StoreError::Database("a new value cannot be seen".into()))
}

/// A new epoch.
pub(crate) fn epoch(entropy: &dyn Entropy) -> String {
    format!("{:032x}", u128::from_be_bytes(entropy.bytes()))
}
