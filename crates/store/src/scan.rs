//! Reading everything the log's verifier needs, whoever it belongs to: rows where they lie in the file, heads, the
//! feed's places, the streams there are. A row that cannot be read is told and does not hide the others.

use crate::{
    EventRow, Head, Reader, StoreError,
    conn::Conn,
    events::{self, COLUMNS},
    head,
    log::Frontier,
    store::HEADS,
    value::{Cells, Param, Value},
};
use domain::Stream;

/// A head with the right edge of its stream's tree.
pub type StreamHead = (Stream, Head, Frontier);

/// Rows of all streams in the order in which the file holds them.
#[derive(Debug)]
pub struct Scan {
    /// Each with its position, which may be any number in a file that somebody changed.
    pub rows: Vec<(i64, Result<EventRow, StoreError>)>,
    /// The heads in the same snapshot, when these rows are the last.
    pub heads: Option<Vec<Result<StreamHead, StoreError>>>,
}

const LEAST: &str = "SELECT min(position) FROM audit_events";

/// The next rows after a position; from the least one on when there is none.
pub(crate) fn scan(
    conn: &mut dyn Conn,
    after: Option<i64>,
    limit: usize,
) -> Result<Scan, StoreError> {
    let from = match after {
        Some(after) => after,
        None => first(conn)?,
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = format!(
        "SELECT {COLUMNS}, NULL, e.position FROM audit_events e WHERE e.position > $1 ORDER BY e.position LIMIT $2"
    );
    let found = conn.query(&sql, &[Param::Int(from), Param::Int(limit)])?;
    let ended = i64::try_from(found.len()).unwrap_or(i64::MAX) < limit;
    let heads = if ended { Some(heads(conn)?) } else { None };
    let position = |row: &crate::value::Row| match row.last() {
        Some(Value::Int(position)) => *position,
        _ => 0,
    };
    let rows = found
        .into_iter()
        .map(|row| (position(&row), events::decode(row)));
    Ok(Scan {
        rows: rows.collect(),
        heads,
    })
}

/// A position below every other.
fn first(conn: &mut dyn Conn) -> Result<i64, StoreError> {
    let least = conn.query(LEAST, &[])?.pop();
    let least = least.map(|row| Cells::new("audit_events", row).optional_int("position"));
    let least = least.transpose()?.flatten();
    Ok(least.unwrap_or(0).saturating_sub(1).min(0))
}

fn heads(conn: &mut dyn Conn) -> Result<Vec<Result<StreamHead, StoreError>>, StoreError> {
    let each = |row| head::decode(row).map(|(stream, chain)| (stream, chain.head, chain.frontier));
    Ok(conn.query(HEADS, &[])?.into_iter().map(each).collect())
}

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
