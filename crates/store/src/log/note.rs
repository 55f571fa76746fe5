//! Signed notes, as C2SP's signed-note says: a text, an empty line, and lines of Ed25519 signatures over the text.
//! A note is read strictly and means nothing until a key that the reader already had opens it.

mod checkpoint;
mod key;
#[cfg(test)]
mod tests;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::{Engine as _, engine::general_purpose::STANDARD};
pub use checkpoint::{Checkpoint, Head, InstanceCheckpoint, origin, stream_of};
pub use key::VerifierKey;

/// Longer notes are refused before they are looked at, in bytes.
const LONGEST: usize = 8 << 20;
/// What stands before a signature: an em dash and a space.
const MARK: &str = "\u{2014} ";

/// Why a note or a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not text, an empty line and signature lines, each ended by a newline.
    #[error(
        "not a signed note; expected text, an empty line and signature lines that end in a newline"
    )]
    Form,
    /// The text is not a checkpoint in its only spelling.
    #[error("not a checkpoint; expected origin, size, root, chain, time and epoch, one a line")]
    Checkpoint,
    /// None of its signatures is by the key.
    #[error("not signed by this key; give the key that signed it")]
    OtherKey,
    /// A signature by the key does not hold.
    #[error("the signature does not match the text")]
    Signature,
    /// A verifier key is not `name+id+key`.
    #[error("not a verifier key; expected `name+hash+key` with an Ed25519 key in base64")]
    Key,
}

/// A note that was read but not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Note {
    /// The first line, which nobody vouches for until the note was opened.
    pub fn claimed_origin(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// Whether this is its text.
    pub fn is_of(&self, text: &str) -> bool {
        self.text == text
    }

    /// The size on the second line, which nobody vouches for until the note was opened.
    pub fn claimed_size(&self) -> Option<u64> {
        self.text.lines().nth(1)?.parse().ok()
    }

    /// The text, if `key` signed it and the key's name is the text's origin.
    ///
    /// # Errors
    /// When no signature is by the key, or one by the key does not hold.
    pub fn open(&self, key: &VerifierKey) -> Result<&str, NoteError> {
        let mut by_key = self
            .signatures
            .iter()
            .filter(|signature| signature.name == key.name() && signature.id == key.id())
            .peekable();
        if by_key.peek().is_none() || self.claimed_origin() != key.name() {
            return Err(NoteError::OtherKey);
        }
        let public = UnparsedPublicKey::new(&ED25519, key.public());
        by_key
            .all(|signature| {
                public
                    .verify(self.text.as_bytes(), &signature.bytes)
                    .is_ok()
            })
            .then_some(self.text.as_str())
            .ok_or(NoteError::Signature)
    }
}

/// Reads a note without believing it.
///
/// # Errors
/// When it is not a signed note: other line ends, control characters, a missing newline, base64 in another spelling.
pub fn parse(note: &str) -> Result<Note, NoteError> {
    let strange = |byte: u8| byte < b' ' && byte != b'\n';
    if note.len() > LONGEST || note.bytes().any(strange) {
        return Err(NoteError::Form);
    }
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(NoteError::Form)?;
    let lines = signatures.strip_suffix('\n').ok_or(NoteError::Form)?;
    let signatures: Option<Vec<_>> = lines.split('\n').map(signature).collect();
    Ok(Note {
        text: format!("{text}\n"),
        signatures: signatures.ok_or(NoteError::Form)?,
    })
}

fn signature(line: &str) -> Option<Signature> {
    let (name, encoded) = line.strip_prefix(MARK)?.split_once(' ')?;
    let decoded = STANDARD.decode(encoded).ok()?;
    let (id, bytes) = decoded.split_first_chunk::<4>()?;
    (key::is_name(name) && !bytes.is_empty()).then(|| Signature {
        name: name.into(),
        id: *id,
        bytes: bytes.to_vec(),
    })
}

/// Signs a checkpoint. `name` must be its origin, or no verifier will open it.
pub fn sign(checkpoint: &Checkpoint, name: &str, key: &Ed25519KeyPair) -> String {
    sign_text(&checkpoint.to_text(), name, key)
}

/// Signs an instance checkpoint. `name` must be `cardea/instance`.
pub fn sign_instance(checkpoint: &InstanceCheckpoint, name: &str, key: &Ed25519KeyPair) -> String {
    sign_text(&checkpoint.to_text(), name, key)
}

/// Signs a text that ends in a newline and has `name` as its first line.
pub fn sign_text(text: &str, name: &str, key: &Ed25519KeyPair) -> String {
    let mut signed = key::id(name, key.public_key().as_ref()).to_vec();
    signed.extend(key.sign(text.as_bytes()).as_ref());
    format!("{text}\n{MARK}{name} {}\n", STANDARD.encode(signed))
}

/// What the old key of a log signs when it hands over to a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The key that signs it, and nothing of the log afterwards.
    pub old: VerifierKey,
    /// The key that signs the log from there on.
    pub new: VerifierKey,
}

impl Handover {
    /// Its text. The second line is no size, so that nobody takes it for a checkpoint.
    fn to_text(&self) -> String {
        let Self { old, new } = self;
        format!("{}\nlog-key {new}\nafter {old}\n", old.name())
    }

    /// Signs it with the old key.
    pub fn sign(&self, key: &Ed25519KeyPair) -> String {
        sign_text(&self.to_text(), self.old.name(), key)
    }

    /// Reads one that is signed by the old key that it names. That is its own word only: believe it when one of the
    /// keys is known, and for the new one alone when something it signed covers the entry that this is from.
    ///
    /// # Errors
    /// When that key did not sign it, or it is no such note.
    pub fn open(note: &Note) -> Result<Self, NoteError> {
        let mut lines = note.text.lines().skip(1);
        let mut key = |mark: &str| -> Result<VerifierKey, NoteError> {
            let named = lines.next().and_then(|line| line.strip_prefix(mark));
            named.ok_or(NoteError::Form)?.parse()
        };
        let (new, old) = (key("log-key ")?, key("after ")?);
        let read = Self { old, new };
        let spelled = read.new.name() == read.old.name() && read.to_text() == note.text;
        note.open(&read.old)?;
        spelled.then_some(read).ok_or(NoteError::Form)
    }
}

/// The checkpoint of one stream, if `key` signed it.
///
/// # Errors
/// When the key did not sign it, or its text is anything but one checkpoint.
pub fn verify(note: &Note, key: &VerifierKey) -> Result<Checkpoint, NoteError> {
    Checkpoint::from_text(note.open(key)?)
}

/// The instance checkpoint, if `key` signed it.
///
/// # Errors
/// When the key did not sign it, or its text is anything but one instance checkpoint.
pub fn verify_instance(note: &Note, key: &VerifierKey) -> Result<InstanceCheckpoint, NoteError> {
    InstanceCheckpoint::from_text(note.open(key)?)
}
