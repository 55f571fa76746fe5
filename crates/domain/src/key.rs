//! Signing keys of an organization and the keys that seal one subject's personal fields.
//! Private halves appear only sealed under the instance key.

use crate::{Change, Entity, Table};
use kernel::{Id, SigningKeyId, Timestamp};
use serde::{Deserialize, Serialize};

/// A signature algorithm by its JOSE name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum KeyAlgorithm {
    /// Ed25519 (RFC 8037).
    EdDSA,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    ES256,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyPurpose {
    /// Tokens; published in the JWKS.
    Token,
    /// Checkpoints of the log; never in the JWKS (AUD-8).
    Log,
}

/// The life of a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// Published, not yet signing.
    Next,
    /// Signing.
    Active,
    /// Published so that what it signed can be verified; signs nothing new.
    Retiring,
    /// Unpublished.
    Retired,
}

/// Everything about a signing key; decisions need all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeyCore {
    /// Identifier.
    pub id: Id<SigningKeyId>,
    /// The key id in token headers, or the log key's name.
    pub kid: String,
    /// Algorithm.
    pub algorithm: KeyAlgorithm,
    /// What it signs.
    pub purpose: KeyPurpose,
    /// Life.
    pub state: KeyState,
    /// The public JWK as JSON text.
    pub public: String,
    /// The PKCS#8 private key, sealed under the instance key, base64.
    pub sealed: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a retiring key leaves the JWKS.
    pub retires_at: Option<Timestamp>,
}

/// A signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKey {
    /// All of it.
    pub core: SigningKeyCore,
}

/// The key that seals one subject's personal fields in the log; destroying it erases them (AUD-5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectKey {
    /// The subject's sixteen bytes; the organization's own for people nobody knows.
    #[serde(with = "crate::secret::hex16")]
    pub subject: [u8; 16],
    /// The AES-256 key, sealed under the instance key, base64.
    pub sealed: String,
}

impl Entity for SigningKey {
    const TABLE: Table = Table::SigningKey;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::SigningKey(Box::new(self.core.clone())))
    }
}

impl Entity for SubjectKey {
    const TABLE: Table = Table::SubjectKey;
    fn key(&self) -> [u8; 16] {
        self.subject
    }
    fn change(&self) -> Option<Change> {
        None
    }
}
