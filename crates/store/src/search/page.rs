//! Postings as bytes: which entries of a stretch have which terms, in the order of the terms, cut into pages that fit into
//! a page of either database. Knows nothing of where pages are kept; what it reads is untrusted.

use super::term::Term;

/// Which entry of a stretch has a term: its place less that of the stretch's first.
pub(super) type Posting = (Term, u32);

/// The most bytes of a page: with its row it fits into a page of SQLite, and twice into one of PostgreSQL.
const BYTES: usize = 3_800;
/// A term, its length and one offset at most.
const RUN: usize = 8 + 5 + 5;

/// What a page is kept by: its first posting, so that pages are in the order of their postings.
pub(super) type Key = [u8; 12];

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) key: Key,
    pub(super) bytes: Vec<u8>,
}

/// The key of a posting.
pub(super) fn key(term: Term, offset: u32) -> Key {
    let mut key = [0; 12];
    let (front, back) = key.split_at_mut(8);
    front.copy_from_slice(&term.to_be_bytes());
    back.copy_from_slice(&offset.to_be_bytes());
    key
}

/// Postings in order, as pages.
pub(super) fn pages(postings: &[Posting]) -> Vec<Page> {
    let mut writer = Writer::default();
    for posting in postings {
        writer.push(*posting);
    }
    writer.end_page();
    writer.pages
}

#[derive(Default)]
struct Writer {
    pages: Vec<Page>,
    bytes: Vec<u8>,
    key: Key,
    term: Term,
    /// The offsets of the present term in this page.
    run: Vec<u8>,
    last: u32,
}

impl Writer {
    fn push(&mut self, (term, offset): Posting) {
        if term != self.term {
            self.end_run();
        }
        if self.bytes.len() + self.run.len() + RUN > BYTES {
            self.end_page();
        }
        if self.bytes.is_empty() && self.run.is_empty() {
            self.key = key(term, offset);
        }
        let before = if self.run.is_empty() { 0 } else { self.last };
        write(&mut self.run, offset.saturating_sub(before));
        (self.term, self.last) = (term, offset);
    }

    fn end_run(&mut self) {
        if self.run.is_empty() {
            return;
        }
        self.bytes.extend_from_slice(&self.term.to_be_bytes());
        write(
            &mut self.bytes,
            u32::try_from(self.run.len()).unwrap_or(u32::MAX),
        );
        self.bytes.append(&mut self.run);
    }

    fn end_page(&mut self) {
        self.end_run();
        if !self.bytes.is_empty() {
            let (key, bytes) = (self.key, std::mem::take(&mut self.bytes));
            self.pages.push(Page { key, bytes });
        }
    }
}

/// A number in groups of seven bits, the lowest first.
fn write(bytes: &mut Vec<u8>, mut number: u32) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return bytes.push(low & 0x7f);
        }
        bytes.push(low | 0x80);
    }
}

fn read(bytes: &mut &[u8]) -> Option<u32> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// One term of a page and the bytes of its offsets.
fn run<'a>(bytes: &mut &'a [u8]) -> Option<(Term, &'a [u8])> {
    let (term, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    let length = usize::try_from(read(bytes)?).ok()?;
    let (run, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some((Term::from_be_bytes(*term), run))
}

fn offsets(mut run: &[u8], mut each: impl FnMut(u32)) -> Option<()> {
    let mut offset = 0_u32;
    while !run.is_empty() {
        offset = offset.checked_add(read(&mut run)?)?;
        each(offset);
    }
    Some(())
}

/// The offsets of a term that a page has from `from` on, and whether the next page may have more. None when it cannot
/// be read.
pub(super) fn of_term(mut page: &[u8], wanted: Term, from: u32) -> Option<(Vec<u32>, bool)> {
    let mut found = Vec::new();
    while !page.is_empty() {
        let (term, run) = run(&mut page)?;
        if term > wanted {
            return Some((found, false));
        }
        if term == wanted {
            offsets(run, |offset| {
                if offset >= from {
                    found.push(offset);
                }
            })?;
        }
    }
    Some((found, true))
}

/// Every posting of a page, with `base` added to its offset. None when it cannot be read.
pub(super) fn all(mut page: &[u8], base: u32, into: &mut Vec<Posting>) -> Option<()> {
    while !page.is_empty() {
        let (term, run) = run(&mut page)?;
        offsets(run, |offset| into.push((term, base.saturating_add(offset))))?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_back(pages: &[Page]) -> Vec<Posting> {
        let mut all_of = Vec::new();
        for page in pages {
            all(&page.bytes, 0, &mut all_of).unwrap();
        }
        all_of
    }

    #[test]
    fn a_long_list_goes_on_in_the_next_page() {
        let postings: Vec<Posting> = (0..10_000)
            .map(|offset| (7, offset))
            .chain([(9, 3)])
            .collect();
        let made = pages(&postings);
        assert!(made.len() > 2 && made.iter().all(|page| page.bytes.len() <= BYTES));
        assert_eq!(read_back(&made), postings);
        let (found, more) = of_term(&made[0].bytes, 7, 5).unwrap();
        assert_eq!((found[0], more), (5, true));
        let last = &made.last().unwrap().bytes;
        assert_eq!(of_term(last, 9, 0), Some((vec![3], true)));
        assert_eq!(of_term(last, 8, 0), Some((vec![], false)));
        assert!(!of_term(last, 7, 9_999).unwrap().1);
    }

    #[test]
    fn bytes_of_others_are_refused() {
        assert_eq!(of_term(&[1, 2, 3], 1, 0), None);
        let mut page = pages(&[(1, 5)]).remove(0).bytes;
        page.truncate(page.len() - 1);
        assert_eq!(of_term(&page, 1, 0), None);
        let endless = [[0; 8].as_slice(), &[6], &[0xff; 6]].concat();
        assert_eq!(all(&endless, 0, &mut Vec::new()), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(postings in proptest::collection::btree_set((0_u64..40, 0_u32..70_000), 0..3_000)) {
            let postings: Vec<Posting> = postings.into_iter().collect();
            let made = pages(&postings);
            prop_assert_eq!(read_back(&made), postings);
            prop_assert!(made.iter().all(|page| page.bytes.len() <= BYTES));
            prop_assert!(made.is_sorted_by(|a, b| a.key < b.key));
        }

        #[test]
        fn nothing_read_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), term: u64) {
            let _read = of_term(&bytes, term, 0);
            let _all = all(&bytes, 7, &mut Vec::new());
        }
    }
}
