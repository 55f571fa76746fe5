//! Writing entries and the feed. The chain decides number, time and hash; a row is stored before the head in
//! memory moves, so that a row that is refused leaves no gap.

use crate::{
    Prepared, StoreError,
    command::Proof,
    conn::Conn,
    head::{Heads, Link},
    touched::Touched,
    value::Param,
};
use domain::Stream;

const EVENT: &str = "INSERT INTO audit_events (stream, seq, time, event_id, state_rev, type, actor, resource, agent, \
    lineage, expires_at, body, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const FEED: &str =
    "INSERT INTO change_feed (stream, state_rev, seq, changes) VALUES ($1, $2, $3, $4)";

/// Appends an entry that takes the open changes of its stream.
pub(crate) fn append(
    conn: &mut dyn Conn,
    heads: &mut Heads,
    stream: Stream,
    entry: &Prepared,
    touched: &mut Touched,
) -> Result<Proof, StoreError> {
    let raise = touched.open.iter().any(domain::Change::moves_authority);
    let chain = heads.edit(conn, stream)?;
    let link = chain.next(stream, entry);
    let state_rev = (!touched.open.is_empty()).then_some(chain.head.state_rev + 1);
    store(conn, stream, entry, &link, state_rev)?;
    if let Some(rev) = state_rev {
        let changes = serde_json::to_string(&touched.open)
            .map_err(|error| StoreError::Value(error.to_string()))?;
        feed(conn, stream, rev, link.seq, changes)?;
        chain.head.state_rev = rev;
        chain.head.authority_rev += u64::from(raise);
    }
    chain.push(&link);
    touched.told.append(&mut touched.open);
    touched.entries += 1;
    Ok(Proof {
        stream,
        seq: link.seq,
        event: entry.event_id,
    })
}

fn feed(
    conn: &mut dyn Conn,
    stream: Stream,
    rev: u64,
    seq: u64,
    changes: String,
) -> Result<(), StoreError> {
    if let Some(outbox) = conn.outbox() {
        outbox.feed(stream, rev, seq, changes);
        return Ok(());
    }
    let params = [
        stream.into(),
        rev.into(),
        seq.into(),
        changes.as_str().into(),
    ];
    conn.execute(FEED, &params).map(|_| ())
}

/// Stores one entry's row.
pub(crate) fn store(
    conn: &mut dyn Conn,
    stream: Stream,
    entry: &Prepared,
    link: &Link,
    state_rev: Option<u64>,
) -> Result<(), StoreError> {
    if let Some(outbox) = conn.outbox() {
        outbox.entry(stream, entry, link, state_rev);
        return Ok(());
    }
    let shown = &entry.projection;
    let lineage = shown.lineage.as_ref().map(domain::Lineage::to_bytes);
    let params: [Param<'_>; 13] = [
        stream.into(),
        link.seq.into(),
        link.time.into(),
        entry.event_id.bytes().into(),
        state_rev.into(),
        (&*shown.kind).into(),
        shown.actor.as_str().into(),
        shown.resource.as_deref().into(),
        shown.agent.map(|agent| agent.bytes()).into(),
        lineage.as_deref().into(),
        shown.expires_at.into(),
        entry.body.as_slice().into(),
        (&link.hash).into(),
    ];
    conn.execute(EVENT, &params).map(|_| ())
}
