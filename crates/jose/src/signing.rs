//! Private keys parsed once and the tokens they sign.
//! A signature never parses a key or a header again, and no key material is ever printed.

use crate::jwk::{Jwk, PublicKey};
use crate::verifying::VerifyingKey;
use crate::{Algorithm, Error, strict};
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};
use serde::Serialize;
use std::fmt;

/// The type whose header is prepared with the key (RFC 9068 section 2.1).
const PREPARED: &str = "at+jwt";

/// A parsed private key. May be used from many threads at once.
pub struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    kid: String,
    /// The encoded header of an access token with its dot.
    prepared: String,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

impl SigningKey {
    /// Makes a key with the library's own generator (RSA: 2048 bits) and returns it with its
    /// PKCS#8 DER, which is secret: seal it before it is stored. The `kid` is the thumbprint.
    pub fn generate(alg: Algorithm) -> Result<(Self, Vec<u8>), Error> {
        let (pair, der) = Pair::generate(alg).map_err(|_| Error::Generation)?;
        let kid = pair.public_jwk()?.thumbprint();
        Ok((Self::new(pair, kid)?, der))
    }

    /// Parses an unencrypted PKCS#8 DER document of a key for `alg`.
    pub fn from_pkcs8(alg: Algorithm, der: &[u8], kid: String) -> Result<Self, Error> {
        let pair = match alg {
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(der).map(Pair::Ed25519),
            Algorithm::ES256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::P256)
            }
            Algorithm::RS256 => RsaKeyPair::from_pkcs8(der).map(Pair::Rsa),
        };
        Self::new(pair.map_err(|_| Error::PrivateKeyRejected)?, kid)
    }

    fn new(pair: Pair, kid: String) -> Result<Self, Error> {
        let public = pair.public_jwk()?;
        let jwk = Jwk {
            alg: Some(public.algorithm().as_str().into()),
            kid: Some(kid.clone()),
            use_: Some("sig".into()),
            ..public
        };
        let prepared = header(jwk.algorithm(), PREPARED, &kid)?;
        Ok(Self {
            pair,
            jwk,
            kid,
            prepared,
        })
    }

    /// The identifier that tokens name this key by.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm of every signature by this key.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.jwk.algorithm()
    }

    /// The public half for a JWK set, with `kid`, `alg` and `use: sig`.
    #[must_use]
    pub fn public_jwk(&self) -> Jwk {
        self.jwk.clone()
    }

    /// The public half, parsed for verifying.
    pub fn verifying_key(&self) -> Result<VerifyingKey, Error> {
        VerifyingKey::from_jwk(&self.jwk)
    }

    /// Signs `message`; an ES256 signature is `r || s` in 64 bytes (RFC 7518 section 3.4).
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.pair.sign(message)
    }

    /// Signs `claims`, the text of one JSON object that the caller has serialized, as a compact
    /// token of type `typ` (RFC 7519 section 7.1).
    pub fn sign_jwt(&self, typ: &str, claims: &[u8]) -> Result<String, Error> {
        if claims.first() != Some(&b'{') || claims.last() != Some(&b'}') {
            return Err(Error::ClaimsNotObject);
        }
        if typ == PREPARED {
            return self.complete(&self.prepared, claims);
        }
        self.complete(&header(self.algorithm(), typ, &self.kid)?, claims)
    }

    fn complete(&self, header: &str, claims: &[u8]) -> Result<String, Error> {
        let payload = strict::encoded_len(claims.len());
        let signature = strict::encoded_len(self.pair.signature_len());
        let mut token = String::with_capacity(header.len() + payload + 1 + signature);
        token.push_str(header);
        strict::encode_into(claims, &mut token);
        let signature = self.pair.sign(token.as_bytes())?;
        token.push('.');
        strict::encode_into(&signature, &mut token);
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

impl Pair {
    fn generate(alg: Algorithm) -> Result<(Self, Vec<u8>), aws_lc_rs::error::Unspecified> {
        Ok(match alg {
            Algorithm::EdDSA => {
                let pair = Ed25519KeyPair::generate()?;
                let der = pair.to_pkcs8v1()?.as_ref().to_vec();
                (Self::Ed25519(pair), der)
            }
            Algorithm::ES256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
                let der = pair.to_pkcs8v1()?.as_ref().to_vec();
                (Self::P256(pair), der)
            }
            Algorithm::RS256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
                let der = pair.as_der()?.as_ref().to_vec();
                (Self::Rsa(pair), der)
            }
        })
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        // The library draws its nonces itself and ignores the generator it asks for.
        let random = SystemRandom::new();
        let signed = match self {
            Self::Ed25519(pair) => pair.try_sign(message).map(|s| s.as_ref().to_vec()),
            Self::P256(pair) => pair.sign(&random, message).map(|s| s.as_ref().to_vec()),
            Self::Rsa(pair) => {
                let mut signature = vec![0; self.signature_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map(|()| signature)
            }
        };
        signed.map_err(|_| Error::Signing)
    }

    fn signature_len(&self) -> usize {
        match self {
            Self::Ed25519(_) | Self::P256(_) => 64,
            Self::Rsa(pair) => pair.public_modulus_len(),
        }
    }

    fn public_jwk(&self) -> Result<Jwk, Error> {
        let key = match self {
            Self::Ed25519(pair) => pair
                .public_key()
                .as_ref()
                .try_into()
                .map(|x| PublicKey::Ed25519 { x }),
            Self::P256(pair) => p256(pair.public_key().as_ref()),
            Self::Rsa(pair) => Ok(PublicKey::Rsa {
                n: pair
                    .public_key()
                    .modulus()
                    .big_endian_without_leading_zero()
                    .to_vec(),
                e: pair
                    .public_key()
                    .exponent()
                    .big_endian_without_leading_zero()
                    .to_vec(),
            }),
        };
        let key = key.map_err(|_| Error::PrivateKeyRejected)?;
        Ok(Jwk {
            key,
            kid: None,
            alg: None,
            use_: None,
            key_ops: None,
        })
    }
}

/// Reads an uncompressed point, `04 || x || y` (SEC 1 section 2.3.3).
fn p256(point: &[u8]) -> Result<PublicKey, std::array::TryFromSliceError> {
    let (x, y) = point
        .strip_prefix(&[4])
        .and_then(|xy| xy.split_at_checked(32))
        .unwrap_or_default();
    Ok(PublicKey::P256 {
        x: x.try_into()?,
        y: y.try_into()?,
    })
}

/// The encoded protected header with its dot.
fn header(alg: Algorithm, typ: &str, kid: &str) -> Result<String, Error> {
    #[derive(Serialize)]
    struct Wire<'a> {
        alg: Algorithm,
        typ: &'a str,
        kid: &'a str,
    }
    let json = serde_json::to_vec(&Wire { alg, typ, kid }).map_err(|_| Error::Signing)?;
    Ok(strict::encode(&json) + ".")
}
