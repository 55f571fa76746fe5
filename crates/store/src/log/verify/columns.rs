//! The columns shown of an entry against the entry itself. The body is read as this product reads it and must be
//! written again byte for byte; what else it says is not judged.

use super::{Row, digest, plain::Plain, row::RowRef};
use domain::{
    Entry, Lineage,
    entry::{After, LOG_KEY_ROTATED, Projection},
};
use kernel::Timestamp;
use std::thread;

/// A thread is not worth starting for fewer rows.
const SHARE: usize = 512;

/// What a row says by itself, without the rows around it; its body is not needed any more.
#[derive(Clone, Debug)]
pub struct Seen {
    pub(super) position: Option<u64>,
    pub(super) stream: [u8; 16],
    pub(super) seq: u64,
    pub(super) time: i64,
    pub(super) state_rev: Option<u64>,
    pub(super) hash: [u8; 32],
    pub(super) digest: [u8; 32],
    pub(super) shown: Option<Shown>,
    /// The note in which the log's key hands over to another; empty when an entry that should hold one does not.
    pub(super) handover: Option<Box<str>>,
}

impl Seen {
    /// Whose log the row says it is of.
    pub const fn stream(&self) -> [u8; 16] {
        self.stream
    }
}

/// The entry's own time and the columns that are not as the body says, or why the body is no entry.
pub(super) type Shown = Result<(i64, Vec<&'static str>), String>;

/// Looks at rows one by one, with scratch space of its own.
#[derive(Debug)]
pub(crate) struct Look {
    deep: bool,
    plain: Plain,
    buffer: Vec<u8>,
}

impl Look {
    pub(crate) fn new(deep: bool) -> Self {
        Self {
            deep,
            plain: Plain::default(),
            buffer: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, row: &RowRef<'_>) -> Seen {
        Seen {
            position: row.position,
            stream: row.stream,
            seq: row.seq,
            time: row.time,
            state_rev: row.state_rev,
            hash: row.hash,
            digest: digest(row.body),
            shown: self.deep.then(|| self.shown(row)),
            handover: (row.kind == LOG_KEY_ROTATED).then(|| handover(row.body)),
        }
    }

    /// Most bodies are spelled plainly and agree with their columns; whatever is not obviously so is read in full.
    fn shown(&mut self, row: &RowRef<'_>) -> Shown {
        match self.plain.own_time(row) {
            Some(own) => Ok((own, Vec::new())),
            None => differing(row, &mut self.buffer),
        }
    }
}

fn handover(body: &[u8]) -> Box<str> {
    let entry = serde_json::from_slice::<Entry>(body).ok();
    let entry = entry.filter(|entry| entry.kind == LOG_KEY_ROTATED);
    let after = entry.and_then(|entry| entry.action.details.after);
    let after = after.as_ref().map(After::to_value).unwrap_or_default();
    let note = after.get("statement").and_then(|note| note.as_str());
    note.unwrap_or_default().into()
}

/// Looks at many rows on as many threads as there are processors: reading bodies is most of the work.
pub(super) fn see_all(rows: &[Row], deep: bool) -> Vec<Seen> {
    let each = |rows: &[Row]| {
        let mut look = Look::new(deep);
        let seen = rows.iter().map(|row| look.row(&row.lying()));
        seen.collect::<Vec<_>>()
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut parts = rows.chunks(rows.len().div_ceil(threads).max(SHARE));
    let own = parts.next().unwrap_or_default();
    thread::scope(|scope| {
        let others: Vec<_> = parts
            .map(|part| (part, scope.spawn(move || each(part))))
            .collect();
        let mut seen = each(own);
        for (part, other) in others {
            seen.extend(other.join().unwrap_or_else(|_| each(part)));
        }
        seen
    })
}

pub(super) fn differing(row: &RowRef<'_>, buffer: &mut Vec<u8>) -> Shown {
    let body = str::from_utf8(row.body).map_err(|error| error.to_string())?;
    let entry: Entry = serde_json::from_str(body).map_err(|error| error.to_string())?;
    buffer.clear();
    serde_json::to_writer(&mut *buffer, &entry).map_err(|error| error.to_string())?;
    if buffer != row.body {
        return Err("its body is not in canonical form".into());
    }
    let shown = entry.projection();
    let checks = [
        (
            row.event_id == entry.event_id.bytes(),
            "event id differs from its body",
        ),
        (row.kind == shown.kind, "type differs from its body"),
        (row.actor == shown.actor, "actor differs from its body"),
        (
            row.resource == shown.resource.as_deref(),
            "resource differs from its body",
        ),
        (agent(row, &shown), "agent differs from its body"),
        (lineage(row, &shown), "lineage differs from its body"),
        (expiry(row, &shown), "expiry differs from its body"),
    ];
    let wrong = checks.into_iter().filter(|(right, _)| !right);
    let wrong = wrong.map(|(_, what)| what).collect();
    Ok((entry.timestamp.micros(), wrong))
}

/// Whether the log's time of an entry is the later of its own and that of the entry before, if that is known.
pub(super) fn timed(time: i64, own: i64, before: Option<i64>) -> bool {
    before.map_or(time >= own, |before| time == own.max(before))
}

fn agent(row: &RowRef<'_>, shown: &Projection) -> bool {
    row.agent == shown.agent.map(|agent| agent.bytes())
}

fn lineage(row: &RowRef<'_>, shown: &Projection) -> bool {
    row.lineage == shown.lineage.as_ref().map(Lineage::to_bytes).as_deref()
}

fn expiry(row: &RowRef<'_>, shown: &Projection) -> bool {
    row.expires_at == shown.expires_at.map(Timestamp::micros)
}
