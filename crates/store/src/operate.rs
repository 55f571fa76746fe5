//! Operational writes: what may be lost or repeated without anybody gaining anything. They have no entry, touch
//! no governed meaning and can take authority away but never give it.

use crate::{StoreError, conn::Conn, value::Cells};
use domain::Stream;
use kernel::Timestamp;

/// An operational write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operational {
    /// A credential was used.
    CredentialUsed {
        /// Whose.
        stream: Stream,
        /// The characters by which it is found.
        key_id: String,
        /// When; an earlier moment than the stored one changes nothing.
        at: Timestamp,
    },
}

const USED: &str = "INSERT INTO credential_use (stream, key_id, last_used_at) VALUES ($1, $2, $3) \
    ON CONFLICT (stream, key_id) DO UPDATE SET last_used_at = excluded.last_used_at \
    WHERE excluded.last_used_at > credential_use.last_used_at";
const LAST: &str =
    "SELECT stream, key_id, last_used_at FROM credential_use WHERE stream = $1 AND key_id = $2";
const SWEEPS: [&str; 2] = [
    "DELETE FROM once WHERE (stream, kind, hash) IN \
        (SELECT stream, kind, hash FROM once WHERE expires_at < $1 LIMIT $2)",
    "DELETE FROM idempotency WHERE (stream, key) IN \
        (SELECT stream, key FROM idempotency WHERE expires_at < $1 LIMIT $2)",
];

pub(crate) fn run(conn: &mut dyn Conn, operation: &Operational) -> Result<(), StoreError> {
    match operation {
        Operational::CredentialUsed { stream, key_id, at } => {
            let params = [(*stream).into(), key_id.as_str().into(), (*at).into()];
            conn.execute(USED, &params).map(|_| ())
        }
    }
}

/// Forgets at most `most` one-time artefacts and as many answers that ended before this moment: what they guard
/// has ended too. Returns how many.
pub(crate) fn sweep(conn: &mut dyn Conn, before: Timestamp, most: u64) -> Result<u64, StoreError> {
    SWEEPS.iter().try_fold(0, |sum, sql| {
        Ok(sum + conn.execute(sql, &[before.into(), most.into()])?)
    })
}

pub(crate) fn last_used(
    conn: &mut dyn Conn,
    stream: Stream,
    key_id: &str,
) -> Result<Option<Timestamp>, StoreError> {
    let rows = conn.query(LAST, &[stream.into(), key_id.into()])?;
    let decode = |row| {
        let mut cells = Cells::new("credential_use", row);
        let _stream = cells.array::<16>("stream")?;
        let _key = cells.text("key_id")?;
        cells.time("last_used_at")
    };
    rows.into_iter().next().map(decode).transpose()
}
