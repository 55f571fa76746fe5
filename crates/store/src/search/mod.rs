//! Searching a log: postings of every full stretch of it, kept as a projection that can be thrown away and made again,
//! and the entries after the last full stretch, which are looked through. So an answer is complete however far the
//! projection is behind. What postings say is held against the rows; whether they are of this log is looked at each time.

mod find;
mod keep;
mod page;
mod postings;
mod term;

pub use find::{Found, Search};
pub use keep::Indexed;
pub use term::Words;

/// The form of terms and pages. A projection of another form is made again.
pub(crate) const FORM: u64 = 1;

/// How many entries the postings of one stretch are made from.
#[cfg(not(test))]
pub const STRETCH: u64 = 4_096;
/// The same, so small that tests see stretches that were put together.
#[cfg(test)]
pub const STRETCH: u64 = 64;
/// How many stretches are put together, so that a long log is not looked for in thousands of places.
const TOGETHER: u64 = 16;

/// A stretch of a log whose postings are kept together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    /// 0 for one stretch, 1 for those that were put together.
    level: u64,
    /// Which of its level.
    number: u64,
}

impl Segment {
    /// Where the postings of an entry are, in a log of which this many entries are covered.
    const fn of(seq: u64, covered: u64) -> Option<Self> {
        if seq == 0 || seq > covered {
            return None;
        }
        let large = Self::at(1, (seq - 1) / Self::length(1));
        Some(if large.last() <= covered {
            large
        } else {
            Self::at(0, (seq - 1) / Self::length(0))
        })
    }

    const fn at(level: u64, number: u64) -> Self {
        Self { level, number }
    }

    const fn length(level: u64) -> u64 {
        if level == 0 {
            STRETCH
        } else {
            STRETCH * TOGETHER
        }
    }

    /// The place of its first entry.
    const fn first(self) -> u64 {
        self.number * Self::length(self.level) + 1
    }

    /// The place of its last entry.
    const fn last(self) -> u64 {
        (self.number + 1) * Self::length(self.level)
    }

    /// Where an entry lies in it.
    fn offset(self, seq: u64) -> u32 {
        u32::try_from(seq.saturating_sub(self.first())).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod places {
    use super::*;

    #[test]
    fn every_covered_entry_is_in_one_segment() {
        let covered = STRETCH * (TOGETHER + 2);
        let level = |seq| Segment::of(seq, covered).map(|segment| (segment.level, segment.number));
        assert_eq!(level(0), None);
        assert_eq!(
            (level(1), level(STRETCH * TOGETHER)),
            (Some((1, 0)), Some((1, 0)))
        );
        assert_eq!(level(STRETCH * TOGETHER + 1), Some((0, 16)));
        assert_eq!((level(covered), level(covered + 1)), (Some((0, 17)), None));
        let segment = Segment::of(covered, covered).unwrap();
        assert_eq!(
            (segment.last(), segment.offset(segment.first())),
            (covered, 0)
        );
    }
}
