//! Entries ready to be appended. Everything that costs time (the canonical bytes, their digest) is made on the
//! request's task; the database thread only chains and stores.

use crate::{CommitError, Refusal, StoreError, log};
use domain::{Entry, Stream, entry::Projection};
use kernel::{Code, Event, Id, Timestamp};
use tokio::sync::oneshot;

/// An entry with its canonical bytes and their digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The entry's identifier.
    pub event_id: Id<Event>,
    /// The entry's own time; the log's time of it is never before the entry in front.
    pub time: Timestamp,
    /// Canonical JSON (RFC 8785).
    pub body: Vec<u8>,
    /// SHA-256 of the body.
    pub digest: [u8; 32],
    /// The columns that the log's table shows of it.
    pub projection: Projection,
}

impl Prepared {
    /// Writes the entry out and digests it.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub fn new(entry: &Entry) -> Result<Self, StoreError> {
        let body = entry
            .to_canonical()
            .map_err(|error| StoreError::Value(error.to_string()))?;
        Ok(Self {
            event_id: entry.event_id,
            time: entry.timestamp,
            digest: log::digest(&body),
            body,
            projection: entry.projection(),
        })
    }

    /// PostgreSQL cannot store a NUL in text, and one such entry would fail the whole batch around it.
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        let shown = &self.projection;
        let texts = [
            Some(&*shown.kind),
            Some(shown.actor.as_str()),
            shown.resource.as_deref(),
        ];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Err(Refusal::new(
                Code::InvalidInput,
                "take out the NUL character",
            ));
        }
        Ok(())
    }
}

/// A one-time artefact that an entry consumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    /// What it is, such as `client_assertion`.
    pub kind: &'static str,
    /// Its hash.
    pub hash: [u8; 32],
    /// Until when it must be remembered.
    pub expires_at: Timestamp,
}

/// What a record was decided on: how often authority had moved in its own stream and in the instance's, whose
/// kill switch and organizations' states every decision reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The `authority_rev` of the record's own stream.
    pub stream: u64,
    /// The `authority_rev` of the instance's stream.
    pub instance: u64,
}

/// An entry that moves no state: a token issued, a sign-in.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose log it goes into.
    pub stream: Stream,
    /// The entry.
    pub entry: Prepared,
    /// What the decision was made on; refused when it moved.
    pub decided_at: Option<Decided>,
    /// What it consumes.
    pub once: Option<Once>,
}

/// Where a record ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the stream.
    pub seq: u64,
}

/// A record in the queue.
pub(crate) struct Waiting {
    pub(crate) record: Record,
    pub(crate) reply: oneshot::Sender<Result<Recorded, CommitError>>,
}

impl Waiting {
    pub(crate) fn answer(self, outcome: Result<Recorded, CommitError>) {
        // Whoever asked may have gone away.
        let _gone = self.reply.send(outcome);
    }
}
