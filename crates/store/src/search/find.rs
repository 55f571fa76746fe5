//! Looking for entries: first along the postings, then through the entries that have none yet. One search reads a bounded
//! number of pages and entries; what it did not come to it says, so that the next begins there.

use super::{
    STRETCH,
    keep::{self, Standing},
    postings::{Cursor, Sought, Source},
    term::{Field, Term, Words, term},
};
use crate::{Engine, EventQuery, EventRow, Reader, StoreError, conn::Conn, events, value::Cells};
use domain::Stream;
use kernel::{Agent, Id, Timestamp};

/// Pages of postings that one search reads: more than each of its terms needs in one place, so that it comes further.
const PAGES: u32 = if cfg!(test) { 9 } else { 2_000 };
/// Places in postings that one search compares.
const STEPS: u32 = if cfg!(test) { 300 } else { 500_000 };
/// Entries without postings that one search looks through.
const SCANNED: u64 = STRETCH * 4;
/// How many of them at a time.
const AT_ONCE: u64 = 1_024;

const TIME: &str = "SELECT stream, seq, time FROM audit_events WHERE stream = $1 AND seq = $2";

/// What to look for; every condition must hold.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Only entries after this place.
    pub after_seq: u64,
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
    /// Only entries of this moment and later.
    pub since: Option<Timestamp>,
    /// Only entries before this moment.
    pub until: Option<Timestamp>,
    /// Only entries in whose clear values all of these words occur.
    pub words: Option<Words>,
}

/// What was found, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The entries.
    pub rows: Vec<EventRow>,
    /// Where the search stopped although it had not found as many as wanted: it goes on after this place.
    pub stopped: Option<u64>,
}

impl Reader<'_> {
    /// Entries of a log, in order.
    ///
    /// # Errors
    /// When the stream is out of scope, a row is unreadable or the database fails.
    pub fn search(&mut self, stream: Stream, search: &Search) -> Result<Found, StoreError> {
        let conn = self.on(stream)?;
        let last = keep::last(conn, stream)?;
        let before = |conn: &mut dyn Conn, moment: Option<Timestamp>| {
            moment
                .map(|moment| count_before(conn, stream, last, moment))
                .transpose()
        };
        let after = before(conn, search.since)?
            .map_or(search.after_seq, |since| since.max(search.after_seq));
        let last = before(conn, search.until)?.unwrap_or(last);
        let mut look = Look {
            conn,
            stream,
            search,
            last,
            done: after,
            rows: Vec::new(),
        };
        let stopped = look.everywhere()?;
        Ok(Found {
            stopped: stopped.then_some(look.done),
            rows: look.rows,
        })
    }
}

/// How many entries of a log are before a moment: their times never go back.
fn count_before(
    conn: &mut dyn Conn,
    stream: Stream,
    last: u64,
    moment: Timestamp,
) -> Result<u64, StoreError> {
    let (mut before, mut end) = (0, last);
    while before < end {
        let middle = before + (end - before).div_ceil(2);
        let row = conn.query(TIME, &[stream.into(), middle.into()])?.pop();
        let mut cells = Cells::new("audit_events", row.unwrap_or_default());
        let _place = (cells.array::<16>("stream")?, cells.count("seq")?);
        if cells.time("time")? < moment {
            before = middle;
        } else {
            end = middle - 1;
        }
    }
    Ok(before)
}

/// A search under way.
struct Look<'c> {
    conn: &'c mut dyn Conn,
    stream: Stream,
    search: &'c Search,
    /// The last place where anything can be.
    last: u64,
    /// The last place that was looked at.
    done: u64,
    rows: Vec<EventRow>,
}

impl Look<'_> {
    /// Whether it stopped before the end.
    fn everywhere(&mut self) -> Result<bool, StoreError> {
        let terms = terms(self.search);
        let covered = if terms.is_empty() { 0 } else { self.covered()? };
        let done = self.done;
        match self.along(&terms, covered) {
            Ok(true) => {}
            Ok(false) => return Ok(!self.is_full()),
            // Postings that cannot be read hide nothing: the entries themselves are looked through.
            Err(error) if self.is_of_postings(&error) => {
                tracing::warn!(%error, stream = %self.stream, "what a log is searched by cannot be read");
                self.rows.clear();
                self.done = done;
            }
            Err(error) => return Err(error),
        }
        self.through()
    }

    /// Whether the entries can still be read. What a database server refuses ends the transaction.
    fn is_of_postings(&self, error: &StoreError) -> bool {
        keep::is_torn(error)
            || (matches!(error, StoreError::Database(_)) && self.conn.engine() == Engine::Sqlite)
    }

    fn is_full(&self) -> bool {
        self.rows.len() >= self.search.limit
    }

    fn covered(&mut self) -> Result<u64, StoreError> {
        if !self.conn.searches() {
            return Ok(0);
        }
        Ok(match keep::standing(self.conn, self.stream)? {
            Standing::Covers(entries) => entries,
            Standing::Unfit => 0,
        })
    }

    /// Looks along the postings; whether it came to their end.
    fn along(&mut self, terms: &[Term], covered: u64) -> Result<bool, StoreError> {
        let end = covered.min(self.last);
        let mut cursors: Vec<Cursor> = terms.iter().copied().map(Cursor::new).collect();
        let (mut pages, mut steps) = (PAGES, STEPS);
        while self.done < end {
            let mut places = Vec::new();
            while places.len() < events::AMONG && self.rows.len() + places.len() < self.search.limit
            {
                let mut source = Source {
                    conn: &mut *self.conn,
                    stream: self.stream,
                    covered,
                    pages,
                };
                let next = agree(&mut cursors, &mut source, &mut steps, self.done + 1)?;
                pages = source.pages;
                match next {
                    Agreed::At(seq) if seq <= end => {
                        places.push(seq);
                        self.done = seq;
                    }
                    Agreed::At(_) | Agreed::Nowhere => {
                        self.done = end;
                        break;
                    }
                    Agreed::Unknown(before) => {
                        self.done = before.min(end);
                        self.take(places)?;
                        return Ok(false);
                    }
                }
            }
            self.take(places)?;
            if self.is_full() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the rows at these places and keeps those that are what is looked for.
    fn take(&mut self, places: Vec<u64>) -> Result<(), StoreError> {
        if places.is_empty() {
            return Ok(());
        }
        let limit = places.len();
        let rows = self.rows_of(EventQuery {
            among: places,
            limit,
            ..EventQuery::default()
        })?;
        self.keep(rows);
        Ok(())
    }

    fn keep(&mut self, rows: Vec<EventRow>) {
        let words = self.search.words.as_ref();
        let fits = |row: &EventRow| words.is_none_or(|words| words.occur(&row.body));
        self.rows.extend(rows.into_iter().filter(fits));
    }

    fn rows_of(&mut self, query: EventQuery) -> Result<Vec<EventRow>, StoreError> {
        let Search {
            kind,
            actor,
            resource,
            agent,
            ..
        } = self.search.clone();
        let query = EventQuery {
            kind,
            actor,
            resource,
            agent,
            ..query
        };
        events::events(self.conn, self.stream, &query)
    }

    /// Looks through the entries that are left; whether it stopped before their end.
    fn through(&mut self) -> Result<bool, StoreError> {
        let until = self.last.min(self.done.saturating_add(SCANNED));
        while self.done < until && !self.is_full() {
            let end = until.min(self.done + AT_ONCE);
            // The rows tell which have the words.
            let limit = match self.search.words {
                Some(_) => usize::MAX,
                None => self.search.limit - self.rows.len(),
            };
            let rows = self.rows_of(EventQuery {
                after_seq: self.done,
                before_seq: Some(end + 1),
                limit,
                ..EventQuery::default()
            })?;
            self.done = end;
            self.keep(rows);
        }
        if self.is_full() {
            self.rows.truncate(self.search.limit);
            return Ok(false);
        }
        Ok(self.done < self.last)
    }
}

/// Where all cursors meet next.
enum Agreed {
    At(u64),
    Nowhere,
    /// It read as much as one search may, and there is none up to here.
    Unknown(u64),
}

fn agree(
    cursors: &mut [Cursor],
    source: &mut Source<'_>,
    steps: &mut u32,
    from: u64,
) -> Result<Agreed, StoreError> {
    let mut at = from;
    let mut agreeing = 0;
    let count = cursors.len();
    let mut turn = 0;
    while agreeing < count {
        let Some(left) = steps.checked_sub(1) else {
            return Ok(Agreed::Unknown(at - 1));
        };
        *steps = left;
        let Some(cursor) = cursors.get_mut(turn % count) else {
            break;
        };
        turn += 1;
        match cursor.seek(source, at)? {
            Sought::At(found) if found == at => agreeing += 1,
            Sought::At(found) => (at, agreeing) = (found, 1),
            Sought::Tired(from) => return Ok(Agreed::Unknown(from - 1)),
            Sought::Nowhere => return Ok(Agreed::Nowhere),
        }
    }
    Ok(Agreed::At(at))
}

fn terms(search: &Search) -> Vec<Term> {
    let text = |field, value: Option<&String>| value.map(|value| term(field, value.as_bytes()));
    let columns = [
        text(Field::Resource, search.resource.as_ref()),
        search.agent.map(|agent| term(Field::Agent, &agent.bytes())),
        text(Field::Actor, search.actor.as_ref()),
        text(Field::Kind, search.kind.as_ref()),
    ];
    let words = search.words.iter().flat_map(Words::terms);
    columns.into_iter().flatten().chain(words).collect()
}
