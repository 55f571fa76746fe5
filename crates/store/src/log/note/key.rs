//! Verifier keys: what somebody keeps elsewhere to check a log's signatures with, in C2SP's text form. Only
//! public keys live here.

use super::NoteError;
use crate::log::chain::sha256;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{fmt, str::FromStr};

/// C2SP signed-note's number for Ed25519.
const ED25519: u8 = 1;

/// A name and an Ed25519 public key; in text `name+hash+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    public: [u8; 32],
}

impl VerifierKey {
    /// The key of the signer with this name, which is the origin of what it signs.
    ///
    /// # Errors
    /// When the name is empty or holds a space or a plus sign.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, NoteError> {
        let name = is_name(name).then(|| name.to_owned());
        name.map(|name| Self { name, public }).ok_or(NoteError::Key)
    }
    /// The signer's name.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// The 32 bytes of the key.
    pub const fn public(&self) -> &[u8; 32] {
        &self.public
    }
    /// The four bytes that stand for this key in a signature line.
    pub fn id(&self) -> [u8; 4] {
        id(&self.name, &self.public)
    }
}

/// The first four bytes of SHA-256 over name, newline, algorithm and key.
pub(super) fn id(name: &str, public: &[u8]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519], public].concat());
    hash.first_chunk().copied().unwrap_or_default()
}

/// Whether a signer may be called so.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [&[ED25519][..], &self.public].concat();
        let id = u32::from_be_bytes(self.id());
        write!(f, "{}+{id:08x}+{}", self.name, STANDARD.encode(typed))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let encoded = text.splitn(3, '+').nth(2).ok_or(NoteError::Key)?;
        let typed = STANDARD.decode(encoded).map_err(|_| NoteError::Key)?;
        let public = match typed.split_first() {
            Some((&ED25519, public)) => public.try_into().map_err(|_| NoteError::Key)?,
            _ => return Err(NoteError::Key),
        };
        let name = text.split('+').next().unwrap_or_default();
        let key = Self::new(name, public)?;
        // One key has one spelling, so a wrong hash or another base64 shows here.
        (key.to_string() == text)
            .then_some(key)
            .ok_or(NoteError::Key)
    }
}
