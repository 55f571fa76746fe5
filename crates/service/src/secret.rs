//! Secrets in text: prefix, eight-character key id, 256 random bits and a checksum that scanners can verify
//! offline. The text is shown once; what is stored is a keyed hash, found by key id, compared in constant time.

use crate::sealing::Keyring;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::Stream;
use kernel::{Entropy, ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// What a secret is for, which is also its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// An agent's or a connection's client secret.
    Client,
    /// An API token.
    ApiToken,
    /// A set-up or recovery secret.
    Setup,
}

impl SecretKind {
    /// The prefix before the first underscore.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Client => "cda",
            Self::ApiToken => "cdt",
            Self::Setup => "cdu",
        }
    }
}

/// A secret that was just made: the text to show once, and what to store.
pub struct Minted {
    /// The text to show once.
    pub text: SecretString,
    /// The eight characters by which it is found.
    pub key_id: String,
    /// The keyed hash.
    pub hash: String,
}

/// A secret as somebody presents it, well formed but not yet believed.
pub struct Presented<'a> {
    /// The eight characters by which it is found.
    pub key_id: &'a str,
    secret: &'a str,
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes a secret bound to the row that will store its hash.
pub fn mint(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    kind: SecretKind,
    stream: Stream,
    row: [u8; 16],
) -> Minted {
    let letters: [u8; 8] = entropy.bytes();
    let letter = |byte: u8| {
        ALPHABET
            .get(usize::from(byte & 31))
            .copied()
            .map_or('0', char::from)
    };
    let key_id: String = letters.into_iter().map(letter).collect();
    let secret = B64URL.encode(entropy.bytes::<32>());
    let body = format!("{}_{key_id}_{secret}", kind.prefix());
    let text = format!("{body}_{}", checksum(&body));
    let hash = keyring.hash_secret(kind.prefix(), stream, row, secret.as_bytes());
    Minted {
        text: SecretString::from(text),
        key_id,
        hash,
    }
}

/// Reads a presented secret. A typing error is told apart from a wrong secret by nobody but the checksum.
pub fn parse(kind: SecretKind, text: &str) -> Option<Presented<'_>> {
    let (body, check) = text
        .rsplit_once('_')
        .filter(|(_, check)| check.len() == 6)?;
    let rest = body.strip_prefix(kind.prefix())?.strip_prefix('_')?;
    let (key_id, secret) = rest.split_once('_')?;
    let known = key_id.len() == 8 && key_id.bytes().all(|b| ALPHABET.contains(&b));
    (known && secret.len() == 43 && checksum(body) == check).then_some(Presented { key_id, secret })
}

/// Whether a presented secret is the one whose hash is stored. With nothing stored the same work is done
/// and the answer is no, so that time does not tell whether a key id exists.
pub fn verify(
    keyring: &Keyring,
    kind: SecretKind,
    stream: Stream,
    stored: Option<([u8; 16], &str)>,
    presented: &Presented<'_>,
) -> bool {
    let nobody = "0".repeat(64);
    let (row, hash) = stored.unwrap_or(([0; 16], &nobody));
    let computed = keyring.hash_secret(kind.prefix(), stream, row, presented.secret.as_bytes());
    let equal = bool::from(computed.as_bytes().ct_eq(hash.as_bytes()));
    equal && stored.is_some()
}

/// CRC-32 of everything before it, six characters of base 62.
fn checksum(body: &str) -> String {
    let mut value = crc32fast::hash(body.as_bytes());
    let mut out = [b'0'; 6];
    for slot in out.iter_mut().rev() {
        *slot = BASE62
            .get(usize::try_from(value % 62).unwrap_or(0))
            .copied()
            .unwrap_or(b'0');
        value /= 62;
    }
    out.into_iter().map(char::from).collect()
}

impl Minted {
    /// The text, for the one answer that carries it.
    pub fn reveal(&self) -> String {
        self.text.expose_secret().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::ambient::SystemEntropy;

    #[test]
    fn a_secret_reads_back_and_only_it_verifies() {
        let keyring = Keyring::new(&[1; 32]).unwrap();
        let stream = Stream::from_bytes([9; 16]);
        let made = mint(
            &keyring,
            &SystemEntropy,
            SecretKind::Client,
            stream,
            [2; 16],
        );
        let text = made.reveal();
        let read = parse(SecretKind::Client, &text).unwrap();
        let check = |stream, row, hash| {
            verify(
                &keyring,
                SecretKind::Client,
                stream,
                Some((row, hash)),
                &read,
            )
        };
        assert_eq!(read.key_id, made.key_id);
        assert!(check(stream, [2; 16], &made.hash));
        assert!(
            !check(stream, [3; 16], &made.hash),
            "a hash swapped between rows"
        );
        assert!(
            !check(Stream::INSTANCE, [2; 16], &made.hash),
            "another organization"
        );
        assert!(!verify(&keyring, SecretKind::Client, stream, None, &read));
        assert!(parse(SecretKind::ApiToken, &text).is_none(), "another kind");
        for place in [0, 5, 20, text.len() - 1] {
            let mut wrong = text.clone().into_bytes();
            wrong[place] = if wrong[place] == b'x' { b'y' } else { b'x' };
            assert!(
                parse(SecretKind::Client, std::str::from_utf8(&wrong).unwrap()).is_none(),
                "typing error at {place}"
            );
        }
    }
}
