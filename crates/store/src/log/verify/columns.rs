//! The columns shown of an entry against the entry itself. The body is read as this product reads it and must be
//! written again byte for byte; what else it says is not judged.

use super::Row;
use domain::{Entry, Lineage, entry::Projection};
use kernel::Timestamp;

/// What of this row is not as its body says; `before` is the time of the entry before, if known.
pub(super) fn differing(
    row: &Row,
    before: Option<i64>,
    buffer: &mut Vec<u8>,
) -> Result<Vec<&'static str>, String> {
    let entry: Entry = serde_json::from_slice(&row.body).map_err(|error| error.to_string())?;
    buffer.clear();
    serde_json::to_writer(&mut *buffer, &entry).map_err(|error| error.to_string())?;
    if *buffer != row.body {
        return Err("its body is not in canonical form".into());
    }
    let own = entry.timestamp.micros();
    let timed = match before {
        Some(before) => row.time == own.max(before),
        None => row.time >= own,
    };
    let shown = entry.projection();
    let checks = [
        (timed, "time is not the later of its own and the one before"),
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
    Ok(wrong.map(|(_, what)| what).collect())
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
