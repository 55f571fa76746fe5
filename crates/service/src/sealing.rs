//! The instance key and everything derived from it: subkeys per purpose (HKDF-SHA-256, RFC 5869), sealing with
//! AES-256-GCM bound to where the value is stored (KEY-4), and the keyed hash of secrets. Keys never leave here.

use aws_lc_rs::{aead, digest, hkdf, hmac};
use base64::{Engine, engine::general_purpose::STANDARD as B64};
use domain::Stream;
use kernel::Entropy;

const VERSION: u8 = 1;
const SALT: &[u8] = b"cardea instance key 1";

/// Why a sealed value could not be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the sealed value does not open under this instance key; is it the key this data was made with?"
)]
pub struct SealError;

/// Where a sealed value is stored; bound into it, so that a value moved elsewhere does not open.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// What the value is for.
    pub purpose: &'a str,
    /// Whose it is.
    pub stream: Stream,
    /// The table.
    pub table: &'a str,
    /// The row.
    pub row: [u8; 16],
    /// The column.
    pub column: &'a str,
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        let parts: [&[u8]; 5] = [
            self.purpose.as_bytes(),
            &self.stream.bytes(),
            self.table.as_bytes(),
            &self.row,
            self.column.as_bytes(),
        ];
        framed(&parts)
    }
}

/// Joins parts so that no two lists give the same bytes.
fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![VERSION];
    for part in parts {
        out.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// A key that seals values.
pub struct SealingKey(aead::LessSafeKey);

impl SealingKey {
    /// A key made of these 32 bytes.
    fn new(bytes: &[u8; 32]) -> Option<Self> {
        let unbound = aead::UnboundKey::new(&aead::AES_256_GCM, bytes).ok()?;
        Some(Self(aead::LessSafeKey::new(unbound)))
    }

    /// Seals under a fresh random nonce: version, nonce, ciphertext and tag.
    pub fn seal(
        &self,
        entropy: &dyn Entropy,
        bound_to: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, SealError> {
        let nonce: [u8; 12] = entropy.bytes();
        let mut body = plain.to_vec();
        let unique = aead::Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(unique, aead::Aad::from(bound_to), &mut body)
            .map_err(|_| SealError)?;
        Ok([&[VERSION][..], &nonce, &body].concat())
    }

    /// Opens what `seal` made, if it is bound to the same place.
    pub fn open(&self, bound_to: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
        let (&VERSION, rest) = sealed.split_first().ok_or(SealError)? else {
            return Err(SealError);
        };
        let (nonce, body) = rest.split_first_chunk::<12>().ok_or(SealError)?;
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let mut body = body.to_vec();
        let plain = self
            .0
            .open_in_place(nonce, aead::Aad::from(bound_to), &mut body)
            .map_err(|_| SealError)?;
        Ok(plain.to_vec())
    }
}

/// The subkeys of one instance.
pub struct Keyring {
    storage: SealingKey,
    tokens: SealingKey,
    pepper: hmac::Key,
    cursors: hmac::Key,
    sources: hmac::Key,
    check: String,
}

impl Keyring {
    /// Derives everything from the instance key.
    ///
    /// # Errors
    /// When the cryptographic library refuses, which it does not for 32 bytes.
    pub fn new(instance_key: &[u8; 32]) -> Result<Self, SealError> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(instance_key);
        let subkey = |purpose: &str| -> Result<[u8; 32], SealError> {
            let mut out = [0; 32];
            let info = [purpose.as_bytes()];
            root.expand(&info, hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(&mut out))
                .map_err(|_| SealError)?;
            Ok(out)
        };
        let check = digest::digest(&digest::SHA256, &subkey("check/1")?);
        Ok(Self {
            storage: SealingKey::new(&subkey("storage/1")?).ok_or(SealError)?,
            tokens: SealingKey::new(&subkey("opaque-tokens/1")?).ok_or(SealError)?,
            pepper: hmac::Key::new(hmac::HMAC_SHA256, &subkey("pepper/1")?),
            cursors: hmac::Key::new(hmac::HMAC_SHA256, &subkey("cursors/1")?),
            sources: hmac::Key::new(hmac::HMAC_SHA256, &subkey("sources/1")?),
            check: hex(check.as_ref()),
        })
    }

    /// A value by which a database recognizes its key without revealing it.
    pub fn check_value(&self) -> &str {
        &self.check
    }
    /// Seals a value for storage, base64.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub fn seal(
        &self,
        entropy: &dyn Entropy,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<String, SealError> {
        self.storage
            .seal(entropy, &place.bytes(), plain)
            .map(|sealed| B64.encode(sealed))
    }
    /// Opens a stored value.
    ///
    /// # Errors
    /// When it was made under another key, for another place, or changed.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Vec<u8>, SealError> {
        let bytes = B64.decode(sealed).map_err(|_| SealError)?;
        self.storage.open(&place.bytes(), &bytes)
    }
    /// Opens a stored AES-256 key.
    ///
    /// # Errors
    /// When it does not open or is no such key.
    pub fn open_key(&self, place: Place<'_>, sealed: &str) -> Result<SealingKey, SealError> {
        let bytes: [u8; 32] = self
            .open(place, sealed)?
            .try_into()
            .map_err(|_| SealError)?;
        SealingKey::new(&bytes).ok_or(SealError)
    }
    /// The key of opaque tokens.
    pub const fn tokens(&self) -> &SealingKey {
        &self.tokens
    }
    /// The keyed hash of a secret, bound to what it is and which row holds it; 64 hexadecimal digits.
    pub fn hash_secret(&self, kind: &str, stream: Stream, row: [u8; 16], secret: &[u8]) -> String {
        let message = framed(&[kind.as_bytes(), &stream.bytes(), &row, secret]);
        hex(hmac::sign(&self.pepper, &message).as_ref())
    }
    /// The key under which nodes name an address to each other without saying it.
    pub fn sources(&self) -> hmac::Key {
        self.sources.clone()
    }
    /// Signs a page cursor.
    pub fn sign_cursor(&self, message: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.cursors, message);
        let mut out = [0; 32];
        out.copy_from_slice(tag.as_ref());
        out
    }
    /// Whether a cursor's tag is ours; constant time.
    pub fn verify_cursor(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.cursors, message, tag).is_ok()
    }
}

/// SHA-256.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::ambient::SystemEntropy;

    fn place(row: u8, column: &str) -> Place<'_> {
        Place {
            purpose: "test",
            stream: Stream::INSTANCE,
            table: "t",
            row: [row; 16],
            column,
        }
    }

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let keyring = Keyring::new(&[7; 32]).unwrap();
        let sealed = keyring
            .seal(&SystemEntropy, place(1, "c"), b"plain")
            .unwrap();
        assert_eq!(keyring.open(place(1, "c"), &sealed).unwrap(), b"plain");
        assert_eq!(
            keyring.open(place(2, "c"), &sealed),
            Err(SealError),
            "another row"
        );
        assert_eq!(
            keyring.open(place(1, "d"), &sealed),
            Err(SealError),
            "another column"
        );
        assert_eq!(
            Keyring::new(&[8; 32]).unwrap().open(place(1, "c"), &sealed),
            Err(SealError),
            "another key"
        );
        assert_ne!(
            sealed,
            keyring
                .seal(&SystemEntropy, place(1, "c"), b"plain")
                .unwrap()
        );
    }

    #[test]
    fn a_hash_is_bound_to_kind_stream_and_row() {
        let keyring = Keyring::new(&[7; 32]).unwrap();
        let base = keyring.hash_secret("cda", Stream::INSTANCE, [1; 16], b"s");
        assert_ne!(
            base,
            keyring.hash_secret("cdt", Stream::INSTANCE, [1; 16], b"s")
        );
        assert_ne!(
            base,
            keyring.hash_secret("cda", Stream::from_bytes([1; 16]), [1; 16], b"s")
        );
        assert_ne!(
            base,
            keyring.hash_secret("cda", Stream::INSTANCE, [2; 16], b"s")
        );
    }
}
