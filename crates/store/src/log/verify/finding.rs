//! What the verifier found and where: every finding names a stream and an entry, a size or a position, and is
//! either a break or something missing that would be needed to know. Nothing is decided here.

use domain::Stream;
use std::fmt;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Entries `seq` to `to` are not what was written.
    Changed {
        /// The first.
        seq: u64,
        /// The last.
        to: u64,
        /// What of them.
        what: &'static str,
    },
    /// Entries that were written are gone.
    Missing {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// An export does not hold these entries.
    Hole {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Rows whose number another row has.
    Inserted {
        /// The first number.
        seq: u64,
        /// The last number.
        to: u64,
    },
    /// Rows that come after a later one.
    Reordered {
        /// The first number.
        seq: u64,
        /// The last number.
        to: u64,
    },
    /// There are fewer entries than a signature covers.
    Truncated {
        /// The largest size that was signed.
        size_signed: u64,
        /// How many there are.
        size_found: u64,
    },
    /// A checkpoint that is no proof of these entries.
    BadCheckpoint {
        /// The size it names, if that could be read.
        size: Option<u64>,
        /// What is wrong with it.
        why: String,
    },
    /// No key with this name was given, so its checkpoints prove nothing.
    MissingKey {
        /// The signer's name.
        name: String,
    },
    /// The stream's head is not that of its entries.
    HeadMismatch {
        /// What of it.
        what: &'static str,
    },
    /// The body of an entry is not an entry.
    Unreadable {
        /// Which.
        seq: u64,
        /// Why.
        why: String,
    },
    /// A line of an export is not what belongs there.
    BadExport {
        /// Which, from 1.
        line: u64,
        /// What belongs there.
        expected: &'static str,
    },
    /// The signed manifest of an export is not about it.
    BadManifest {
        /// What is wrong with it.
        why: String,
    },
    /// The feed of changes does not agree with the entries.
    Feed {
        /// The entry at which they part.
        seq: u64,
        /// How.
        what: &'static str,
    },
    /// No row has these positions.
    NoPosition {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Two rows have this position.
    SamePosition {
        /// The position.
        position: u64,
        /// The number of the later row.
        seq: u64,
    },
}

impl Fault {
    /// Whether it only says that something needed is not there, while nothing is known to be wrong.
    pub const fn is_incomplete(&self) -> bool {
        matches!(self, Self::Hole { .. } | Self::MissingKey { .. })
    }

    /// The entry it is about, where there is one.
    pub const fn seq(&self) -> Option<u64> {
        match self {
            Self::Changed { seq, .. }
            | Self::Inserted { seq, .. }
            | Self::Reordered { seq, .. }
            | Self::Unreadable { seq, .. }
            | Self::Feed { seq, .. }
            | Self::SamePosition { seq, .. }
            | Self::Missing { from: seq, .. }
            | Self::Hole { from: seq, .. } => Some(*seq),
            _ => None,
        }
    }
}

/// A fault and the stream it is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The stream.
    pub stream: Stream,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.stream;
        let entries = |from: &u64, to: &u64| match from == to {
            true => format!("entry {from} of {of}"),
            false => format!("entries {from} to {to} of {of}"),
        };
        match &self.fault {
            Fault::Changed { seq, to, what } => write!(f, "{}: {what}", entries(seq, to)),
            Fault::Missing { from, to } => write!(f, "{}: missing", entries(from, to)),
            Fault::Hole { from, to } => write!(f, "{}: not in the export", entries(from, to)),
            Fault::Inserted { seq, to } => {
                write!(f, "{}: more than one row has the number", entries(seq, to))
            }
            Fault::Reordered { seq, to } => write!(f, "{}: out of order", entries(seq, to)),
            Fault::Truncated {
                size_signed,
                size_found,
            } => write!(
                f,
                "{of}: {size_found} entries, but {size_signed} were signed"
            ),
            Fault::BadCheckpoint { size, why } => match size {
                Some(size) => write!(f, "checkpoint of {of} at {size} entries: {why}"),
                None => write!(f, "checkpoint of {of}: {why}"),
            },
            Fault::BadExport { line, expected } => {
                write!(f, "line {line} of the export of {of}: not {expected}")
            }
            Fault::BadManifest { why } => write!(f, "manifest of the export of {of}: {why}"),
            Fault::MissingKey { name } => write!(f, "{of}: give the key of `{name}`"),
            Fault::HeadMismatch { what } => write!(f, "head of {of}: {what}"),
            Fault::Unreadable { seq, why } => write!(f, "entry {seq} of {of}: not an entry: {why}"),
            Fault::Feed { seq, what } => write!(f, "feed of {of} at entry {seq}: {what}"),
            Fault::NoPosition { from, to } => write!(f, "positions {from} to {to}: no row"),
            Fault::SamePosition { position, seq } => {
                write!(
                    f,
                    "entry {seq} of {of}: another row has position {position}"
                )
            }
        }
    }
}

/// What became of one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The stream.
    pub stream: Stream,
    /// How many entries were found.
    pub entries: u64,
    /// How many signed sizes were found right.
    pub checkpoints: u64,
    /// The hash of the last entry, zero when there is none.
    pub head: [u8; 32],
    /// The root over the entries up to the first that is missing.
    pub root: [u8; 32],
    /// How many entries no signature covers yet.
    pub after_last_checkpoint: u64,
    /// Up to which size an anchor was found right.
    pub anchored_size: u64,
    /// Whether an anchor was found right.
    pub anchored: bool,
    /// What is wrong, by entry.
    pub findings: Vec<Finding>,
    /// How many findings more there were than are told.
    pub further: u64,
}

impl Report {
    /// 0 whole, 1 broken or shorter than signed, 3 incomplete.
    pub fn exit_code(&self) -> u8 {
        let broken = |finding: &Finding| !finding.fault.is_incomplete();
        match self.findings.is_empty() {
            true => 0,
            false if self.further > 0 || self.findings.iter().any(broken) => 1,
            false => 3,
        }
    }
}

/// A range, unless it holds nothing.
pub(super) fn range(from: u64, to: u64) -> Option<(u64, u64)> {
    (from <= to).then_some((from, to))
}
