//! Positions across all streams: every number from 1 to the last belongs to exactly one row. Keeps one bit of
//! each, in pages, so that rows may come stream by stream.

use super::{Fault, Finding, Seen, finding::range};
use domain::Stream;
use std::collections::BTreeMap;

const WORDS: u64 = 64;
const PAGE: u64 = WORDS * 64;

/// The positions that were seen.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    pages: BTreeMap<u64, Vec<u64>>,
    findings: Vec<Finding>,
}

impl Positions {
    /// None seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Marks this row's position, if it has one.
    pub fn seen(&mut self, row: &Seen) {
        let Some(position) = row.position else { return };
        let page = self.pages.entry(position / PAGE);
        let words = page.or_insert_with(|| vec![0; 64]);
        let word = usize::try_from(position % PAGE / 64).unwrap_or(0);
        let bit = 1u64 << (position % 64);
        let Some(word) = words.get_mut(word) else {
            return;
        };
        if *word & bit != 0 || position == 0 {
            let (seq, stream) = (row.seq, Stream::from_bytes(row.stream));
            let fault = Fault::SamePosition { position, seq };
            self.findings.push(Finding { stream, fault });
        }
        *word |= bit;
    }

    /// What is missing or there twice.
    pub fn finish(self) -> Vec<Finding> {
        let mut findings = self.findings;
        let mut next = 1;
        for (page, words) in &self.pages {
            for (word, bits) in (0u64..).zip(words) {
                let first = page * PAGE + word * 64;
                if *bits == u64::MAX && next == first {
                    next += 64;
                    continue;
                }
                let seen = (0..64).filter(|bit| bits >> bit & 1 == 1);
                for position in seen.map(|bit| first + bit) {
                    let missing = range(next, position.saturating_sub(1));
                    findings.extend(missing.map(|(from, to)| Finding {
                        stream: Stream::INSTANCE,
                        fault: Fault::NoPosition { from, to },
                    }));
                    next = position.saturating_add(1).max(next);
                }
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(positions: impl IntoIterator<Item = u64>) -> Vec<String> {
        let mut all = Positions::new();
        let mut row = super::super::fixture::log(1).rows.remove(0);
        let mut look = super::super::Look::new(false);
        for position in positions {
            row.position = Some(position);
            all.seen(&look.row(&row.lying()));
        }
        let findings = all.finish();
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_position_is_one_rows() {
        assert!(seen(1..=10_000).is_empty());
        assert!(seen((1..=10_000).rev()).is_empty());
        assert!(seen([]).is_empty());
        assert_eq!(
            seen((1..70).chain(72..9_000)),
            ["positions 70 to 71: no row"]
        );
        assert_eq!(seen(2..200), ["positions 1 to 1: no row"]);
        let far = u64::MAX;
        assert_eq!(
            seen((1..5).chain([far])),
            [format!("positions 5 to {}: no row", far - 1)]
        );
        assert_eq!(seen([1, 2, 2, 3]).len(), 1);
        assert_eq!(seen([0, 1]).len(), 1);
    }
}
