//! The keys of one log, as they followed each other: which of them a verifier that knows one of them believes, and
//! until which entry. Never takes a key on the word of a database.

use super::{
    Fault,
    claims::{Claims, Signed},
};
use crate::log::note::{self, Handover, NoteError, VerifierKey};
use domain::Stream;

/// An entry in which the log is handed over.
pub(super) struct Handed {
    pub(super) seq: u64,
    /// None when the entry does not hold what it should.
    handover: Option<Handover>,
}

impl Handed {
    pub(super) fn read((seq, text): (u64, Box<str>)) -> Self {
        let note = note::parse(&text).ok();
        let handover = note.and_then(|note| Handover::open(&note).ok());
        Self { seq, handover }
    }
}

/// A log's keys, and the entries in which they handed the log over.
pub(super) struct Keys {
    pub(super) all: Vec<VerifierKey>,
    ended: Vec<([u8; 32], u64)>,
}

impl Keys {
    /// The keys at hand, and those before them: what a key signed covers the entry in which it took over, and that
    /// entry names the key before.
    pub(super) fn at_hand(claims: &Claims, stream: Stream, handed: &[Handed]) -> Self {
        let mut all = claims.keys_of(stream);
        let covered = claims.signed(stream).map(|signed| signed.size).max();
        let covered = handed.iter().filter(|handed| covered >= Some(handed.seq));
        for Handover { old, new } in covered.rev().filter_map(|handed| handed.handover.as_ref()) {
            if all.contains(new) && !all.contains(old) {
                all.push(old.clone());
            }
        }
        let ended = Vec::new();
        Self { all, ended }
    }

    /// Goes on to the key that takes over there; false when none that may hand over does.
    pub(super) fn follow(&mut self, handed: &Handed) -> bool {
        let Some(Handover { old, new }) = &handed.handover else {
            return false;
        };
        if !self.all.contains(old) || self.end(old.public()).is_some() {
            return false;
        }
        self.ended.push((*old.public(), handed.seq));
        if !self.all.contains(new) {
            self.all.push(new.clone());
        }
        true
    }

    /// The entry in which a key handed the log over; from there on it signs nothing.
    fn end(&self, public: &[u8; 32]) -> Option<u64> {
        let ended = self.ended.iter().find(|(old, _)| old == public);
        ended.map(|(_, seq)| *seq)
    }

    /// What is wrong with a checkpoint under a key that had handed over by then.
    pub(super) fn after_its_end(&self, signed: &Signed) -> Option<Fault> {
        let seq = self.end(&signed.public).filter(|seq| signed.size >= *seq)?;
        let (size, why) = (Some(signed.size), late(seq));
        Some(Fault::BadCheckpoint { size, why })
    }
}

fn late(seq: u64) -> String {
    format!("signed by a key that had handed the log over in entry {seq}")
}

/// What an export's last line states of those in front of it, and what they say.
pub(super) struct Manifest {
    pub(super) note: String,
    pub(super) wanted: String,
    /// The last entry.
    pub(super) to: u64,
}

impl Manifest {
    /// What is wrong with it.
    pub(super) fn fault(&self, stream: Stream, keys: &Keys) -> Option<Fault> {
        let why = |why: String| Some(Fault::BadManifest { why });
        let note = match note::parse(&self.note) {
            Ok(note) => note,
            Err(error) => return why(error.to_string()),
        };
        if !note.is_of(&self.wanted) {
            return why("it is not about these lines; the file was changed".into());
        }
        if keys.all.is_empty() {
            let name = note::origin(stream);
            return Some(Fault::MissingKey { name });
        }
        let mut signers = keys.all.iter().filter(|key| note.open(key).is_ok());
        match signers.next().map(|key| keys.end(key.public())) {
            None => why(NoteError::OtherKey.to_string()),
            Some(Some(seq)) if seq <= self.to => why(late(seq)),
            Some(_) => None,
        }
    }
}
