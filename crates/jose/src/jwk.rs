//! Public keys as JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).
//! Never holds a private or symmetric member: a document with one is refused as a whole, because
//! its owner has just published a secret.

use crate::{Algorithm, Error, strict};
use aws_lc_rs::digest;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Members that only a private (RFC 7518 section 6) or symmetric key has.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The key itself, in octets; the JSON form is canonical base64url of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// `kty` OKP, `crv` Ed25519.
    Ed25519 {
        /// The encoded point, 32 octets.
        x: [u8; 32],
    },
    /// `kty` EC, `crv` P-256.
    P256 {
        /// Big-endian coordinate, 32 octets.
        x: [u8; 32],
        /// Big-endian coordinate, 32 octets.
        y: [u8; 32],
    },
    /// `kty` RSA.
    Rsa {
        /// Big-endian modulus without leading zero.
        n: Vec<u8>,
        /// Big-endian exponent without leading zero.
        e: Vec<u8>,
    },
}

/// One public key with the members that say how it may be used. Unknown members are ignored
/// (RFC 7517 section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Jwk {
    /// The key.
    pub key: PublicKey,
    /// Key identifier, opaque text.
    pub kid: Option<String>,
    /// `alg`: the one algorithm the key is for, by its JOSE name.
    pub alg: Option<String>,
    /// `use`: `sig` or `enc`.
    pub use_: Option<String>,
    /// `key_ops`, such as `verify`.
    pub key_ops: Option<Vec<String>>,
}

/// A set of public keys. On reading, keys of unknown type or curve are left out (RFC 7517
/// section 5); a private member anywhere refuses the set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "WireSet")]
pub struct JwkSet {
    /// The keys in the order of the document.
    pub keys: Vec<Jwk>,
}

impl Jwk {
    /// Reads one JWK document, refusing repeated members; distinct errors, unlike serde's.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        strict::require_object(json, Error::JwkMalformed)?;
        let wire: Wire = serde_json::from_slice(json).map_err(|_| Error::JwkMalformed)?;
        wire.try_into()
    }

    /// The SHA-256 thumbprint in base64url (RFC 7638 section 3): equal for equal keys, whatever
    /// their `kid`.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let wire = self.key.wire();
        // Required members only, in lexicographic order; every value is base64url or a fixed name.
        let required = [
            ("crv", wire.crv),
            ("e", wire.e),
            ("kty", Some(wire.kty)),
            ("n", wire.n),
            ("x", wire.x),
            ("y", wire.y),
        ];
        let members = required
            .into_iter()
            .filter_map(|(name, value)| Some(format!(r#""{name}":"{}""#, value?)));
        let text = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
        strict::encode(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
    }

    /// The algorithm that this key signs with; each key type here has exactly one.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.key {
            PublicKey::Ed25519 { .. } => Algorithm::EdDSA,
            PublicKey::P256 { .. } => Algorithm::ES256,
            PublicKey::Rsa { .. } => Algorithm::RS256,
        }
    }
}

impl JwkSet {
    /// Reads a JWK set document, refusing repeated members; distinct errors, unlike serde's.
    pub fn parse(json: &[u8]) -> Result<Self, Error> {
        strict::require_object(json, Error::JwkMalformed)?;
        let wire: WireSet = serde_json::from_slice(json).map_err(|_| Error::JwkMalformed)?;
        wire.try_into()
    }
}

impl PublicKey {
    /// The members that make up the key, and only they.
    fn wire(&self) -> Wire {
        let text = |octets: &[u8]| Some(strict::encode(octets));
        let mut wire = Wire::default();
        match self {
            Self::Ed25519 { x } => {
                wire.kty = "OKP".into();
                wire.crv = Some("Ed25519".into());
                wire.x = text(x);
            }
            Self::P256 { x, y } => {
                wire.kty = "EC".into();
                wire.crv = Some("P-256".into());
                wire.x = text(x);
                wire.y = text(y);
            }
            Self::Rsa { n, e } => {
                wire.kty = "RSA".into();
                wire.n = text(n);
                wire.e = text(e);
            }
        }
        wire
    }
}

/// The JSON form.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Wire {
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    use_: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_ops: Option<Vec<String>>,
    #[serde(flatten, skip_serializing)]
    others: BTreeMap<String, IgnoredAny>,
}

impl From<Jwk> for Wire {
    fn from(jwk: Jwk) -> Self {
        Self {
            kid: jwk.kid,
            alg: jwk.alg,
            use_: jwk.use_,
            key_ops: jwk.key_ops,
            ..jwk.key.wire()
        }
    }
}

impl TryFrom<Wire> for Jwk {
    type Error = Error;

    fn try_from(wire: Wire) -> Result<Self, Error> {
        if PRIVATE.iter().any(|name| wire.others.contains_key(*name)) {
            return Err(Error::PrivateMember);
        }
        let key = match (wire.kty.as_str(), wire.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => PublicKey::Ed25519 {
                x: coordinate(wire.x)?,
            },
            ("EC", Some("P-256")) => PublicKey::P256 {
                x: coordinate(wire.x)?,
                y: coordinate(wire.y)?,
            },
            ("RSA", _) => PublicKey::Rsa {
                n: unsigned(wire.n)?,
                e: unsigned(wire.e)?,
            },
            _ => return Err(Error::KeyUnsupported),
        };
        Ok(Self {
            key,
            kid: wire.kid,
            alg: wire.alg,
            use_: wire.use_,
            key_ops: wire.key_ops,
        })
    }
}

/// The JSON form of a set.
#[derive(Deserialize)]
struct WireSet {
    keys: Vec<Wire>,
}

impl TryFrom<WireSet> for JwkSet {
    type Error = Error;

    fn try_from(wire: WireSet) -> Result<Self, Error> {
        let keys = wire.keys.into_iter().map(Jwk::try_from);
        let keys = keys.filter(|key| !matches!(key, Err(Error::KeyUnsupported)));
        Ok(Self {
            keys: keys.collect::<Result<_, _>>()?,
        })
    }
}

/// A fixed-length octet string, full length required (RFC 7518 section 6.2.1.2).
fn coordinate(text: Option<String>) -> Result<[u8; 32], Error> {
    let octets = strict::decode(&text.ok_or(Error::KeyMalformed)?)?;
    octets.try_into().map_err(|_| Error::KeyMalformed)
}

/// A Base64urlUInt: no leading zero octet (RFC 7518 section 2), so that thumbprints are unique.
fn unsigned(text: Option<String>) -> Result<Vec<u8>, Error> {
    let octets = strict::decode(&text.ok_or(Error::KeyMalformed)?)?;
    match octets.first() {
        Some(first) if *first != 0 => Ok(octets),
        _ => Err(Error::KeyMalformed),
    }
}
