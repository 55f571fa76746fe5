//! Many rows in one statement: a batch of entries and the heads it moved, a column at a time.

use super::conn::{Arrays, Pg};
use crate::{
    StoreError,
    head::{Heads, Link},
    record::Record,
};

const INSERT: &str = "INSERT INTO audit_events (stream, seq, time, event_id, type, actor, resource, agent, lineage, \
    expires_at, body, hash) SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[], \
    $6::text[], $7::text[], $8::bytea[], $9::bytea[], $10::bigint[], $11::bytea[], $12::bytea[])";
const SAVE: &str = "UPDATE stream_head h SET seq = n.seq, hash = n.hash, time = n.time, frontier = n.frontier \
    FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bigint[], $5::bytea[]) \
    AS n (stream, seq, hash, time, frontier) WHERE h.stream = n.stream";

/// The columns of the entries of a batch. Record entries have no state revision.
#[derive(Default)]
pub(super) struct Columns<'a> {
    stream: Vec<Vec<u8>>,
    seq: Vec<i64>,
    time: Vec<i64>,
    event: Vec<Vec<u8>>,
    kind: Vec<&'a str>,
    actor: Vec<&'a str>,
    resource: Vec<Option<&'a str>>,
    agent: Vec<Option<Vec<u8>>>,
    lineage: Vec<Option<Vec<u8>>>,
    expires: Vec<Option<i64>>,
    body: Vec<&'a [u8]>,
    hash: Vec<Vec<u8>>,
}

impl<'a> Columns<'a> {
    pub(super) fn push(&mut self, record: &'a Record, link: &Link) {
        let shown = &record.entry.projection;
        self.stream.push(record.stream.bytes().to_vec());
        self.seq.push(signed(link.seq));
        self.time.push(link.time.micros());
        self.event.push(record.entry.event_id.bytes().to_vec());
        self.kind.push(&shown.kind);
        self.actor.push(&shown.actor);
        self.resource.push(shown.resource.as_deref());
        self.agent
            .push(shown.agent.map(|agent| agent.bytes().to_vec()));
        self.lineage
            .push(shown.lineage.as_ref().map(domain::Lineage::to_bytes));
        self.expires.push(shown.expires_at.map(|at| at.micros()));
        self.body.push(&record.entry.body);
        self.hash.push(link.hash.to_vec());
    }

    pub(super) fn insert(&self, conn: &mut Pg) -> Result<(), StoreError> {
        if self.seq.is_empty() {
            return Ok(());
        }
        let columns: &Arrays<'_> = &[
            &self.stream,
            &self.seq,
            &self.time,
            &self.event,
            &self.kind,
            &self.actor,
            &self.resource,
            &self.agent,
            &self.lineage,
            &self.expires,
            &self.body,
            &self.hash,
        ];
        conn.query_arrays(INSERT, columns).map(|_| ())
    }
}

/// Writes the heads that moved. Records move no revision.
pub(super) fn save(conn: &mut Pg, heads: &Heads) -> Result<(), StoreError> {
    let (mut streams, mut seqs, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    let (mut times, mut frontiers) = (Vec::new(), Vec::new());
    for (stream, chain) in heads.dirty() {
        streams.push(stream.bytes().to_vec());
        seqs.push(signed(chain.head.seq));
        hashes.push(chain.head.hash.to_vec());
        times.push(chain.head.time.micros());
        frontiers.push(chain.frontier.to_bytes());
    }
    if streams.is_empty() {
        return Ok(());
    }
    let columns: &Arrays<'_> = &[&streams, &seqs, &hashes, &times, &frontiers];
    conn.query_arrays(SAVE, columns).map(|_| ())
}

fn signed(number: u64) -> i64 {
    // Counters start at zero and go up by one: they do not reach 2^63.
    i64::try_from(number).unwrap_or(i64::MAX)
}
