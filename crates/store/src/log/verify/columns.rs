//! The columns shown of an entry against the entry itself. The body is read as this product reads it and must be
//! written again byte for byte; what else it says is not judged.

use super::{Row, digest};
use domain::{Entry, Lineage, entry::Projection};
use kernel::Timestamp;
use std::thread;

/// A thread is not worth starting for fewer rows.
const SHARE: usize = 512;

/// What a row says by itself, without the rows around it.
pub(super) struct Seen {
    pub(super) digest: [u8; 32],
    pub(super) shown: Option<Shown>,
}

/// The entry's own time and the columns that are not as the body says, or why the body is no entry.
pub(super) type Shown = Result<(i64, Vec<&'static str>), String>;

/// Looks at one row; `buffer` is scratch space.
pub(super) fn see(row: &Row, deep: bool, buffer: &mut Vec<u8>) -> Seen {
    Seen {
        digest: digest(&row.body),
        shown: deep.then(|| differing(row, buffer)),
    }
}

/// Looks at many rows on as many threads as there are processors: reading bodies is most of the work.
pub(super) fn see_all(rows: &[Row], deep: bool) -> Vec<Seen> {
    let each = |rows: &[Row]| {
        let mut buffer = Vec::new();
        let seen = rows.iter().map(|row| see(row, deep, &mut buffer));
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

fn differing(row: &Row, buffer: &mut Vec<u8>) -> Shown {
    let body = str::from_utf8(&row.body).map_err(|error| error.to_string())?;
    let entry: Entry = serde_json::from_str(body).map_err(|error| error.to_string())?;
    buffer.clear();
    serde_json::to_writer(&mut *buffer, &entry).map_err(|error| error.to_string())?;
    if *buffer != row.body {
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
            row.resource == shown.resource,
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

fn agent(row: &Row, shown: &Projection) -> bool {
    row.agent == shown.agent.map(|agent| agent.bytes())
}

fn lineage(row: &Row, shown: &Projection) -> bool {
    row.lineage == shown.lineage.as_ref().map(Lineage::to_bytes)
}

fn expiry(row: &Row, shown: &Projection) -> bool {
    row.expires_at == shown.expires_at.map(Timestamp::micros)
}
