//! The locks of a transaction, asked for in the exchange that begins it: the instance's, shared, and the heads of
//! its streams, in order. Makes the heads that do not exist yet.

use super::conn::Pg;
use crate::{
    StoreError,
    head::{self, Heads},
};
use domain::Stream;
use std::collections::BTreeSet;

const ALL: &str = "SELECT stream, seq, state_rev, authority_rev, hash, time, frontier FROM stream_head \
    WHERE stream = ANY($1) ORDER BY stream FOR UPDATE";

/// Locks the heads of these streams. With `decided`, nobody moves the instance's authority until the transaction
/// ends; that lock comes first and by itself, so that what is read next is what stands then.
pub(super) fn all(
    conn: &mut Pg,
    streams: &BTreeSet<Stream>,
    decided: bool,
) -> Result<Heads, StoreError> {
    let keys: Vec<[u8; 16]> = streams.iter().map(|stream| stream.bytes()).collect();
    let keys: Vec<&[u8]> = keys.iter().map(<[u8; 16]>::as_slice).collect();
    let instance = Stream::INSTANCE.bytes();
    let instance = instance.as_slice();
    let mut heads = Heads::default();
    let rows = if decided {
        conn.and_first(head::SHARE);
        let mut answers = conn.ask(&[(head::AUTHORITY, &[&instance]), (ALL, &[&keys])])?;
        let rows = answers.pop().unwrap_or_default();
        heads.share(head::authority(answers.pop().unwrap_or_default())?);
        rows
    } else {
        conn.query_arrays(ALL, &[&keys])?
    };
    for row in rows {
        let (stream, chain) = head::decode(row)?;
        heads.adopt(stream, chain);
    }
    for stream in streams {
        heads.lock(conn, *stream)?;
    }
    Ok(heads)
}
