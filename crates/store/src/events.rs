//! Reading the log: rows by place, filtered rows, counts of live tokens, checkpoints. Never writes; every column
//! of a row is given, so that a verifier can compare each with the body.

use crate::{
    Engine, StoreError,
    conn::Conn,
    value::{Cells, Param, Row},
};
use domain::{GrantId, Lineage, Stream};
use kernel::{Agent, Event, Id, Timestamp, limits};
use std::fmt::Write as _;

/// A row of the log, all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Whose log.
    pub stream: Stream,
    /// Its place in the stream, from 1 without a gap.
    pub seq: u64,
    /// Its place in the file, from 1 without a gap; none on PostgreSQL.
    pub position: Option<u64>,
    /// The log's time of it; never before the row in front.
    pub time: Timestamp,
    /// The entry's identifier.
    pub event_id: Id<Event>,
    /// The state revision it made, if it made one.
    pub state_rev: Option<u64>,
    /// The entry's type.
    pub kind: String,
    /// Who did it, in text.
    pub actor: String,
    /// To what, in text.
    pub resource: Option<String>,
    /// The agent a token was issued to.
    pub agent: Option<Id<Agent>>,
    /// The issued token's lineage, eight bytes an id.
    pub lineage: Option<Vec<u8>>,
    /// When the issued token ends.
    pub expires_at: Option<Timestamp>,
    /// The entry, canonical JSON.
    pub body: Vec<u8>,
    /// The hash of the row in front; 32 zero bytes for the first.
    pub prev_hash: [u8; 32],
    /// The row's hash.
    pub hash: [u8; 32],
}

/// Which rows of the log to read, in order.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Only rows after this place.
    pub after_seq: u64,
    /// Only rows before this place.
    pub before_seq: Option<u64>,
    /// At most this many.
    pub limit: usize,
    /// Only this type.
    pub kind: Option<String>,
    /// Only this actor.
    pub actor: Option<String>,
    /// Only this resource.
    pub resource: Option<String>,
    /// Only tokens issued to this agent.
    pub agent: Option<Id<Agent>>,
    /// Only rows at these places, of which at most 32 are looked at; at any when there are none.
    pub among: Vec<u64>,
    /// From which end to begin.
    pub order: Order,
}

/// The order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    #[default]
    Ascending,
    /// Newest first.
    Descending,
}

/// The columns of a row but its position, in the order in which `decode` reads them.
pub(crate) const COLUMNS: &str = "e.stream, e.seq, e.time, e.event_id, e.state_rev, e.type, e.actor, e.resource, e.agent, \
    e.lineage, e.expires_at, e.body, e.hash";
/// How many places one query names.
pub(crate) const AMONG: usize = 32;
const BEFORE: &str =
    "(SELECT p.hash FROM audit_events p WHERE p.stream = e.stream AND p.seq = e.seq - 1)";

pub(crate) fn events(
    conn: &mut dyn Conn,
    stream: Stream,
    query: &EventQuery,
) -> Result<Vec<EventRow>, StoreError> {
    let position = match conn.engine() {
        Engine::Sqlite => "e.position",
        Engine::Postgres => "NULL::bigint",
    };
    let mut params: Vec<Param<'_>> = vec![stream.into(), query.after_seq.into()];
    let mut sql = format!(
        "SELECT {COLUMNS}, {BEFORE}, {position} FROM audit_events e WHERE e.stream = $1 AND e.seq > $2"
    );
    let filters: [(&str, Option<Param<'_>>); 5] = [
        ("e.seq <", query.before_seq.map(Into::into)),
        ("e.type =", query.kind.as_deref().map(Into::into)),
        ("e.actor =", query.actor.as_deref().map(Into::into)),
        ("e.resource =", query.resource.as_deref().map(Into::into)),
        ("e.agent =", query.agent.map(|agent| agent.bytes().into())),
    ];
    for (condition, value) in filters {
        if let Some(value) = value {
            params.push(value);
            let _infallible = write!(sql, " AND {condition} ${}", params.len());
        }
    }
    if let Some(last) = query.among.last() {
        // The last is named again, so that every such query is one statement.
        let all = query.among.iter().chain(std::iter::repeat(last));
        let from = params.len() + 1;
        params.extend(all.take(AMONG).map(|seq| Param::from(*seq)));
        let names: Vec<String> = (from..from + AMONG).map(|at| format!("${at}")).collect();
        let _infallible = write!(sql, " AND e.seq IN ({})", names.join(", "));
    }
    params.push(Param::Int(i64::try_from(query.limit).unwrap_or(i64::MAX)));
    let order = match query.order {
        Order::Ascending => "ASC",
        Order::Descending => "DESC",
    };
    let _infallible = write!(sql, " ORDER BY e.seq {order} LIMIT ${}", params.len());
    conn.query(&sql, &params)?.into_iter().map(decode).collect()
}

pub(crate) fn decode(row: Row) -> Result<EventRow, StoreError> {
    let mut cells = Cells::new("audit_events", row);
    let stream = Stream::from_bytes(cells.array("stream")?);
    let seq = cells.count("seq")?;
    Ok(EventRow {
        stream,
        seq,
        time: cells.time("time")?,
        event_id: Id::from_bytes(cells.array("event_id")?),
        state_rev: cells.optional_count("state_rev")?,
        kind: cells.text("type")?,
        actor: cells.text("actor")?,
        resource: cells.optional_text("resource")?,
        agent: cells.optional_array("agent")?.map(Id::from_bytes),
        lineage: cells.optional_bytes("lineage")?,
        expires_at: cells
            .optional_int("expires_at")?
            .map(Timestamp::from_micros),
        body: cells.bytes("body")?,
        hash: cells.array("hash")?,
        prev_hash: cells.optional_array("hash")?.unwrap_or_default(),
        position: cells.optional_count("position")?,
    })
}

const RECENT: &str = "SELECT stream, seq, time, agent, lineage, expires_at FROM audit_events WHERE stream = $1 AND seq < $2 \
    ORDER BY seq DESC LIMIT 1000";
const RECENT_PAGE: usize = 1000;

/// How many unexpired tokens were issued under a grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Issues {
    /// As many as were found.
    pub tokens: u64,
    /// Whether the log was longer than what is looked at, so that there may be more.
    pub more: bool,
}

/// How many unexpired tokens of these agents were issued under any of these grants: the log is read backwards, as far as a token
/// can have lived and no further than `limits::CASCADE_ENTRIES`, so that it needs no index and no revocation waits long.
pub(crate) fn tokens_under(
    conn: &mut dyn Conn,
    stream: Stream,
    agents: &[Id<Agent>],
    grants: &[GrantId],
    now: Timestamp,
) -> Result<Issues, StoreError> {
    let oldest = now.minus(limits::RUN_TOKEN_LIFE).minus(limits::CLOCK_SKEW);
    let mut issues = Issues::default();
    let mut before = i64::MAX.unsigned_abs();
    for _ in 0..limits::CASCADE_ENTRIES.div_ceil(RECENT_PAGE) {
        let rows = conn.query(RECENT, &[stream.into(), before.into()])?;
        let ended = rows.len() < RECENT_PAGE;
        for row in rows {
            let mut cells = Cells::new("audit_events", row);
            let _stream = cells.array::<16>("stream")?;
            before = cells.count("seq")?;
            if cells.time("time")? < oldest {
                return Ok(issues);
            }
            let agent = cells.optional_array("agent")?.map(Id::from_bytes);
            let lineage = cells.optional_bytes("lineage")?;
            let end = cells
                .optional_int("expires_at")?
                .map(Timestamp::from_micros);
            if !agent.is_some_and(|agent| agents.contains(&agent))
                || end.is_none_or(|end| end <= now)
            {
                continue;
            }
            let lineage = lineage.and_then(|bytes| Lineage::from_bytes(&bytes));
            let lineage = lineage.ok_or_else(|| cells.corrupt("lineage", "it is not sorted"))?;
            let below = grants.iter().any(|grant| lineage.contains(*grant));
            issues.tokens += u64::from(below);
        }
        if ended {
            return Ok(issues);
        }
    }
    issues.more = true;
    Ok(issues)
}

/// A stored checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// How many entries it covers.
    pub size: u64,
    /// When it was signed.
    pub time: Timestamp,
    /// The signed note.
    pub note: String,
}

const CHECKPOINTS: &str = "SELECT stream, size, time, note FROM checkpoint WHERE stream = $1 ORDER BY size DESC, time DESC LIMIT $2";
const SAVE: &str = "INSERT INTO checkpoint (stream, size, time, note) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/// The newest checkpoints, newest first.
pub(crate) fn checkpoints(
    conn: &mut dyn Conn,
    stream: Stream,
    latest: usize,
) -> Result<Vec<CheckpointRow>, StoreError> {
    let latest = Param::Int(i64::try_from(latest).unwrap_or(i64::MAX));
    let rows = conn.query(CHECKPOINTS, &[stream.into(), latest])?;
    let decode = |row| {
        let mut cells = Cells::new("checkpoint", row);
        let _stream = cells.array::<16>("stream")?;
        Ok(CheckpointRow {
            size: cells.count("size")?,
            time: cells.time("time")?,
            note: cells.text("note")?,
        })
    };
    rows.into_iter().map(decode).collect()
}

/// Keeps a checkpoint; one of the same size and time that is there stays.
pub(crate) fn save_checkpoint(
    conn: &mut dyn Conn,
    stream: Stream,
    row: &CheckpointRow,
) -> Result<(), StoreError> {
    let params = [
        stream.into(),
        row.size.into(),
        row.time.into(),
        row.note.as_str().into(),
    ];
    conn.execute(SAVE, &params).map(|_| ())
}
