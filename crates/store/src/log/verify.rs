//! The verifier: reads the rows of one stream once, in order, and says where they are not what was written. It
//! believes the rows, the head and the signatures as little as each other, and knows no database.

mod claims;
mod collect;
mod columns;
pub mod export;
mod finding;
mod finish;
#[cfg(test)]
mod fixture;
mod keys;
mod plain;
mod positions;
mod revisions;
mod row;
#[cfg(test)]
mod tests;

use super::{FIRST_PREVIOUS, digest, entry_hash};
pub use claims::{Claims, Kept};
use collect::Findings;
pub(crate) use columns::Look;
pub use columns::Seen;
use columns::Shown;
use finding::range;
pub use finding::{Fault, Finding, Report};
pub use finish::{Against, HeadRow};
use keys::Manifest;
pub use positions::Positions;
pub use row::Row;
pub(crate) use row::RowRef;
use std::collections::BTreeMap;

/// How far to look, and at what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Check every column, not only what the hashes cover.
    pub deep: bool,
    /// The first and last number an export says it holds; entries missing from it make it incomplete, not broken.
    pub span: Option<(u64, u64)>,
}

/// Reads one stream. Keeps 32 bytes of every entry, and 16 more of one that changed state.
pub struct Verifier {
    stream: [u8; 16],
    options: Options,
    /// The number the next row should have.
    next: u64,
    /// What the hash of the entry before may be, the stored one first; empty when that entry was not seen.
    before: Vec<[u8; 32]>,
    /// The time of the entry before, when it can be relied on.
    time: Option<i64>,
    positions: [Option<u64>; 2],
    /// The hashes of the entries up to the first that is missing.
    leaves: Vec<[u8; 32]>,
    solid: bool,
    /// First to last number of what was passed over and not yet seen.
    holes: BTreeMap<u64, u64>,
    revisions: Vec<(u64, u64)>,
    entries: u64,
    /// The notes in which the log's key handed over, by entry.
    handovers: Vec<(u64, Box<str>)>,
    /// What an export states of itself.
    manifest: Option<Manifest>,
    findings: Findings,
    look: Look,
}

const HASH: &str = "hash does not match its body, time and place";

impl Verifier {
    /// Starts at the beginning of a stream, or of the span.
    pub fn new(stream: [u8; 16], options: Options) -> Self {
        let first = options.span.map_or(1, |(from, _)| from.max(1));
        let whole = first == 1;
        Self {
            stream,
            options,
            next: first,
            before: if whole { vec![FIRST_PREVIOUS] } else { vec![] },
            time: whole.then_some(0),
            positions: [None; 2],
            leaves: Vec::new(),
            solid: whole,
            holes: (!whole).then_some((1, first - 1)).into_iter().collect(),
            revisions: Vec::new(),
            entries: 0,
            handovers: Vec::new(),
            manifest: None,
            findings: Findings::new(stream),
            look: Look::new(options.deep),
        }
    }

    /// Looks at the next row. Rows come in the order of their numbers, or of their positions.
    pub fn row(&mut self, row: &Row) {
        let seen = self.look.row(&row.lying());
        self.seen(&seen);
    }

    /// Looks at the next rows, on all processors when there are thousands of them.
    pub fn rows(&mut self, rows: &[Row]) {
        let seen = columns::see_all(rows, self.options.deep);
        seen.iter().for_each(|seen| self.seen(seen));
    }

    /// Puts the next row in its place, when somebody has looked at it already.
    pub fn seen(&mut self, row: &Seen) {
        if row.stream != self.stream {
            self.findings.changed(row.seq, "stream is another");
        }
        if row.seq == self.next {
            self.append(row);
        } else if self.follows(row).is_some() {
            let what = "sequence number is not the one that was hashed";
            self.findings.changed(self.next, what);
            self.append(row);
        } else if row.seq > self.next {
            self.pass_over(row.seq);
            self.append(row);
        } else {
            self.misplaced(row);
        }
    }

    fn hash(&self, row: &Seen, before: &[u8; 32]) -> [u8; 32] {
        entry_hash(self.stream, self.next, row.time, before, &row.digest)
    }

    /// The hash before with which this row's is that of the next entry.
    fn follows(&self, row: &Seen) -> Option<[u8; 32]> {
        let mut known = self.before.iter().copied();
        known.find(|before| self.hash(row, before) == row.hash)
    }

    fn append(&mut self, row: &Seen) {
        let linked = self.follows(row);
        let before = linked.or_else(|| self.before.first().copied());
        self.settle(before);
        self.before.clear();
        self.before.push(row.hash);
        let broken = before.filter(|_| linked.is_none());
        if let Some(before) = broken {
            self.findings.changed(self.next, HASH);
            // If only the stored hash was changed, the next entry still follows from this one.
            self.before.push(self.hash(row, &before));
        }
        self.admit(row, self.next);
        if let Some(note) = row.handover.clone().filter(|_| broken.is_none()) {
            self.handovers.push((self.next, note));
        }
        if let Some(shown) = &row.shown {
            self.order(row);
            self.deep(row, shown, broken.is_none());
        }
        self.time = broken.is_none().then_some(row.time);
        self.next = self.next.saturating_add(1);
    }

    /// Takes the hash of the entry before for good.
    fn settle(&mut self, before: Option<[u8; 32]>) {
        if let Some(hash) = before.filter(|_| self.solid && self.next > 1) {
            self.leaves.push(hash);
        }
    }

    fn admit(&mut self, row: &Seen, seq: u64) {
        self.entries += 1;
        if let Some(rev) = row.state_rev {
            self.revisions.push((seq, rev));
        }
    }

    /// What a body says counts only if it is the body that was hashed.
    fn deep(&mut self, row: &Seen, shown: &Shown, sound: bool) {
        let seq = self.next;
        match shown {
            _ if !sound => {}
            Ok((own, wrong)) => {
                if !columns::timed(row.time, *own, self.time) {
                    let what = "time is not the later of its own and the one before";
                    self.findings.changed(seq, what);
                }
                wrong
                    .iter()
                    .for_each(|what| self.findings.changed(seq, what));
            }
            Err(why) => {
                let why = why.clone();
                self.findings.push(Fault::Unreadable { seq, why });
            }
        }
    }

    /// Positions rise with the numbers; the one that leaves the line is the one that was changed.
    fn order(&mut self, row: &Seen) {
        let Some(here) = row.position else { return };
        let [earlier, last] = self.positions;
        // Every entry before it has a position of its own, too.
        let small = here < self.next;
        let falls = small || last.is_some_and(|last| here <= last);
        let last_strayed = falls && !small && earlier.is_none_or(|earlier| here > earlier);
        if falls {
            let seq = self.next.saturating_sub(u64::from(last_strayed));
            self.findings.changed(seq, "position is out of order");
        }
        self.positions = match (falls, last_strayed) {
            (true, true) => [earlier, Some(here)],
            (true, false) => [earlier, last],
            (false, _) => [last, Some(here)],
        };
    }

    fn pass_over(&mut self, seq: u64) {
        self.settle(self.before.first().copied());
        self.holes.insert(self.next, seq - 1);
        self.solid = false;
        self.before.clear();
        self.time = None;
        self.next = seq;
    }

    /// A row with a number that was passed already: out of order if it was missed, else one too many.
    fn misplaced(&mut self, row: &Seen) {
        let hole = self.holes.range(..=row.seq).next_back();
        match hole.map(|(from, to)| (*from, *to)) {
            Some((from, to)) if row.seq <= to => {
                self.holes.remove(&from);
                self.holes.extend(range(from, row.seq.saturating_sub(1)));
                self.holes.extend(range(row.seq.saturating_add(1), to));
                self.admit(row, row.seq);
                self.findings.reordered(row.seq);
            }
            _ => {
                self.findings.inserted(row.seq);
                // Whichever of the two the next entry follows from is the one that was written.
                if row.seq.checked_add(1) == Some(self.next) && self.before.len() < 4 {
                    self.before.push(row.hash);
                }
            }
        }
    }
}
