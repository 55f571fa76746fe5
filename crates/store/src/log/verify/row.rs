//! The log's table as the verifier sees it: plain values, whichever database or file they were read from. Nothing
//! is checked here.

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
