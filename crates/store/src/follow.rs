//! What a node follows: every revision that was committed since it looked last, of all streams at once, so that a
//! look costs what moved and not what there is. The place of a look is opaque to whoever keeps it.

use crate::{
    Engine, FeedRow, Head, Standing, Store, StoreError,
    conn::{Conn, Role},
    standing,
    value::{Cells, Row},
};
use domain::{Change, Stream};
use std::sync::Arc;
use tokio::sync::Notify;

/// Up to where a node has looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(String);

/// What a look found.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Up to where it reached.
    pub place: Place,
    /// Which history it looked at.
    pub standing: Standing,
    /// The revisions of the wanted streams since the place before, those of one stream in order. None when there
    /// are too many for one look: compare the revisions of all streams instead.
    pub feed: Option<Vec<(Stream, FeedRow)>>,
}

/// All that a cell is made of, in one snapshot.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Which history it is of.
    pub standing: Standing,
    /// Where the stream stands.
    pub head: Head,
    /// The changes that it is made of.
    pub changes: Vec<Change>,
}

/// Where a stream's state stands: how many revisions it took, and how many of them moved authority.
pub type Revisions = (Stream, u64, u64);

/// The most that one look gives.
const MOST: u64 = 2_048;

/// All that this snapshot sees.
const SNAPSHOT: &str = "SELECT pg_current_snapshot()::text";
/// What this snapshot sees and the one before did not: also what was begun long before and committed since. In the
/// order of the one index that leads there, whatever the planner thinks of how much that will be.
const SINCE_SNAPSHOT: &str = "SELECT stream, state_rev, changes FROM change_feed \
    WHERE xid >= pg_snapshot_xmin($1::text::pg_snapshot) AND NOT pg_visible_in_snapshot(xid, $1::text::pg_snapshot) \
    ORDER BY xid LIMIT $2";
const REVISIONS: &str = "SELECT stream, state_rev, authority_rev FROM stream_head";
const POSITION: &str =
    "SELECT COALESCE(max(position), 0) FROM audit_events WHERE state_rev IS NOT NULL";
const SINCE_POSITION: &str = "SELECT f.stream, f.state_rev, f.changes FROM audit_events e \
    JOIN change_feed f ON f.stream = e.stream AND f.state_rev = e.state_rev \
    WHERE e.state_rev IS NOT NULL AND e.position > $1 ORDER BY e.position LIMIT $2";

fn place(conn: &mut dyn Conn) -> Result<Place, StoreError> {
    let sqlite = conn.engine() == Engine::Sqlite;
    let row = conn.query(if sqlite { POSITION } else { SNAPSHOT }, &[])?;
    let mut cells = Cells::new("change_feed", row.into_iter().next().unwrap_or_default());
    Ok(Place(if sqlite {
        cells.int("position")?.to_string()
    } else {
        cells.text("snapshot")?
    }))
}

fn since(conn: &mut dyn Conn, place: &Place) -> Result<Vec<Row>, StoreError> {
    let most = (MOST + 1).into();
    if conn.engine() == Engine::Postgres {
        return conn.query(SINCE_SNAPSHOT, &[place.0.as_str().into(), most]);
    }
    let position: i64 = place.0.parse().unwrap_or_default();
    conn.query(SINCE_POSITION, &[position.into(), most])
}

/// Looks from a place on; without one, only where the feed stands now. In one snapshot.
pub(crate) fn look(
    conn: &mut dyn Conn,
    from: Option<&Place>,
    wanted: &dyn Fn(Stream) -> bool,
) -> Result<Followed, StoreError> {
    let (standing, place) = (standing::look(conn)?, place(conn)?);
    let rows = match from {
        Some(from) if *from != place => since(conn, from)?,
        _ => Vec::new(),
    };
    let feed = if u64::try_from(rows.len()).is_ok_and(|rows| rows <= MOST) {
        Some(decode(rows, wanted)?)
    } else {
        None
    };
    Ok(Followed {
        place,
        standing,
        feed,
    })
}

fn decode(
    rows: Vec<Row>,
    wanted: &dyn Fn(Stream) -> bool,
) -> Result<Vec<(Stream, FeedRow)>, StoreError> {
    let mut feed = Vec::new();
    for row in rows {
        let mut cells = Cells::new("change_feed", row);
        let stream = Stream::from_bytes(cells.array("stream")?);
        if wanted(stream) {
            feed.push((stream, FeedRow::rest(cells)?));
        }
    }
    feed.sort_by_key(|(stream, row)| (*stream, row.state_rev));
    Ok(feed)
}

impl Store {
    /// What was committed since a place, of the streams that are wanted; without a place, where the feed stands.
    /// Waits behind nobody.
    ///
    /// # Errors
    /// `Standby` when the server is one; when a row is unreadable or the database fails.
    pub async fn follow<F>(&self, from: Option<Place>, wanted: F) -> Result<Followed, StoreError>
    where
        F: Fn(Stream) -> bool + Send + 'static,
    {
        let run = move |conn: &mut dyn Conn| look(conn, from.as_ref(), &wanted);
        self.watch(Role::Node, false, run).await
    }

    /// Where the state of every stream stands.
    ///
    /// # Errors
    /// When a row is unreadable or the database fails.
    pub async fn revisions(&self) -> Result<Vec<Revisions>, StoreError> {
        let run = |conn: &mut dyn Conn| {
            let rows = conn.query(REVISIONS, &[])?.into_iter();
            let decode = |row| {
                let mut cells = Cells::new("stream_head", row);
                let stream = Stream::from_bytes(cells.array("stream")?);
                Ok((
                    stream,
                    cells.count("state_rev")?,
                    cells.count("authority_rev")?,
                ))
            };
            rows.map(decode).collect()
        };
        self.watch(Role::Node, false, run).await
    }

    /// What a cell is made of.
    ///
    /// # Errors
    /// As for `follow`.
    pub async fn cell(&self, stream: Stream) -> Result<Loaded, StoreError> {
        self.read(stream, move |reader| {
            let standing = reader.standing()?;
            let (head, _) = reader.frontier(stream)?;
            let changes = reader.needed_changes(stream)?;
            Ok(Loaded {
                standing,
                head,
                changes,
            })
        })
        .await
    }

    /// Where the database stands in its history.
    ///
    /// # Errors
    /// As for `follow`.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        self.watch(Role::Node, false, standing::look).await
    }

    /// Uses no connection any more that was made before: the server they lead to is not what it was.
    pub fn renew(&self) {
        self.backend.renew();
    }

    /// The name of a database thread that has ended before its time: what waits for it waits in vain.
    pub fn ended(&self) -> Option<String> {
        self.backend.ended()
    }

    /// Is notified when another process may have committed something. One waits at a time.
    ///
    /// # Errors
    /// When the listening thread cannot be started.
    pub fn subscribe(&self) -> Result<Arc<Notify>, StoreError> {
        self.backend.subscribe()
    }
}
