//! Gathering findings: neighbours with the same fault become one range, and there is an end to how many are kept,
//! so that a log that is wrong everywhere is told in a few lines.

use super::{Fault, Finding};
use domain::Stream;

/// How many findings are kept.
const KEPT: usize = 1_000;

pub(super) struct Findings {
    stream: Stream,
    kept: Vec<Finding>,
    further: u64,
}

impl Findings {
    pub(super) fn new(stream: [u8; 16]) -> Self {
        Self {
            stream: Stream::from_bytes(stream),
            kept: Vec::new(),
            further: 0,
        }
    }

    pub(super) fn push(&mut self, fault: Fault) {
        if let Some(last) = self.kept.last_mut()
            && let Some(grown) = grown(&last.fault, &fault)
        {
            last.fault = grown;
        } else if self.kept.len() < KEPT {
            let stream = self.stream;
            self.kept.push(Finding { stream, fault });
        } else {
            self.further += 1;
        }
    }

    pub(super) fn changed(&mut self, seq: u64, what: &'static str) {
        self.push(Fault::Changed { seq, to: seq, what });
    }

    pub(super) fn inserted(&mut self, seq: u64) {
        self.push(Fault::Inserted { seq, to: seq });
    }

    pub(super) fn reordered(&mut self, seq: u64) {
        self.push(Fault::Reordered { seq, to: seq });
    }

    /// The findings by entry, those about no entry last, and how many more there were.
    pub(super) fn finish(mut self) -> (Vec<Finding>, u64) {
        self.kept
            .sort_by_key(|finding| finding.fault.seq().unwrap_or(u64::MAX));
        (self.kept, self.further)
    }
}

/// One fault for both, when the second is the first one entry further on.
fn grown(last: &Fault, next: &Fault) -> Option<Fault> {
    let adjacent = |to: &u64, seq: &u64| to.checked_add(1) == Some(*seq);
    match (last, next) {
        (
            Fault::Changed { seq, to, what },
            Fault::Changed {
                seq: after,
                what: same,
                ..
            },
        ) if what == same && adjacent(to, after) => Some(Fault::Changed {
            seq: *seq,
            to: *after,
            what,
        }),
        (Fault::Inserted { seq, to }, Fault::Inserted { seq: after, .. })
            if adjacent(to, after) =>
        {
            Some(Fault::Inserted {
                seq: *seq,
                to: *after,
            })
        }
        (Fault::Reordered { seq, to }, Fault::Reordered { seq: after, .. })
            if adjacent(to, after) =>
        {
            Some(Fault::Reordered {
                seq: *seq,
                to: *after,
            })
        }
        _ => None,
    }
}
