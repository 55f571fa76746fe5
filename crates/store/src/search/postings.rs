//! Walking the postings of one term through a log, in the order of the entries, without reading what lies between.

use super::{
    Segment,
    page::{self, Key},
    term::Term,
};
use crate::{StoreError, conn::Conn, value::Cells};
use domain::Stream;

const BEFORE: &str = "SELECT stream, first, postings FROM search_page WHERE stream = $1 AND level = $2 AND segment = $3 \
    AND first <= $4 ORDER BY first DESC LIMIT 1";
const AFTER: &str = "SELECT stream, first, postings FROM search_page WHERE stream = $1 AND level = $2 AND segment = $3 \
    AND first > $4 ORDER BY first LIMIT 1";

/// Where postings are read.
pub(super) struct Source<'c> {
    pub(super) conn: &'c mut dyn Conn,
    pub(super) stream: Stream,
    /// How many entries of the log they cover.
    pub(super) covered: u64,
    /// How many pages may still be read.
    pub(super) pages: u32,
}

/// What a cursor came to.
pub(super) enum Sought {
    /// The next entry with the term.
    At(u64),
    /// There is none.
    Nowhere,
    /// As many pages were read as may be; there is none before this place.
    Tired(u64),
}

/// One term's way through the log.
pub(super) struct Cursor {
    term: Term,
    run: Option<Run>,
}

/// Offsets of the term in a segment, from one on and without a gap.
struct Run {
    segment: Segment,
    from: u32,
    offsets: Vec<u32>,
    /// Whether the segment has no more after them.
    ended: bool,
}

impl Cursor {
    pub(super) const fn new(term: Term) -> Self {
        Self { term, run: None }
    }

    /// The first entry with the term at or after this place.
    pub(super) fn seek(&mut self, source: &mut Source<'_>, seq: u64) -> Result<Sought, StoreError> {
        let mut seq = seq;
        while let Some(segment) = Segment::of(seq, source.covered) {
            if let Some(offset) = self.within(source, segment, segment.offset(seq))? {
                return Ok(Sought::At(segment.first() + u64::from(offset)));
            }
            if source.pages == 0 {
                return Ok(Sought::Tired(seq));
            }
            seq = segment.last() + 1;
        }
        Ok(Sought::Nowhere)
    }

    fn within(
        &mut self,
        source: &mut Source<'_>,
        segment: Segment,
        from: u32,
    ) -> Result<Option<u32>, StoreError> {
        let known = self
            .run
            .as_ref()
            .filter(|run| run.segment == segment && run.from <= from);
        if let Some(run) = known {
            let at = run.offsets.partition_point(|offset| *offset < from);
            let found = run.offsets.get(at).copied();
            if found.is_some() || run.ended {
                return Ok(found);
            }
        }
        let run = source.run(segment, self.term, from)?;
        let found = run.offsets.first().copied();
        self.run = Some(run);
        Ok(found)
    }
}

impl Source<'_> {
    /// The next offsets of a term in a segment: some, or none where it has no more.
    fn run(&mut self, segment: Segment, term: Term, from: u32) -> Result<Run, StoreError> {
        let wanted = page::key(term, from);
        let mut next = self.page(BEFORE, segment, &wanted)?;
        if next.is_none() {
            next = self.page(AFTER, segment, &wanted)?;
        }
        while let Some((key, bytes)) = next {
            let (offsets, more) =
                page::of_term(&bytes, term, from).ok_or_else(|| self.torn(segment))?;
            if !offsets.is_empty() || !more {
                return Ok(Run {
                    segment,
                    from,
                    offsets,
                    ended: !more,
                });
            }
            next = self.page(AFTER, segment, &key)?;
        }
        Ok(Run {
            segment,
            from,
            offsets: Vec::new(),
            ended: true,
        })
    }

    /// The page on one side of a key.
    fn page(
        &mut self,
        side: &str,
        segment: Segment,
        key: &Key,
    ) -> Result<Option<(Key, Vec<u8>)>, StoreError> {
        let Some(left) = self.pages.checked_sub(1) else {
            return Ok(None);
        };
        self.pages = left;
        let params = [
            self.stream.into(),
            segment.level.into(),
            segment.number.into(),
            key.into(),
        ];
        let Some(row) = self.conn.query(side, &params)?.pop() else {
            return Ok(None);
        };
        let mut cells = Cells::new("search_page", row);
        let _stream = cells.array::<16>("stream")?;
        Ok(Some((cells.array("first")?, cells.bytes("postings")?)))
    }

    fn torn(&self, segment: Segment) -> StoreError {
        StoreError::Corrupt {
            table: "search_page",
            column: "postings",
            row: format!("{}, {}", self.stream, segment.number),
            detail: "they end too early".into(),
        }
    }
}
