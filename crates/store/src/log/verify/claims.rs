//! What signatures claim about streams: notes kept in the database, instance checkpoints and anchors kept
//! elsewhere, opened once with the keys at hand. A claim proves nothing until the entries bear it out.

use super::{Fault, Finding};
use crate::log::note::{
    self, Checkpoint, InstanceCheckpoint, Note, NoteError, VerifierKey, stream_of,
};
use domain::Stream;
use kernel::Timestamp;
use std::collections::HashMap;

/// Where a note comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Beside the entries of this stream, as its checkpoint.
    Stream([u8; 16]),
    /// Among the instance checkpoints.
    Instance,
    /// Outside, where the operator of the database cannot reach.
    Anchor,
}

/// A size of a stream and what its entries must add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) size: u64,
    pub(super) root: [u8; 32],
    pub(super) chain: [u8; 32],
    pub(super) anchor: bool,
}

/// Opened notes by stream, and what was wrong with the others.
#[derive(Debug, Default)]
pub struct Claims {
    keys: Vec<VerifierKey>,
    claims: HashMap<[u8; 16], Vec<Claim>>,
    findings: Vec<Finding>,
    unopened: Vec<Unopened>,
    signed: Vec<Signed>,
}

/// What a key signed of its own log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed {
    stream: [u8; 16],
    pub(super) public: [u8; 32],
    pub(super) size: u64,
}

/// A note that none of the keys of its name signed. A later key may have: the entries tell.
#[derive(Clone, Debug)]
struct Unopened {
    note: String,
    kept: Kept,
    row: Option<(u64, Timestamp)>,
    finding: Finding,
}

impl Claims {
    /// No claims yet; notes will be opened with these keys. Give the keys somebody keeps elsewhere, if there are any.
    pub fn new(keys: &[VerifierKey]) -> Self {
        Self {
            keys: keys.to_vec(),
            ..Self::default()
        }
    }

    /// Opens a note that a row keeps; the row's own size and time must be the note's.
    pub fn add_row(&mut self, note: &str, kept: Kept, size: u64, time: Timestamp) {
        let Some(opened) = self.believe(note, kept, Some((size, time))) else {
            return;
        };
        if (opened.size, opened.time) != (size, time) {
            let stream = stream_of(&opened.origin).unwrap_or(Stream::INSTANCE);
            let why = "its row names another size or time than it does".into();
            let fault = Fault::BadCheckpoint {
                size: Some(opened.size),
                why,
            };
            self.findings.push(Finding { stream, fault });
        }
    }

    /// Opens a note and takes what it claims; what is wrong with it becomes a finding.
    pub fn add(&mut self, note: &str, kept: Kept) {
        self.believe(note, kept, None);
    }

    /// Whose log a note is about, if one of the keys at hand signed it.
    pub(super) fn signer(&self, note: &str) -> Option<Stream> {
        let note = note::parse(note).ok()?;
        let signed = self.keys.iter().any(|key| note.open(key).is_ok());
        stream_of(note.claimed_origin()).filter(|_| signed)
    }

    /// Opens a note, takes what it claims and gives the checkpoint.
    fn believe(
        &mut self,
        text: &str,
        kept: Kept,
        row: Option<(u64, Timestamp)>,
    ) -> Option<Checkpoint> {
        let read = note::parse(text);
        let named = read
            .as_ref()
            .ok()
            .and_then(|note| stream_of(note.claimed_origin()));
        let stream = match (kept, named) {
            (Kept::Stream(stream), _) => Stream::from_bytes(stream),
            (Kept::Anchor, Some(named)) => named,
            _ => Stream::INSTANCE,
        };
        let size = read.as_ref().ok().and_then(Note::claimed_size);
        let opened = read
            .map_err(|error| (bad(size, error), error))
            .and_then(|note| self.open(&note, stream, size));
        match opened {
            Ok((all, public)) => {
                self.take(&all, kept == Kept::Anchor);
                let (stream, size) = (stream.bytes(), all.instance.size);
                self.signed.push(Signed {
                    stream,
                    public,
                    size,
                });
                Some(all.instance)
            }
            Err((fault, NoteError::OtherKey)) => {
                let (note, finding) = (text.to_owned(), Finding { stream, fault });
                self.unopened.push(Unopened {
                    note,
                    kept,
                    row,
                    finding,
                });
                None
            }
            Err((fault, _)) => {
                self.findings.push(Finding { stream, fault });
                None
            }
        }
    }

    /// Who signed what of a log.
    pub(super) fn signed(&self, stream: Stream) -> impl Iterator<Item = &Signed> {
        let all = self.signed.iter();
        all.filter(move |signed| signed.stream == stream.bytes())
    }

    /// The keys of a log.
    pub(super) fn keys_of(&self, stream: Stream) -> Vec<VerifierKey> {
        let name = note::origin(stream);
        let keys = self.keys.iter().filter(|key| key.name() == name);
        keys.cloned().collect()
    }

    /// The notes about a stream that could not be opened, opened with these keys.
    pub(super) fn opened_again(&self, stream: Stream, keys: &[VerifierKey]) -> Self {
        let mut again = Self::new(keys);
        let own = self.unopened.iter();
        for unopened in own.filter(|unopened| unopened.finding.stream == stream) {
            match unopened.row {
                Some((size, time)) => again.add_row(&unopened.note, unopened.kept, size, time),
                None => again.add(&unopened.note, unopened.kept),
            }
        }
        again
    }

    /// What is wrong with the notes about a stream that no key opened.
    pub(super) fn unopened(&self, stream: [u8; 16]) -> impl Iterator<Item = &Finding> {
        let all = self.unopened.iter().map(|unopened| &unopened.finding);
        all.filter(move |finding| finding.stream.bytes() == stream)
    }

    fn open(
        &self,
        note: &Note,
        stream: Stream,
        size: Option<u64>,
    ) -> Result<(InstanceCheckpoint, [u8; 32]), (Fault, NoteError)> {
        let name = note::origin(stream);
        if note.claimed_origin() != name {
            let why = "it is another stream's".into();
            return Err((Fault::BadCheckpoint { size, why }, NoteError::Checkpoint));
        }
        let mut named = self.keys.iter().filter(|key| key.name() == name).peekable();
        if named.peek().is_none() {
            return Err((Fault::MissingKey { name }, NoteError::Key));
        }
        let mut refused = NoteError::OtherKey;
        for key in named {
            match read(note, stream, key) {
                Ok(opened) => return Ok((opened, *key.public())),
                Err(NoteError::OtherKey) => {}
                Err(error) => refused = error,
            }
        }
        Err((bad(size, refused), refused))
    }

    fn take(&mut self, all: &InstanceCheckpoint, anchor: bool) {
        let own = &all.instance;
        if let Some(stream) = stream_of(&own.origin) {
            self.claim(stream, own.size, own.root, own.chain, anchor);
        }
        for head in &all.heads {
            self.claim(
                Stream::org(head.org),
                head.size,
                head.root,
                head.chain,
                anchor,
            );
        }
    }

    fn claim(&mut self, stream: Stream, size: u64, root: [u8; 32], chain: [u8; 32], anchor: bool) {
        let claim = Claim {
            size,
            root,
            chain,
            anchor,
        };
        self.claims.entry(stream.bytes()).or_default().push(claim);
    }

    /// The claims about one stream, by size.
    pub(super) fn of(&self, stream: [u8; 16]) -> Vec<Claim> {
        let mut claims = self.claims.get(&stream).cloned().unwrap_or_default();
        claims.sort_unstable_by_key(|claim| claim.size);
        claims
    }

    /// What was wrong with notes about one stream.
    pub(super) fn findings(&self, stream: [u8; 16]) -> impl Iterator<Item = &Finding> {
        let all = self.findings.iter();
        all.filter(move |finding| finding.stream.bytes() == stream)
    }

    /// The streams that something is claimed about, or that a note is about that could not be believed; one of them
    /// without any rows is gone altogether.
    pub fn streams(&self) -> impl Iterator<Item = Stream> + '_ {
        let claimed = self.claims.keys().copied().map(Stream::from_bytes);
        let unopened = self.unopened.iter().map(|unopened| &unopened.finding);
        let told = self.findings.iter().chain(unopened);
        claimed.chain(told.map(|finding| finding.stream))
    }
}

/// An organization's checkpoint has no heads; the instance's own may have.
fn read(note: &Note, stream: Stream, key: &VerifierKey) -> Result<InstanceCheckpoint, NoteError> {
    let text = note.open(key)?;
    if stream == Stream::INSTANCE {
        return InstanceCheckpoint::from_text(text);
    }
    Ok(InstanceCheckpoint {
        instance: Checkpoint::from_text(text)?,
        heads: Vec::new(),
    })
}

fn bad(size: Option<u64>, error: NoteError) -> Fault {
    let why = error.to_string();
    Fault::BadCheckpoint { size, why }
}
