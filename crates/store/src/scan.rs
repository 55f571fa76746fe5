//! Reading everything the log's verifier needs, whoever it belongs to: rows where they lie in the file, heads, the
//! feed's places, the streams there are. A row that cannot be read is told and does not hide the others.

use crate::{
    Head, Reader, StoreError,
    conn::Conn,
    events::{self, COLUMNS},
    head,
    log::{
        Frontier,
        verify::{Look, Row, RowRef, Seen},
    },
    store::HEADS,
    value::{self, Cell, Cells, Param, Value},
};
use domain::Stream;

/// A head with the right edge of its stream's tree.
pub type StreamHead = (Stream, Head, Frontier);

/// Which rows of a file to look at.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// Only those after this position.
    pub after: i64,
    /// Only those up to this position; all there are when absent.
    pub until: Option<i64>,
    /// At most this many.
    pub limit: usize,
    /// Whether to read their bodies.
    pub deep: bool,
}

/// Rows of all streams in the order in which the file holds them.
#[derive(Debug)]
pub struct Scan {
    /// What each says by itself.
    pub rows: Vec<Result<Seen, StoreError>>,
    /// The position of the last of them, which may be any number in a file that somebody changed.
    pub last: Option<i64>,
    /// The next position with a row after a stretch that was not full of them.
    pub next: Option<i64>,
    /// The heads in the same snapshot, when these rows are the last there are.
    pub heads: Option<Vec<Result<StreamHead, StoreError>>>,
}

/// The rows of a stretch, looked at where they lie.
pub(crate) fn scan(conn: &mut dyn Conn, stretch: Stretch) -> Result<Scan, StoreError> {
    let limit = i64::try_from(stretch.limit).unwrap_or(i64::MAX);
    let until = stretch.until.unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS}, NULL, e.position FROM audit_events e WHERE e.position > $1 AND e.position <= $2 \
         ORDER BY e.position LIMIT $3"
    );
    let params = [
        Param::Int(stretch.after),
        Param::Int(until),
        Param::Int(limit),
    ];
    let (mut rows, mut last) = (Vec::with_capacity(stretch.limit), None);
    let mut look = Look::new(stretch.deep);
    conn.each(&sql, &params, &mut |cells| {
        last = match cells.last() {
            Some(Cell::Int(position)) => Some(*position),
            _ => last,
        };
        rows.push(seen(&mut look, cells));
    })?;
    let ended = rows.len() < stretch.limit;
    let next = match stretch.until {
        Some(until) if ended => extreme(conn, NEXT, &[Param::Int(until)])?,
        _ => None,
    };
    let heads = match stretch.until {
        None if ended => Some(heads(conn)?),
        _ => None,
    };
    Ok(Scan {
        rows,
        last,
        next,
        heads,
    })
}

fn seen(look: &mut Look, cells: &[Cell<'_>]) -> Result<Seen, StoreError> {
    if let Some(row) = lying(cells) {
        return Ok(look.row(&row));
    }
    let values = cells.iter().copied().map(Value::from).collect();
    events::decode(values).map(|row| look.row(&Row::from(row).lying()))
}

/// A row whose cells are what they should be.
fn lying<'a>(cells: &[Cell<'a>]) -> Option<RowRef<'a>> {
    let [
        stream,
        seq,
        time,
        event_id,
        state_rev,
        kind,
        actor,
        resource,
        agent,
        lineage,
        expires_at,
        body,
        hash,
        _,
        position,
    ] = *cells
    else {
        return None;
    };
    Some(RowRef {
        position: optional(position, count)?,
        stream: bytes(stream)?.try_into().ok()?,
        seq: count(seq)?,
        time: int(time)?,
        event_id: bytes(event_id)?.try_into().ok()?,
        state_rev: optional(state_rev, count)?,
        kind: text(kind)?,
        actor: text(actor)?,
        resource: optional(resource, text)?,
        agent: optional(agent, |cell| bytes(cell)?.try_into().ok())?,
        lineage: optional(lineage, bytes)?,
        expires_at: optional(expires_at, int)?,
        body: bytes(body)?,
        hash: bytes(hash)?.try_into().ok()?,
    })
}

const fn int(cell: Cell<'_>) -> Option<i64> {
    match cell {
        Cell::Int(value) => Some(value),
        _ => None,
    }
}

fn count(cell: Cell<'_>) -> Option<u64> {
    u64::try_from(int(cell)?).ok()
}

const fn bytes(cell: Cell<'_>) -> Option<&[u8]> {
    match cell {
        Cell::Blob(value) => Some(value),
        _ => None,
    }
}

fn text(cell: Cell<'_>) -> Option<&str> {
    match cell {
        Cell::Text(value) => str::from_utf8(value).ok(),
        _ => None,
    }
}

fn optional<'a, T>(cell: Cell<'a>, read: impl Fn(Cell<'a>) -> Option<T>) -> Option<Option<T>> {
    match cell {
        Cell::Null => Some(None),
        cell => read(cell).map(Some),
    }
}

const LEAST: &str = "SELECT min(position) FROM audit_events";
const LAST: &str = "SELECT max(position) FROM audit_events";
const NEXT: &str = "SELECT min(position) FROM audit_events WHERE position > $1";

/// A position below every other and below the first that belongs to a row, and the last there is.
pub(crate) fn extent(conn: &mut dyn Conn) -> Result<(i64, i64), StoreError> {
    let least = extreme(conn, LEAST, &[])?.unwrap_or(0);
    let last = extreme(conn, LAST, &[])?.unwrap_or(0);
    Ok((least.saturating_sub(1).min(0), last))
}

fn extreme(
    conn: &mut dyn Conn,
    sql: &str,
    params: &[Param<'_>],
) -> Result<Option<i64>, StoreError> {
    let found = conn.query(sql, params)?.pop();
    let found = found.map(|row| Cells::new("audit_events", row).optional_int("position"));
    Ok(found.transpose()?.flatten())
}

fn heads(conn: &mut dyn Conn) -> Result<Vec<Result<StreamHead, StoreError>>, StoreError> {
    let rows = conn.query(HEADS, &[])?.into_iter();
    Ok(rows.map(|row| followed(conn, row)).collect())
}

/// A head as it is stored, followed along the log if it is behind and is that of the entry it names.
fn followed(conn: &mut dyn Conn, row: value::Row) -> Result<StreamHead, StoreError> {
    let (stream, mut chain) = head::decode(row)?;
    let params = [stream.into(), chain.head.seq.into()];
    let named = conn.query(NAMED, &params)?.pop();
    let named = named.map(|row| Cells::new("audit_events", row).array("hash"));
    if named.transpose()? == Some(chain.head.hash) {
        head::follow(conn, stream, &mut chain)?;
    }
    Ok((stream, chain.head, chain.frontier))
}

const NAMED: &str = "SELECT hash FROM audit_events WHERE stream = $1 AND seq = $2";
const NEXT_STREAM: &str =
    "SELECT stream, seq FROM audit_events WHERE stream > $1 ORDER BY stream, seq LIMIT 1";

/// The streams that have rows, whether anything else knows them or not.
pub(crate) fn streams(conn: &mut dyn Conn) -> Result<Vec<Stream>, StoreError> {
    let mut all = Vec::new();
    let least = conn.query(
        "SELECT stream, seq FROM audit_events ORDER BY stream, seq LIMIT 1",
        &[],
    )?;
    let mut next = least;
    while let Some(row) = next.pop() {
        let stream = Stream::from_bytes(Cells::new("audit_events", row).array("stream")?);
        next = conn.query(NEXT_STREAM, &[stream.into()])?;
        all.push(stream);
    }
    Ok(all)
}

const FEED: &str = "SELECT stream, state_rev, seq FROM change_feed WHERE stream = $1 AND state_rev > $2 \
    ORDER BY state_rev LIMIT $3";

impl Reader<'_> {
    /// The next pairs of revision and entry number that the feed of changes has after `state_rev`, in order.
    ///
    /// # Errors
    /// When the stream is out of scope, a row is unreadable or the database fails.
    pub fn feed(
        &mut self,
        stream: Stream,
        state_rev: u64,
        limit: usize,
    ) -> Result<Vec<(u64, u64)>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let params = [stream.into(), state_rev.into(), Param::Int(limit)];
        let rows = self.on(stream)?.query(FEED, &params)?.into_iter();
        let each = |row| {
            let mut cells = Cells::new("change_feed", row);
            let _stream = cells.array::<16>("stream")?;
            Ok((cells.count("state_rev")?, cells.count("seq")?))
        };
        rows.map(each).collect()
    }
}
