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
    /// Forget one-time artefacts and answers that ended before this moment: what they guard has ended too.
    Sweep {
        /// The moment.
        before: Timestamp,
    },
}

const USED: &str = "INSERT INTO credential_use (stream, key_id, last_used_at) VALUES ($1, $2, $3) \
    ON CONFLICT (stream, key_id) DO UPDATE SET last_used_at = excluded.last_used_at \
    WHERE excluded.last_used_at > credential_use.last_used_at";
const LAST: &str =
    "SELECT stream, key_id, last_used_at FROM credential_use WHERE stream = $1 AND key_id = $2";
const SWEEPS: [&str; 2] = [
    "DELETE FROM once WHERE expires_at < $1",
    "DELETE FROM idempotency WHERE expires_at < $1",
];

pub(crate) fn run(conn: &mut dyn Conn, operation: &Operational) -> Result<(), StoreError> {
    match operation {
        Operational::CredentialUsed { stream, key_id, at } => {
            let params = [(*stream).into(), key_id.as_str().into(), (*at).into()];
            conn.execute(USED, &params).map(|_| ())
        }
        Operational::Sweep { before } => SWEEPS
            .iter()
            .try_for_each(|sql| conn.execute(sql, &[(*before).into()]).map(|_| ())),
    }
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
