//! Reads the log's rows for the verifier: all of a file as they lie in it, so that no index and no unknown owner
//! hides one, or stream by stream from a database server. What cannot be read is told, and the rest is read on.

use domain::Stream;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use store::{
    Head, Reader, Scan, Store, StoreError, StreamHead, Stretch,
    log::{
        Frontier,
        verify::{Against, Claims, Finding, HeadRow, Options, Positions, Report, Row, Verifier},
    },
};
use tokio::task::JoinHandle;

const PAGE: usize = 4_096;

/// What was read.
#[derive(Default)]
pub(super) struct Found {
    pub(super) reports: Vec<Report>,
    /// What could not be read, and what is wrong across streams.
    pub(super) wrong: Vec<String>,
}

impl Found {
    /// Takes what cannot be read as something wrong; other errors end the reading.
    fn tell(&mut self, stream: Option<Stream>, error: StoreError) -> Result<(), StoreError> {
        if !matches!(error, StoreError::Corrupt { .. }) {
            return Err(error);
        }
        self.wrong.push(match stream {
            Some(stream) => format!("{stream}: {error}"),
            None => error.to_string(),
        });
        Ok(())
    }
}

/// Reads a file from its first row to its last, each stream with a verifier of its own.
pub(super) async fn in_file(
    store: &Store,
    streams: &BTreeSet<Stream>,
    deep: bool,
    claims: &Claims,
) -> Result<Found, StoreError> {
    let start = |stream: Stream| Verifier::new(stream.bytes(), Options { deep, span: None });
    let known = streams.iter().map(|stream| (*stream, start(*stream)));
    let mut all: HashMap<Stream, Verifier> = known.collect();
    let (mut found, mut positions) = (Found::default(), Positions::new());
    let mut pages = Pages::of(store, deep).await?;
    let heads = loop {
        let page = pages.next().await?;
        for read in page.rows {
            match read {
                Ok(row) => {
                    positions.seen(&row);
                    let stream = Stream::from_bytes(row.stream());
                    all.entry(stream)
                        .or_insert_with(|| start(stream))
                        .seen(&row);
                }
                Err(error) => found.tell(None, error)?,
            }
        }
        if let Some(heads) = page.heads {
            break heads;
        }
    };
    let mut heads = readable(heads, &mut found)?;
    if deep {
        found
            .wrong
            .extend(positions.finish().iter().map(Finding::to_string));
    }
    for (stream, verifier) in all.into_iter().collect::<BTreeMap<_, _>>() {
        let head = heads.remove(&stream);
        end(store, stream, verifier, head, deep, claims, &mut found).await?;
    }
    Ok(found)
}

/// How many stretches are read ahead, so that every processor has one.
const AHEAD: usize = 8;

/// A file's rows in order, read a few stretches ahead of whoever takes them. A stretch was whole before the
/// reading began; what was written since comes at the end, with the heads.
struct Pages<'a> {
    store: &'a Store,
    deep: bool,
    ahead: VecDeque<JoinHandle<Result<Scan, StoreError>>>,
    cursor: i64,
    last: i64,
}

impl<'a> Pages<'a> {
    async fn of(store: &'a Store, deep: bool) -> Result<Self, StoreError> {
        let (cursor, last) = store.extent().await?;
        Ok(Self {
            store,
            deep,
            ahead: VecDeque::new(),
            cursor,
            last,
        })
    }

    async fn next(&mut self) -> Result<Scan, StoreError> {
        while self.ahead.len() < AHEAD && self.cursor < self.last {
            let width = i64::try_from(PAGE).unwrap_or(i64::MAX);
            let until = self.cursor.saturating_add(width).min(self.last);
            let (store, stretch) = (self.store.clone(), self.stretch(Some(until)));
            let reading = async move { store.scan(stretch).await };
            self.ahead.push_back(tokio::spawn(reading));
            self.cursor = until;
        }
        let Some(reading) = self.ahead.pop_front() else {
            let page = self.store.scan(self.stretch(None)).await?;
            self.cursor = page.last.unwrap_or(self.cursor);
            return Ok(page);
        };
        let page = reading.await.map_err(|_| StoreError::Panicked)??;
        // Nothing is between a stretch that was not full and the next row, however far that is.
        let next = page.next.map_or(self.cursor, |next| next.saturating_sub(1));
        self.cursor = self.cursor.max(next.min(self.last));
        Ok(page)
    }

    const fn stretch(&self, until: Option<i64>) -> Stretch {
        Stretch {
            after: self.cursor,
            until,
            limit: PAGE,
            deep: self.deep,
        }
    }
}

/// The heads that can be read. A head that is not there is that of no entries, and is held against them.
fn readable(
    heads: Vec<Result<StreamHead, StoreError>>,
    found: &mut Found,
) -> Result<BTreeMap<Stream, HeadRow>, StoreError> {
    let mut all = BTreeMap::new();
    for head in heads {
        match head {
            Ok((stream, head, frontier)) => {
                all.insert(stream, head_row(&head, &frontier));
            }
            Err(error) => found.tell(None, error)?,
        }
    }
    Ok(all)
}

/// Reads each stream by itself.
pub(super) async fn by_stream(
    store: &Store,
    streams: &BTreeSet<Stream>,
    deep: bool,
    claims: &Claims,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    for stream in streams.iter().copied() {
        if let Err(error) = one(store, stream, deep, claims, &mut found).await {
            found.tell(Some(stream), error)?;
        }
    }
    Ok(found)
}

async fn one(
    store: &Store,
    stream: Stream,
    deep: bool,
    claims: &Claims,
    found: &mut Found,
) -> Result<(), StoreError> {
    let mut verifier = Verifier::new(stream.bytes(), Options { deep, span: None });
    let mut after = 0;
    loop {
        // Rows and head in one snapshot: the head that comes with the last page is the one of its rows.
        let read = move |reader: &mut Reader<'_>| {
            Ok((
                reader.event_rows(stream, after, PAGE)?,
                reader.frontier(stream)?,
            ))
        };
        let (rows, (head, frontier)) = store.read(stream, read).await?;
        let ended = rows.len() < PAGE;
        after = rows.last().map_or(after, |row| row.seq);
        let rows: Vec<Row> = rows.into_iter().map(Row::from).collect();
        verifier.rows(&rows);
        if ended {
            let head = Some(head_row(&head, &frontier));
            return end(store, stream, verifier, head, deep, claims, found).await;
        }
    }
}

/// Holds a stream's rows against its head, the signatures and, in depth, the feed.
async fn end(
    store: &Store,
    stream: Stream,
    verifier: Verifier,
    head: Option<HeadRow>,
    deep: bool,
    claims: &Claims,
    found: &mut Found,
) -> Result<(), StoreError> {
    let head = head.unwrap_or_else(|| head_row(&Head::default(), &Frontier::new()));
    let feed = match deep {
        true => match feed(store, stream, &head).await {
            Ok(feed) => Some(feed),
            Err(error) => {
                found.tell(Some(stream), error)?;
                None
            }
        },
        false => None,
    };
    let head = Some(head);
    found
        .reports
        .push(verifier.finish(Against { head, claims, feed }));
    Ok(())
}

/// The feed's pairs of revision and entry number as they were when the head was; what a running server has added
/// since is known by a newer head.
async fn feed(
    store: &Store,
    stream: Stream,
    head: &HeadRow,
) -> Result<Vec<(u64, u64)>, StoreError> {
    let mut pairs: Vec<(u64, u64)> = Vec::new();
    loop {
        let after = pairs.last().map_or(0, |(rev, _)| *rev);
        let page = store
            .read(stream, move |reader| reader.feed(stream, after, PAGE))
            .await?;
        let ended = page.len() < PAGE;
        pairs.extend(page);
        if ended {
            break;
        }
    }
    let heads = store.heads(Some(vec![stream])).await?;
    let now = heads.first().map(|(_, head)| *head).unwrap_or_default();
    let added = |(rev, seq): &(u64, u64)| {
        *rev > head.state_rev && *seq > head.seq && *rev <= now.state_rev && *seq <= now.seq
    };
    pairs.retain(|pair| !added(pair));
    Ok(pairs)
}

fn head_row(head: &Head, frontier: &Frontier) -> HeadRow {
    HeadRow {
        seq: head.seq,
        hash: head.hash,
        time: head.time.micros(),
        frontier: frontier.to_bytes(),
        state_rev: head.state_rev,
    }
}
