//! The appender: record entries of every organization, many in one transaction, in the name of a role that can
//! only append. One thread of each node.

use super::{
    conn::{Mode, Pg},
    lock,
    session::{Ended, Session},
};
use crate::{
    CommitError, Recorded, StoreError,
    command::Proof,
    conn::Role,
    head::Heads,
    lanes::Lanes,
    log_rows,
    record::{Record, Waiting},
    value::Cells,
};
use domain::Stream;
use std::collections::BTreeSet;

/// The most that share one COMMIT.
const BATCH: usize = 512;
const ATTEMPTS: usize = 5;
const CONSUME: &str = "INSERT INTO once (stream, kind, hash, expires_at) \
    SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bigint[]) \
    ON CONFLICT DO NOTHING RETURNING stream, kind, hash";

type Outcome = Result<Recorded, CommitError>;

/// Serves the queue until it is closed and empty.
pub(super) fn run(mut session: Session, jobs: &Lanes<Waiting>) {
    while let Some(taken) = jobs.take(BATCH) {
        let (waiting, records): (Vec<_>, Vec<_>) = taken
            .into_iter()
            .map(|(_, job)| (job.reply, job.record))
            .unzip();
        let outcomes = session.append(&records);
        for (reply, outcome) in waiting.into_iter().zip(outcomes) {
            // Whoever asked may have gone away.
            let _gone = reply.send(outcome);
        }
    }
}

impl Session {
    /// An outcome for each record. What fails together is tried one by one, so that a bad entry fails alone.
    fn append(&mut self, records: &[Record]) -> Vec<Outcome> {
        match self.together(records) {
            Ok(outcomes) => outcomes,
            // One stream's unreadable head or bad entry must not fail the others'.
            Err(error @ (StoreError::Database(_) | StoreError::Corrupt { .. }))
                if records.len() > 1 =>
            {
                tracing::error!(%error, "a batch of entries was refused; trying one by one");
                records
                    .iter()
                    .flat_map(|record| self.append(std::slice::from_ref(record)))
                    .collect()
            }
            Err(error) => records.iter().map(|_| Err(error.clone().into())).collect(),
        }
    }

    fn together(&mut self, records: &[Record]) -> Result<Vec<Outcome>, StoreError> {
        let mut last = StoreError::closed();
        for _ in 0..ATTEMPTS {
            match self.batch(records) {
                Err(
                    error @ (StoreError::Contended(_) | StoreError::Lost(_) | StoreError::Standby),
                ) => last = error,
                Ok(Some(outcomes)) => return Ok(outcomes),
                Ok(None) => return Err(StoreError::Lost("COMMIT was not answered".into())),
                Err(other) => return Err(other),
            }
        }
        Err(last)
    }

    /// One transaction; nothing when nobody can say whether it was committed.
    fn batch(&mut self, records: &[Record]) -> Result<Option<Vec<Outcome>>, StoreError> {
        let conn = self.begin(Role::Appender, Mode::Write)?;
        let (outcomes, heads, proof) = match write(conn, records) {
            Ok(written) => written,
            Err(error) => {
                self.rollback();
                return Err(error);
            }
        };
        match self.commit(&heads, proof)? {
            Ended::Committed | Ended::Found => Ok(Some(outcomes)),
            Ended::Absent => Err(StoreError::Lost("COMMIT was lost".into())),
            Ended::Unknown(_) if proof.is_none() => Ok(Some(outcomes)),
            Ended::Unknown(_) => Ok(None),
        }
    }
}

type Written = (Vec<Outcome>, Heads, Option<Proof>);

/// Decides on each record under the locks of the batch; what stands is sent with the COMMIT.
fn write(conn: &mut Pg, records: &[Record]) -> Result<Written, StoreError> {
    let streams: BTreeSet<Stream> = records.iter().map(|record| record.stream).collect();
    let decided = records.iter().any(|record| record.decided_at.is_some());
    let mut heads = lock::all(conn, &streams, decided)?;
    let instance = heads.shared_instance().unwrap_or_default();
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(records.len());
    for record in records {
        let current = heads.lock(conn, record.stream)?.head.authority_rev;
        outcomes.push(stands(record, current, instance).map(|()| Recorded { seq: 0 }));
    }
    consume(conn, records, &mut outcomes)?;
    conn.hold_back();
    let mut proof = None;
    for (record, outcome) in records.iter().zip(&mut outcomes) {
        let Ok(recorded) = outcome else { continue };
        let chain = heads.lock(conn, record.stream)?;
        let link = chain.next(record.stream, &record.entry);
        log_rows::store(conn, record.stream, &record.entry, &link, None)?;
        chain.push(&link);
        recorded.seq = link.seq;
        proof.get_or_insert(Proof {
            stream: record.stream,
            seq: link.seq,
            event: record.entry.event_id,
        });
    }
    Ok((outcomes, heads, proof))
}

fn stands(record: &Record, own: u64, instance: u64) -> Result<(), CommitError> {
    let Some(decided) = record.decided_at else {
        return Ok(());
    };
    let moved = |stream, current| Err(CommitError::AuthorityMoved { stream, current });
    if decided.instance != instance {
        return moved(Stream::INSTANCE, instance);
    }
    if decided.stream == own {
        Ok(())
    } else {
        moved(record.stream, own)
    }
}

/// Consumes what the records that still stand consume; of two that consume the same, the first.
fn consume(conn: &mut Pg, records: &[Record], outcomes: &mut [Outcome]) -> Result<(), StoreError> {
    let standing = records.iter().zip(outcomes.iter());
    let wanted: Vec<_> = standing
        .filter(|(_, outcome)| outcome.is_ok())
        .filter_map(|(record, _)| Some((record.stream.bytes(), record.once?)))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let streams: Vec<&[u8]> = wanted.iter().map(|(stream, _)| stream.as_slice()).collect();
    let kinds: Vec<&str> = wanted.iter().map(|(_, once)| once.kind).collect();
    let hashes: Vec<&[u8]> = wanted
        .iter()
        .map(|(_, once)| once.hash.as_slice())
        .collect();
    let ends: Vec<i64> = wanted
        .iter()
        .map(|(_, once)| once.expires_at.micros())
        .collect();
    let mut fresh = BTreeSet::new();
    for row in conn.query_arrays(CONSUME, &[&streams, &kinds, &hashes, &ends])? {
        let mut cells = Cells::new("once", row);
        let stream = cells.array::<16>("stream")?;
        let kind = cells.text("kind")?;
        fresh.insert((stream, kind, cells.array::<32>("hash")?));
    }
    for (record, outcome) in records.iter().zip(outcomes) {
        if let (Ok(_), Some(once)) = (&outcome, &record.once) {
            let key = (record.stream.bytes(), once.kind.to_owned(), once.hash);
            if !fresh.remove(&key) {
                *outcome = Err(CommitError::AlreadyUsed);
            }
        }
    }
    Ok(())
}
