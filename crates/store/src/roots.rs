//! What is to be signed: where the streams stand with the roots of their trees, and which of them moved since they
//! were signed last. One query each, however many streams there are.

use crate::{
    Head, Store, StoreError,
    conn::{Conn, Role},
    head,
    value::Cells,
};
use domain::Stream;
use kernel::Timestamp;

/// A stream, where it stands and the root of its tree.
pub type Root = (Stream, Head, [u8; 32]);

const ROOTS: &str = "SELECT stream, seq, state_rev, authority_rev, hash, time, frontier FROM stream_head \
    WHERE time >= $1 ORDER BY stream";
/// Asks the log and not the heads, which the embedded engine stores later than their entries.
const UNSIGNED: &str = "SELECT h.stream FROM stream_head h WHERE EXISTS (SELECT 1 FROM audit_events e WHERE e.stream = h.stream \
    AND e.seq > COALESCE((SELECT max(c.size) FROM checkpoint c WHERE c.stream = h.stream), 0)) ORDER BY h.stream";

impl Store {
    /// The roots of the streams whose last entry is not older than this, in one snapshot.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn roots(&self, since: Timestamp) -> Result<Vec<Root>, StoreError> {
        let run = move |conn: &mut dyn Conn| {
            let rows = conn.query(ROOTS, &[since.into()])?.into_iter();
            let decode = |row| {
                let (stream, chain) = head::decode(row)?;
                Ok((stream, chain.head, chain.frontier.root()))
            };
            rows.map(decode).collect()
        };
        self.look(Role::Node, run).await
    }

    /// The streams with entries that none of their own checkpoints covers.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn unsigned(&self) -> Result<Vec<Stream>, StoreError> {
        let run = |conn: &mut dyn Conn| {
            let rows = conn.query(UNSIGNED, &[])?.into_iter();
            let decode = |row| {
                Ok(Stream::from_bytes(
                    Cells::new("stream_head", row).array("stream")?,
                ))
            };
            rows.map(decode).collect()
        };
        self.look(Role::Node, run).await
    }
}
