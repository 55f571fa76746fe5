//! Making postings and keeping them: a stretch of a log at a time, whole or not at all, and only on what was there
//! before. Never on the way of a commit.

use super::{
    FORM, STRETCH, Segment,
    page::{self, Page, Posting},
    term::{Field, Term, term, words},
};
use crate::{
    Reader, Store, StoreError,
    conn::{Conn, Role},
    value::{Cell, Cells, Param},
};
use domain::Stream;

/// Entries that one read takes: nobody waits long behind it.
const AT_ONCE: u64 = 512;

const STANDING: &str = "SELECT stream, entries, form, hash FROM search_stream WHERE stream = $1";
const HASH: &str = "SELECT stream, seq, hash FROM audit_events WHERE stream = $1 AND seq = $2";
const LAST: &str = "SELECT seq FROM audit_events WHERE stream = $1 ORDER BY seq DESC LIMIT 1";
const ROWS: &str = "SELECT seq, type, actor, resource, agent, body, hash FROM audit_events WHERE stream = $1 AND seq > $2 \
    ORDER BY seq LIMIT $3";
const BEGIN: &str = "INSERT INTO search_stream (stream, entries, form, hash) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
const ADVANCE: &str = "UPDATE search_stream SET entries = $1, form = $2, hash = $3 WHERE stream = $4 AND entries = $5";
const PUT: &str =
    "INSERT INTO search_page (stream, level, segment, first, postings) VALUES ($1, $2, $3, $4, $5)";
const PAGES: &str = "SELECT stream, segment, postings FROM search_page WHERE stream = $1 AND level = $2 AND segment = $3 \
    ORDER BY first";
const DROP: &str =
    "DELETE FROM search_page WHERE stream = $1 AND level = $2 AND segment >= $3 AND segment <= $4";
const FORGET: [&str; 2] = [
    "DELETE FROM search_page WHERE stream = $1",
    "DELETE FROM search_stream WHERE stream = $1",
];

/// How far the postings of a log reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    /// How many entries they cover.
    pub entries: u64,
    /// Whether a full stretch is left.
    pub more: bool,
}

/// What is kept of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// So many entries are covered.
    Covers(u64),
    /// It is of another form, or of another log than this one.
    Unfit,
}

/// Whether a page cannot be read.
pub(super) fn is_torn(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Corrupt {
            table: "search_page",
            ..
        }
    )
}

/// What is kept, held against the log.
pub(super) fn standing(conn: &mut dyn Conn, stream: Stream) -> Result<Standing, StoreError> {
    let Some(row) = conn.query(STANDING, &[stream.into()])?.pop() else {
        return Ok(Standing::Covers(0));
    };
    let mut cells = Cells::new("search_stream", row);
    let _stream = cells.array::<16>("stream")?;
    let (entries, form) = (cells.count("entries")?, cells.count("form")?);
    let hash: [u8; 32] = cells.array("hash")?;
    let own = hash_of(conn, stream, entries)? == Some(hash);
    Ok(if own && form == FORM && entries.is_multiple_of(STRETCH) {
        Standing::Covers(entries)
    } else {
        Standing::Unfit
    })
}

fn hash_of(conn: &mut dyn Conn, stream: Stream, seq: u64) -> Result<Option<[u8; 32]>, StoreError> {
    let row = conn.query(HASH, &[stream.into(), seq.into()])?.pop();
    let hash = |row| {
        let mut cells = Cells::new("audit_events", row);
        let _place = (cells.array::<16>("stream")?, cells.count("seq")?);
        cells.array("hash")
    };
    row.map(hash).transpose()
}

/// The place of a log's last entry; 0 when it has none.
pub(super) fn last(conn: &mut dyn Conn, stream: Stream) -> Result<u64, StoreError> {
    let row = conn.query(LAST, &[stream.into()])?.pop();
    let seq = row.map(|row| Cells::new("audit_events", row).count("seq"));
    Ok(seq.transpose()?.unwrap_or(0))
}

/// A stretch that was made and is not kept yet.
#[derive(Default)]
struct Made {
    postings: Vec<Posting>,
    /// The last entry read, and its hash.
    seq: u64,
    hash: [u8; 32],
}

impl Store {
    /// How far the postings of a log reach. What is of another form or another log is forgotten.
    ///
    /// # Errors
    /// When the database fails; so for every call here.
    pub async fn indexed(&self, stream: Stream) -> Result<Indexed, StoreError> {
        let read = move |reader: &mut Reader<'_>| {
            let conn = reader.on(stream)?;
            if !conn.searches() {
                return Err(StoreError::Lost("it has no postings to search in".into()));
            }
            Ok((standing(conn, stream)?, last(conn, stream)?))
        };
        let (standing, last) = self.read(stream, read).await?;
        let entries = match standing {
            Standing::Covers(entries) => entries,
            Standing::Unfit => {
                tracing::warn!(%stream, "what a log is searched by is not of this log or this build; it is made again");
                self.forget_postings(stream).await?;
                0
            }
        };
        let more = last.saturating_sub(entries) >= STRETCH;
        Ok(Indexed { entries, more })
    }

    /// Makes the postings of a log's next full stretch, if there is one, and says how far they reach then.
    ///
    /// # Errors
    /// As for `indexed`.
    pub async fn index_next(&self, stream: Stream) -> Result<Indexed, StoreError> {
        let before = self.indexed(stream).await?;
        if !before.more {
            return Ok(before);
        }
        let (from, to) = (before.entries, before.entries + STRETCH);
        let mut made = Made {
            seq: from,
            ..Made::default()
        };
        while made.seq < to {
            let (after, limit) = (made.seq, AT_ONCE.min(to - made.seq));
            let read =
                move |reader: &mut Reader<'_>| rows(reader.on(stream)?, stream, after, limit);
            let mut next = self.read(stream, read).await?;
            if next.seq <= after {
                return Err(StoreError::Lost("the log is shorter than it was".into()));
            }
            made.postings.append(&mut next.postings);
            (made.seq, made.hash) = (next.seq, next.hash);
        }
        let segment = match self.complete(stream, to, &mut made).await {
            Err(error) if is_torn(&error) => {
                tracing::warn!(%error, %stream, "what a log is searched by cannot be read; it is made again");
                self.forget_postings(stream).await?;
                return self.indexed(stream).await;
            }
            segment => segment?,
        };
        let keep = move |conn: &mut dyn Conn| keep(conn, stream, segment, from, &made);
        self.project(Role::Tenant(stream), keep).await?;
        self.indexed(stream).await
    }

    /// Puts the stretches before it together with a stretch that is the last of a larger one.
    async fn complete(
        &self,
        stream: Stream,
        to: u64,
        made: &mut Made,
    ) -> Result<Segment, StoreError> {
        let small = Segment::at(0, to / STRETCH - 1);
        let large = Segment::at(1, (to - 1) / Segment::length(1));
        let whole = if large.last() == to { large } else { small };
        let base =
            |segment: Segment| segment.offset(segment.first()) + whole.offset(segment.first());
        for (_, offset) in &mut made.postings {
            *offset = offset.saturating_add(base(small));
        }
        for number in whole.first() / STRETCH..small.number {
            let part = Segment::at(0, number);
            let base = base(part);
            let read =
                move |reader: &mut Reader<'_>| postings(reader.on(stream)?, stream, part, base);
            made.postings.append(&mut self.read(stream, read).await?);
        }
        made.postings.sort_unstable();
        Ok(whole)
    }

    /// Forgets what a log is searched by.
    ///
    /// # Errors
    /// As for `indexed`.
    pub async fn forget_postings(&self, stream: Stream) -> Result<(), StoreError> {
        let run = move |conn: &mut dyn Conn| {
            FORGET
                .iter()
                .try_for_each(|sql| conn.execute(sql, &[stream.into()]).map(|_| ()))
        };
        self.project(Role::Tenant(stream), run).await
    }
}

/// The postings of the next entries, their offsets from the first of their stretch.
fn rows(conn: &mut dyn Conn, stream: Stream, after: u64, limit: u64) -> Result<Made, StoreError> {
    let mut made = Made {
        seq: after,
        ..Made::default()
    };
    let mut sound = true;
    let params = [stream.into(), after.into(), limit.into()];
    conn.each(ROWS, &params, &mut |cells| {
        sound &= entry(cells, &mut made).is_some();
    })?;
    if sound {
        return Ok(made);
    }
    Err(StoreError::Corrupt {
        table: "audit_events",
        column: "seq",
        row: format!("{stream}, {}", made.seq + 1),
        detail: "it cannot be searched; `cardea audit verify` says what is wrong".into(),
    })
}

fn entry(cells: &[Cell<'_>], made: &mut Made) -> Option<()> {
    let [
        Cell::Int(seq),
        Cell::Text(kind),
        Cell::Text(actor),
        resource,
        agent,
        Cell::Blob(body),
        Cell::Blob(hash),
    ] = cells
    else {
        return None;
    };
    let seq = u64::try_from(*seq)
        .ok()
        .filter(|seq| *seq == made.seq + 1)?;
    let offset = u32::try_from((seq - 1) % STRETCH).ok()?;
    let mut push = |term: Term| made.postings.push((term, offset));
    push(term(Field::Kind, kind));
    push(term(Field::Actor, actor));
    if let Cell::Text(resource) = resource {
        push(term(Field::Resource, resource));
    }
    if let Cell::Blob(agent) = agent {
        push(term(Field::Agent, agent));
    }
    for word in words(body) {
        push(term(Field::Word, word.as_bytes()));
    }
    (made.seq, made.hash) = (seq, (*hash).try_into().ok()?);
    Some(())
}

fn postings(
    conn: &mut dyn Conn,
    stream: Stream,
    segment: Segment,
    base: u32,
) -> Result<Vec<Posting>, StoreError> {
    let params = [stream.into(), segment.level.into(), segment.number.into()];
    let mut all = Vec::new();
    for row in conn.query(PAGES, &params)? {
        let mut cells = Cells::new("search_page", row);
        let _place = (cells.array::<16>("stream")?, cells.count("segment")?);
        let page = cells.bytes("postings")?;
        let read = page::all(&page, base, &mut all);
        read.ok_or_else(|| cells.corrupt("postings", "they end too early"))?;
    }
    Ok(all)
}

/// Keeps a segment and what it covers, unless somebody did meanwhile.
fn keep(
    conn: &mut dyn Conn,
    stream: Stream,
    segment: Segment,
    from: u64,
    made: &Made,
) -> Result<(), StoreError> {
    let first: [Param<'_>; 4] = [
        stream.into(),
        made.seq.into(),
        FORM.into(),
        (&made.hash).into(),
    ];
    let [whose, entries, form, hash] = first;
    let moved = match from {
        0 => conn.execute(BEGIN, &first)?,
        _ => conn.execute(ADVANCE, &[entries, form, hash, whose, from.into()])?,
    };
    if moved == 0 {
        return Ok(());
    }
    if segment.level > 0 {
        let (first, last) = (segment.first() / STRETCH, made.seq / STRETCH - 1);
        conn.execute(
            DROP,
            &[stream.into(), 0_u64.into(), first.into(), last.into()],
        )?;
    }
    for Page { key, bytes } in page::pages(&made.postings) {
        let params = [
            stream.into(),
            segment.level.into(),
            segment.number.into(),
            (&key).into(),
            bytes.as_slice().into(),
        ];
        conn.execute(PUT, &params)?;
    }
    Ok(())
}
