//! Checkpoints: how long a stream's log was at a moment, the root of its tree and the last link of its chain
//! (C2SP tlog-checkpoint with extension lines). A checkpoint has one spelling; any other is refused.

use super::NoteError;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Stream;
use kernel::{Id, Org, Timestamp};
use std::fmt::Write as _;

/// What a stream's checkpoints say on their first line, and what their signer is called.
pub fn origin(stream: Stream) -> String {
    format!("cardea/{stream}")
}

/// The stream with this origin.
pub fn stream_of(origin: &str) -> Option<Stream> {
    match origin.strip_prefix("cardea/")? {
        "instance" => Some(Stream::INSTANCE),
        org => org.parse::<Id<Org>>().ok().map(Stream::org),
    }
}

/// One stream at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// `cardea/` and the organization's id, or `cardea/instance`.
    pub origin: String,
    /// How many entries there were.
    pub size: u64,
    /// The root of the tree over them.
    pub root: [u8; 32],
    /// The hash of the last of them, zero before the first.
    pub chain: [u8; 32],
    /// When it was signed.
    pub time: Timestamp,
    /// Rises when the database is restored or forked.
    pub epoch: u64,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\n{}\nchain {}\ntime {}\nepoch {}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root),
            STANDARD.encode(self.chain),
            self.time,
            self.epoch
        )
    }

    /// Reads what `to_text` writes and nothing else.
    ///
    /// # Errors
    /// When a line is missing, too much or spelled otherwise.
    pub fn from_text(text: &str) -> Result<Self, NoteError> {
        Self::read(&mut text.lines())
            .filter(|read| read.to_text() == text)
            .ok_or(NoteError::Checkpoint)
    }

    fn read<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        Some(Self {
            origin: lines
                .next()
                .filter(|line| stream_of(line).is_some())?
                .to_owned(),
            size: lines.next()?.parse().ok()?,
            root: hash(lines.next()?)?,
            chain: hash(lines.next()?.strip_prefix("chain ")?)?,
            time: Timestamp::parse(lines.next()?.strip_prefix("time ")?)?,
            epoch: lines.next()?.strip_prefix("epoch ")?.parse().ok()?,
        })
    }
}

/// One organization's stream as an instance checkpoint has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose stream it is.
    pub org: Id<Org>,
    /// How many entries there were.
    pub size: u64,
    /// The root of the tree over them.
    pub root: [u8; 32],
    /// The hash of the last of them.
    pub chain: [u8; 32],
}

/// The instance's own stream and the heads of the organizations that changed since the instance checkpoint before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceCheckpoint {
    /// The instance's own stream; its origin is `cardea/instance`.
    pub instance: Checkpoint,
    /// The streams that changed, in the order they are written.
    pub heads: Vec<Head>,
}

impl InstanceCheckpoint {
    /// The text that is signed.
    pub fn to_text(&self) -> String {
        let mut text = self.instance.to_text();
        for head in &self.heads {
            let (root, chain) = (STANDARD.encode(head.root), STANDARD.encode(head.chain));
            // Writing to a string cannot fail.
            let _ = writeln!(text, "head {} {} {root} {chain}", head.org, head.size);
        }
        text
    }

    /// Reads what `to_text` writes and nothing else.
    ///
    /// # Errors
    /// When the origin is an organization's, or a line is missing, too much or spelled otherwise.
    pub fn from_text(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.lines();
        let instance = Checkpoint::read(&mut lines).ok_or(NoteError::Checkpoint)?;
        let heads: Option<Vec<_>> = lines.map(head).collect();
        let read = Self {
            instance,
            heads: heads.ok_or(NoteError::Checkpoint)?,
        };
        let exact = stream_of(&read.instance.origin) == Some(Stream::INSTANCE);
        (exact && read.to_text() == text)
            .then_some(read)
            .ok_or(NoteError::Checkpoint)
    }
}

fn head(line: &str) -> Option<Head> {
    let mut words = line.strip_prefix("head ")?.split(' ');
    Some(Head {
        org: words.next()?.parse().ok()?,
        size: words.next()?.parse().ok()?,
        root: hash(words.next()?)?,
        chain: hash(words.next()?)?,
    })
}

fn hash(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}
