//! Public keys parsed once for verifying, and sets of them by `kid`.
//! A key verifies with the one algorithm of its type; no caller and no token can choose another.

use crate::jwk::{Jwk, JwkSet, PublicKey};
use crate::{Algorithm, Error};
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use std::collections::HashMap;
use std::fmt;

/// A parsed public key. Cheap to clone; may be used from many threads at once.
#[derive(Clone)]
pub struct VerifyingKey {
    kid: String,
    algorithm: Algorithm,
    parsed: ParsedPublicKey,
}

impl VerifyingKey {
    /// Parses and checks a key: on the curve, strong enough, and meant for signatures. Without
    /// `kid` it is named by its thumbprint (RFC 7638).
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, Error> {
        let algorithm = jwk.algorithm();
        check_use(jwk, algorithm)?;
        Ok(Self {
            kid: jwk.kid.clone().unwrap_or_else(|| jwk.thumbprint()),
            algorithm,
            parsed: parse(&jwk.key)?,
        })
    }

    /// The identifier that tokens name this key by.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The only algorithm that this key verifies.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks `signature` over `message`; an ES256 signature is `r || s` in 64 bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        self.parsed
            .verify_sig(message, signature)
            .map_err(|_| Error::Signature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Parsed keys by `kid`.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: HashMap<String, VerifyingKey>,
}

impl KeySet {
    /// Indexes `keys`; where two share a `kid` the first one stays.
    #[must_use]
    pub fn new(keys: Vec<VerifyingKey>) -> Self {
        let mut set = Self::default();
        for key in keys {
            set.keys.entry(key.kid.clone()).or_insert(key);
        }
        set
    }

    /// Parses the signature keys of a JWK set. Keys for encryption and for algorithms not
    /// spoken here are left out; a weak or malformed one refuses the set.
    pub fn from_jwks(jwks: &JwkSet) -> Result<Self, Error> {
        let keys = jwks.keys.iter().map(VerifyingKey::from_jwk);
        let keys =
            keys.filter(|key| !matches!(key, Err(Error::KeyUse | Error::AlgorithmUnsupported)));
        Ok(Self::new(keys.collect::<Result<_, _>>()?))
    }

    /// The key of this `kid`, compared as opaque text: never a path, a query or an address.
    #[must_use]
    pub fn find(&self, kid: &str) -> Option<&VerifyingKey> {
        self.keys.get(kid)
    }
}

/// `use`, `key_ops` and `alg` narrow a key (RFC 7517 sections 4.2 to 4.4); they never widen it.
fn check_use(jwk: &Jwk, algorithm: Algorithm) -> Result<(), Error> {
    if jwk.use_.as_deref().is_some_and(|use_| use_ != "sig") {
        return Err(Error::KeyUse);
    }
    if let Some(operations) = &jwk.key_ops
        && !operations.iter().any(|operation| operation == "verify")
    {
        return Err(Error::KeyUse);
    }
    match jwk.alg.as_deref() {
        None => Ok(()),
        Some(name) if Algorithm::parse(name) == Some(algorithm) => Ok(()),
        Some(name) if Algorithm::parse(name).is_some() => Err(Error::AlgorithmMismatch(algorithm)),
        Some(_) => Err(Error::AlgorithmUnsupported),
    }
}

fn parse(key: &PublicKey) -> Result<ParsedPublicKey, Error> {
    let parsed = match key {
        PublicKey::Ed25519 { x } => {
            refuse_small_order(x)?;
            ParsedPublicKey::new(&signature::ED25519, x)
        }
        PublicKey::P256 { x, y } => {
            // SEC 1 section 2.3.3, uncompressed; parsing checks that the point is on the curve.
            let point = [&[4], x.as_slice(), y.as_slice()].concat();
            ParsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
        }
        PublicKey::Rsa { n, e } => {
            check_rsa(n, e)?;
            RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(&signature::RSA_PKCS1_2048_8192_SHA256)
        }
    };
    parsed.map_err(|_| Error::KeyMalformed)
}

/// RSA of 2048 to 8192 bits with an odd modulus and an odd exponent of 17 to 32 bits
/// (FIPS 186-5 section 5.1 asks for more than 2^16), so that a bad key fails on registration.
fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), Error> {
    let bits = |octets: &[u8]| {
        let leading = octets
            .first()
            .map_or(0, |first| first.leading_zeros() as usize);
        octets.len() * 8 - leading
    };
    let odd = |octets: &[u8]| octets.last().is_some_and(|last| last % 2 == 1);
    let strong = (2048..=8192).contains(&bits(n)) && (17..=32).contains(&bits(e));
    if strong && odd(n) && odd(e) {
        Ok(())
    } else {
        Err(Error::KeyWeak)
    }
}

/// Points whose order divides 8, canonical or not, without their sign bit. Under such a key one
/// signature fits many messages, so possession of the key proves nothing.
fn refuse_small_order(x: &[u8; 32]) -> Result<(), Error> {
    const ORDER_8: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let [low, middle @ .., high] = x;
    let high = high & 0x7f;
    // y = 0 or 1; y = -1, 0 or 1 written as p-1, p or p+1 with p = 2^255 - 19.
    let small = *low <= 1 && high == 0 && middle.iter().all(|octet| *octet == 0);
    let near_p = (0xec..=0xee).contains(low) && high == 0x7f && middle.iter().all(|o| *o == 0xff);
    let order_8 = ORDER_8
        .iter()
        .any(|[first, inner @ .., last]| (first, inner, *last) == (low, middle, high));
    if small || near_p || order_8 {
        Err(Error::KeyWeak)
    } else {
        Ok(())
    }
}
