//! Heads: where each stream stands. A head is read under its lock, moved in memory as entries are appended and
//! written once per transaction, so that a group of entries costs one write of it.

use crate::{
    CommitError, Engine, Prepared, StoreError,
    conn::Conn,
    log::{Frontier, entry_hash},
    value::{Cells, Row},
};
use domain::Stream;
use kernel::Timestamp;
use std::collections::{BTreeMap, HashMap, btree_map::Entry};

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The number of its last entry; entries are numbered from 1 without a gap.
    pub seq: u64,
    /// How many entries moved state.
    pub state_rev: u64,
    /// Raised by every commit after which an earlier decision could be wrong in the direction of too much.
    pub authority_rev: u64,
    /// The hash of its last entry.
    pub hash: [u8; 32],
    /// The time of its last entry; never goes back.
    pub time: Timestamp,
}

/// A head with the right edge of its Merkle tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    pub(crate) head: Head,
    pub(crate) frontier: Frontier,
    /// Whether the stored head is behind this one.
    pub(crate) dirty: bool,
    /// Whether it must be stored with the present transaction: what it says beside the log is in no row of the log.
    due: bool,
}

/// What the next entry of a chain will be stored with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) seq: u64,
    pub(crate) time: Timestamp,
    pub(crate) hash: [u8; 32],
}

impl Chain {
    pub(crate) fn next(&self, stream: Stream, entry: &Prepared) -> Link {
        let seq = self.head.seq + 1;
        let time = self.head.time.max(entry.time);
        let hash = entry_hash(
            stream.bytes(),
            seq,
            time.micros(),
            &self.head.hash,
            &entry.digest,
        );
        Link { seq, time, hash }
    }

    pub(crate) fn push(&mut self, link: &Link) {
        self.head.seq = link.seq;
        self.head.time = link.time;
        self.head.hash = link.hash;
        self.frontier.push(&link.hash);
        self.dirty = true;
        // Whoever lists the streams finds each from its first entry on.
        self.due |= link.seq == 1;
    }
}

/// How many heads are kept in memory between transactions.
const KEPT: usize = 16_384;
const LOCK: &str = "SELECT stream, seq, state_rev, authority_rev, hash, time, frontier FROM stream_head WHERE stream = $1 FOR UPDATE";
/// The instance's head is shared by every organization's decisions and moved by few. A row lock would let those
/// who share it pass whoever waits to move it, for as long as they keep coming; this lock has a queue. Taken
/// before the row, by itself, so that what is read next is what stands then.
pub(crate) const SHARE: &str =
    "SELECT pg_advisory_xact_lock_shared(70934572, hashtext(current_schema()))::text";
const MOVE: &str = "SELECT pg_advisory_xact_lock(70934572, hashtext(current_schema()))::text";
pub(crate) const AUTHORITY: &str = "SELECT authority_rev FROM stream_head WHERE stream = $1";
const LOOK: &str = "SELECT stream, seq, state_rev, authority_rev, hash, time, frontier FROM stream_head WHERE stream = $1";
const SAVE: &str = "INSERT INTO stream_head (stream, seq, state_rev, authority_rev, hash, time, frontier) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (stream) DO UPDATE SET seq = excluded.seq, \
    state_rev = excluded.state_rev, authority_rev = excluded.authority_rev, hash = excluded.hash, \
    time = excluded.time, frontier = excluded.frontier";
const TAIL: &str = "SELECT seq, time, hash FROM audit_events WHERE stream = $1 AND seq > $2 ORDER BY seq LIMIT 1000";
const TAIL_PAGE: usize = 1000;
pub(crate) const CREATE: &str = "INSERT INTO stream_head (stream, seq, state_rev, authority_rev, hash, time, frontier) \
    VALUES ($1, 0, 0, 0, $2, 0, $3) ON CONFLICT DO NOTHING";

pub(crate) fn decode(row: Row) -> Result<(Stream, Chain), StoreError> {
    let mut cells = Cells::new("stream_head", row);
    let stream = Stream::from_bytes(cells.array("stream")?);
    let head = Head {
        seq: cells.count("seq")?,
        state_rev: cells.count("state_rev")?,
        authority_rev: cells.count("authority_rev")?,
        hash: cells.array("hash")?,
        time: cells.time("time")?,
    };
    let bytes = cells.bytes("frontier")?;
    let frontier = Frontier::from_bytes(&bytes).filter(|frontier| frontier.size() == head.seq);
    let frontier = frontier.ok_or_else(|| cells.corrupt("frontier", "it does not fit the head"))?;
    let chain = Chain {
        head,
        frontier,
        dirty: false,
        due: false,
    };
    Ok((stream, chain))
}

/// Reads a head without locking it; that of a stream without entries is all zero.
pub(crate) fn look(conn: &mut dyn Conn, stream: Stream) -> Result<Chain, StoreError> {
    let row = conn.query(LOOK, &[stream.into()])?.pop();
    let saved = row.map(decode).transpose()?.map(|(_, chain)| chain);
    let mut chain = saved.unwrap_or_default();
    follow(conn, stream, &mut chain)?;
    Ok(chain)
}

/// Goes on along the log from where the head was stored: the embedded engine stores heads now and then, because
/// record entries spread over many streams would otherwise cost a page of heads each.
pub(crate) fn follow(
    conn: &mut dyn Conn,
    stream: Stream,
    chain: &mut Chain,
) -> Result<(), StoreError> {
    if conn.engine() != Engine::Sqlite {
        return Ok(());
    }
    loop {
        let rows = conn.query(TAIL, &[stream.into(), chain.head.seq.into()])?;
        let ended = rows.len() < TAIL_PAGE;
        for row in rows {
            let mut cells = Cells::new("audit_events", row);
            let link = Link {
                seq: cells.count("seq")?,
                time: cells.time("time")?,
                hash: cells.array("hash")?,
            };
            if link.seq != chain.head.seq + 1 {
                return Ok(());
            }
            chain.push(&link);
        }
        if ended {
            return Ok(());
        }
    }
}

/// The heads that one transaction holds locked.
#[derive(Default)]
pub(crate) struct Heads {
    chains: BTreeMap<Stream, Chain>,
    /// What the present command changed, as it was before.
    undo: BTreeMap<Stream, Chain>,
    /// What earlier transactions left, for those to come.
    kept: HashMap<Stream, Chain>,
    /// The instance's `authority_rev`, when it is held still and its head is not locked.
    shared: Option<u64>,
    /// Whether a head that is kept has moved since it was stored.
    behind: bool,
}

impl Heads {
    /// Starts a command: `rollback` returns to here.
    pub(crate) fn begin(&mut self) {
        self.undo.clear();
    }

    /// Takes back what happened since `begin`.
    pub(crate) fn rollback(&mut self) {
        self.chains.append(&mut self.undo);
    }

    /// After a commit, keeps what was committed for the next transaction, which is sure that nobody else wrote.
    /// `saved` says whether every head was stored with it.
    pub(crate) fn settle(&mut self, saved: bool) {
        self.undo.clear();
        for (stream, mut chain) in std::mem::take(&mut self.chains) {
            chain.dirty &= !(saved || chain.due);
            chain.due = false;
            self.behind |= chain.dirty;
            self.kept.insert(stream, chain);
        }
        if saved {
            self.behind = false;
            for chain in self.kept.values_mut() {
                chain.dirty = false;
            }
            if self.is_full() {
                self.kept.clear();
            }
        }
    }

    /// Whether a stored head is behind its stream.
    pub(crate) fn is_behind(&self) -> bool {
        self.behind
    }

    /// Whether more heads are kept than should be; storing them makes room.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.len() > KEPT
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// A head that the caller has locked in a way of its own.
    pub(crate) fn adopt(&mut self, stream: Stream, chain: Chain) {
        self.chains.insert(stream, chain);
    }

    /// The instance's `authority_rev`, which the caller keeps from moving until the transaction ends.
    pub(crate) fn share(&mut self, authority_rev: u64) {
        self.shared = Some(authority_rev);
    }

    /// The instance's `authority_rev`, when it is held still.
    pub(crate) fn shared_instance(&self) -> Option<u64> {
        self.shared
    }

    /// Locks a stream's head, making it on first use.
    pub(crate) fn lock(
        &mut self,
        conn: &mut dyn Conn,
        stream: Stream,
    ) -> Result<&mut Chain, StoreError> {
        match self.chains.entry(stream) {
            Entry::Occupied(held) => Ok(held.into_mut()),
            Entry::Vacant(free) => Ok(free.insert(match (self.kept.get(&stream), conn.engine()) {
                (Some(kept), _) => kept.clone(),
                (None, Engine::Sqlite) => look(conn, stream)?,
                (None, Engine::Postgres) => lock_row(conn, stream)?,
            })),
        }
    }

    /// Refuses when authority moved in this stream since it was decided on. The instance's head is only shared:
    /// every organization's decisions read it and none of them writes it.
    pub(crate) fn still_at(
        &mut self,
        conn: &mut dyn Conn,
        stream: Stream,
        seen: u64,
    ) -> Result<(), CommitError> {
        let shared = conn.engine() == Engine::Postgres
            && stream == Stream::INSTANCE
            && !self.chains.contains_key(&stream);
        let current = if shared {
            match self.shared {
                Some(held) => held,
                None => *self.shared.insert(share_instance(conn)?),
            }
        } else {
            self.lock(conn, stream)?.head.authority_rev
        };
        if current == seen {
            return Ok(());
        }
        Err(CommitError::AuthorityMoved { stream, current })
    }

    /// The same, remembering what it was for `rollback`.
    pub(crate) fn edit(
        &mut self,
        conn: &mut dyn Conn,
        stream: Stream,
    ) -> Result<&mut Chain, StoreError> {
        let before = self.lock(conn, stream)?.clone();
        self.undo.entry(stream).or_insert(before);
        let chain = self.chains.entry(stream).or_default();
        chain.due = true;
        Ok(chain)
    }

    /// The heads that moved.
    pub(crate) fn dirty(&self) -> impl Iterator<Item = (Stream, &Chain)> {
        let all = self.chains.iter().map(|(stream, chain)| (*stream, chain));
        all.filter(|(_, chain)| chain.dirty)
    }

    /// Writes the heads that must be stored with this transaction, or every one that moved.
    pub(crate) fn save(&self, conn: &mut dyn Conn, all: bool) -> Result<(), StoreError> {
        let moved = self.dirty().filter(|(_, chain)| all || chain.due);
        moved
            .into_iter()
            .try_for_each(|(stream, chain)| save(conn, stream, chain))?;
        let earlier = self
            .kept
            .iter()
            .filter(|(stream, chain)| all && chain.dirty && !self.chains.contains_key(stream));
        let mut earlier: Vec<_> = earlier.collect();
        earlier.sort_unstable_by_key(|(stream, _)| **stream);
        earlier
            .into_iter()
            .try_for_each(|(stream, chain)| save(conn, *stream, chain))
    }
}

fn save(conn: &mut dyn Conn, stream: Stream, chain: &Chain) -> Result<(), StoreError> {
    let head = &chain.head;
    let frontier = chain.frontier.to_bytes();
    let params = [
        stream.into(),
        head.seq.into(),
        head.state_rev.into(),
        head.authority_rev.into(),
        (&head.hash).into(),
        head.time.into(),
        frontier.as_slice().into(),
    ];
    conn.execute(SAVE, &params).map(|_| ())
}

/// The instance's `authority_rev`, which nobody moves until this transaction ends.
fn share_instance(conn: &mut dyn Conn) -> Result<u64, StoreError> {
    conn.query(SHARE, &[])?;
    authority(conn.query(AUTHORITY, &[Stream::INSTANCE.into()])?)
}

/// The `authority_rev` that the answer to `AUTHORITY` tells; 0 for a stream without entries.
pub(crate) fn authority(mut rows: Vec<Row>) -> Result<u64, StoreError> {
    let row = rows.pop();
    let decoded = row.map(|row| Cells::new("stream_head", row).count("authority_rev"));
    decoded.transpose().map(Option::unwrap_or_default)
}

fn lock_row(conn: &mut dyn Conn, stream: Stream) -> Result<Chain, StoreError> {
    if stream == Stream::INSTANCE {
        conn.query(MOVE, &[])?;
    }
    let mut found = conn.query(LOCK, &[stream.into()])?.pop();
    if found.is_none() {
        let empty = Frontier::new().to_bytes();
        conn.execute(
            CREATE,
            &[stream.into(), (&[0u8; 32]).into(), empty.as_slice().into()],
        )?;
        found = conn.query(LOCK, &[stream.into()])?.pop();
    }
    let row = found.ok_or_else(|| StoreError::Database("a new head cannot be seen".into()))?;
    decode(row).map(|(_, chain)| chain)
}
