//! Signing keys of organizations: made sealed, opened once a process, rotated with overlap. A published key
//! stays published while a token it signed may live (KEY-1).

use crate::{
    Error, Platform, Result,
    sealing::{Keyring, Place},
};
use domain::{KeyAlgorithm, KeyPurpose, KeyState, SigningKey, SigningKeyCore, Stream};
use jose::{Algorithm, Jwk, KeySet, VerifyingKey};
use kernel::{Entropy, Id, Micros, SigningKeyId, Timestamp, limits};
use live::View;
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};

/// The longest a key signs before another takes over.
pub const ROTATE_AFTER: Micros = Micros::days(90);

type Fingerprint = Vec<([u8; 16], KeyState)>;

/// Parsed keys of one organization.
pub struct OrgKeys {
    fingerprint: Fingerprint,
    signer: Arc<jose::SigningKey>,
    /// Everything a presented token may be signed with.
    pub verifying: KeySet,
}

impl OrgKeys {
    /// The key that signs new tokens.
    pub fn signer(&self) -> &jose::SigningKey {
        &self.signer
    }
}

/// Parsed keys by organization.
#[derive(Default)]
pub struct KeyCache {
    orgs: RwLock<HashMap<Stream, Arc<OrgKeys>>>,
}

const fn algorithm(of: KeyAlgorithm) -> Algorithm {
    match of {
        KeyAlgorithm::EdDSA => Algorithm::EdDSA,
        KeyAlgorithm::ES256 => Algorithm::ES256,
    }
}

fn place(stream: Stream, id: Id<SigningKeyId>) -> Place<'static> {
    Place {
        purpose: "signing-key",
        stream,
        table: "signing_key",
        row: id.bytes(),
        column: "sealed",
    }
}

/// Makes a key and seals it for storage.
///
/// # Errors
/// When the cryptographic library refuses.
pub fn new_signing_key(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    stream: Stream,
    id: Id<SigningKeyId>,
    kind: (KeyAlgorithm, KeyPurpose, KeyState),
    now: Timestamp,
) -> Result<SigningKey> {
    let (of, purpose, state) = kind;
    let (key, private) = jose::SigningKey::generate(algorithm(of)).map_err(Error::internal)?;
    let private = kernel::SecretBox::new(Box::new(private));
    let sealed = keyring
        .seal(
            entropy,
            place(stream, id),
            kernel::ExposeSecret::expose_secret(&private),
        )
        .map_err(Error::internal)?;
    let public = serde_json::to_string(&key.public_jwk()).map_err(Error::internal)?;
    let kid = key.kid().to_owned();
    let core = SigningKeyCore {
        id,
        kid,
        algorithm: of,
        purpose,
        state,
        public,
        sealed,
        created_at: now,
        retires_at: None,
    };
    Ok(SigningKey { core })
}

/// Opens a stored key.
///
/// # Errors
/// When it does not open under this instance key.
pub fn open_signing_key(
    keyring: &Keyring,
    stream: Stream,
    core: &SigningKeyCore,
) -> Result<jose::SigningKey> {
    let private = kernel::SecretBox::new(Box::new(
        keyring
            .open(place(stream, core.id), &core.sealed)
            .map_err(Error::internal)?,
    ));
    let bytes = kernel::ExposeSecret::expose_secret(&private);
    jose::SigningKey::from_pkcs8(algorithm(core.algorithm), bytes, core.kid.clone())
        .map_err(Error::internal)
}

/// Opens a stored Ed25519 key for signing checkpoints.
///
/// # Errors
/// When it does not open under this instance key.
pub fn open_log_key(
    keyring: &Keyring,
    stream: Stream,
    core: &SigningKeyCore,
) -> Result<aws_lc_rs::signature::Ed25519KeyPair> {
    let private = kernel::SecretBox::new(Box::new(
        keyring
            .open(place(stream, core.id), &core.sealed)
            .map_err(Error::internal)?,
    ));
    aws_lc_rs::signature::Ed25519KeyPair::from_pkcs8(kernel::ExposeSecret::expose_secret(&private))
        .map_err(Error::internal)
}

fn is_published(core: &SigningKeyCore, now: Timestamp) -> bool {
    core.purpose == KeyPurpose::Token
        && core.state != KeyState::Retired
        && core.retires_at.is_none_or(|end| end > now)
}

/// The keys that belong in the JWKS now, oldest first.
pub fn published(view: &View) -> impl Iterator<Item = &Arc<SigningKeyCore>> {
    view.org.keys().filter(|key| is_published(key, view.now))
}

/// Whether the signing key of this algorithm has signed for as long as it may.
pub fn rotate_due(core: &SigningKeyCore, now: Timestamp) -> bool {
    core.state == KeyState::Active && now.since(core.created_at) >= ROTATE_AFTER
}

/// When a key that stops signing now may leave the JWKS.
pub fn overlap_end(now: Timestamp) -> Timestamp {
    now.plus(limits::RUN_TOKEN_LIFE).plus(limits::CLOCK_SKEW)
}

impl KeyCache {
    /// The parsed keys of a view's organization.
    ///
    /// # Errors
    /// When a key does not open, or none signs.
    pub fn of(&self, platform: &Platform, view: &View) -> Result<Arc<OrgKeys>> {
        let stream = Stream::org(view.id());
        let current = || published(view).map(|key| (key.id.bytes(), key.state));
        let known = self
            .orgs
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&stream)
            .cloned();
        if let Some(known) = known.filter(|known| current().eq(known.fingerprint.iter().copied())) {
            return Ok(known);
        }
        let keys = Arc::new(parse(platform, view, stream, current().collect())?);
        self.orgs
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(stream, keys.clone());
        Ok(keys)
    }
}

fn parse(
    platform: &Platform,
    view: &View,
    stream: Stream,
    fingerprint: Fingerprint,
) -> Result<OrgKeys> {
    let mut verifying = Vec::new();
    for core in published(view) {
        let jwk: Jwk = serde_json::from_str(&core.public).map_err(Error::internal)?;
        verifying.push(VerifyingKey::from_jwk(&jwk).map_err(Error::internal)?);
    }
    let signs = |core: &&Arc<SigningKeyCore>| {
        core.state == KeyState::Active && core.algorithm == KeyAlgorithm::EdDSA
    };
    let core = published(view)
        .filter(signs)
        .last()
        .ok_or_else(|| Error::internal("no active signing key"))?;
    let signer = Arc::new(open_signing_key(&platform.keyring, stream, core)?);
    Ok(OrgKeys {
        fingerprint,
        signer,
        verifying: KeySet::new(verifying),
    })
}
