//! The log's table as the verifier sees it: plain values, whichever database or file they were read from. Nothing
//! is checked here.

use crate::EventRow;

/// One row of the log's table, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its place among the rows of all streams, where the source has one.
    pub position: Option<u64>,
    /// The stream's sixteen bytes.
    pub stream: [u8; 16],
    /// Its number in the stream, from 1.
    pub seq: u64,
    /// Microseconds since 1970, UTC.
    pub time: i64,
    /// The entry's identifier.
    pub event_id: [u8; 16],
    /// The revision of the state that it led to, when it changed state.
    pub state_rev: Option<u64>,
    /// The entry's type.
    pub kind: String,
    /// The principal in text.
    pub actor: String,
    /// The resource in text.
    pub resource: Option<String>,
    /// The agent of an issued token.
    pub agent: Option<[u8; 16]>,
    /// The lineage of an issued token, eight bytes a grant.
    pub lineage: Option<Vec<u8>>,
    /// The end of an issued token, microseconds since 1970, UTC.
    pub expires_at: Option<i64>,
    /// The canonical body.
    pub body: Vec<u8>,
    /// The entry's hash.
    pub hash: [u8; 32],
}

/// The same row where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowRef<'a> {
    pub(crate) position: Option<u64>,
    pub(crate) stream: [u8; 16],
    pub(crate) seq: u64,
    pub(crate) time: i64,
    pub(crate) event_id: [u8; 16],
    pub(crate) state_rev: Option<u64>,
    pub(crate) kind: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) resource: Option<&'a str>,
    pub(crate) agent: Option<[u8; 16]>,
    pub(crate) lineage: Option<&'a [u8]>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) body: &'a [u8],
    pub(crate) hash: [u8; 32],
}

impl Row {
    pub(crate) fn lying(&self) -> RowRef<'_> {
        RowRef {
            position: self.position,
            stream: self.stream,
            seq: self.seq,
            time: self.time,
            event_id: self.event_id,
            state_rev: self.state_rev,
            kind: &self.kind,
            actor: &self.actor,
            resource: self.resource.as_deref(),
            agent: self.agent,
            lineage: self.lineage.as_deref(),
            expires_at: self.expires_at,
            body: &self.body,
            hash: self.hash,
        }
    }
}

impl From<EventRow> for Row {
    fn from(found: EventRow) -> Self {
        Self {
            position: found.position,
            stream: found.stream.bytes(),
            seq: found.seq,
            time: found.time.micros(),
            event_id: found.event_id.bytes(),
            state_rev: found.state_rev,
            kind: found.kind,
            actor: found.actor,
            resource: found.resource,
            agent: found.agent.map(|agent| agent.bytes()),
            lineage: found.lineage,
            expires_at: found.expires_at.map(kernel::Timestamp::micros),
            body: found.body,
            hash: found.hash,
        }
    }
}
