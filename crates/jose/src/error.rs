//! Every refusal of this crate, one variant each, so that callers and tests can tell them apart.
//! Messages never contain token text or key material: they may be logged and shown.

use crate::Algorithm;

/// Why a key, a token or an assertion was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The token is longer than the policy allows; checked before anything is decoded.
    #[error("token is longer than {limit} bytes; send fewer claims")]
    Oversize {
        /// The limit in bytes.
        limit: usize,
    },
    /// Not `header.payload.signature`; a JWE has five parts and is refused here too.
    #[error("token must have exactly three parts; send a compact signed token")]
    Parts,
    /// Padding, a foreign character or non-zero trailing bits (RFC 4648 section 3.5).
    #[error("value is not canonical base64url; encode it without padding")]
    Encoding,
    /// The header is not a JSON object with a text `alg`.
    #[error("token header must be a json object with a text alg; sign the token again")]
    HeaderMalformed,
    /// A JSON object names a member twice (RFC 8725 section 2.6).
    #[error("json object repeats a member; send each member once")]
    DuplicateMember,
    /// `alg` is `none` in any spelling.
    #[error("unsigned tokens are refused; sign with EdDSA, ES256 or RS256")]
    AlgorithmNone,
    /// `alg` has no variant here.
    #[error("algorithm is not supported; use EdDSA, ES256 or RS256")]
    AlgorithmUnsupported,
    /// The policy at this place does not accept the algorithm.
    #[error("algorithm {0} is not accepted here; use one that the server announces")]
    AlgorithmRefused(Algorithm),
    /// The token names another algorithm than its key has (RFC 8725 section 3.1).
    #[error("algorithm is not that of the key; its key signs with {0}")]
    AlgorithmMismatch(Algorithm),
    /// The header has a `crit` member; no extension is understood (RFC 7515 section 4.1.11).
    #[error("token header marks extensions as critical; sign without crit")]
    Critical,
    /// The header brings or points to its own key.
    #[error("token header must not carry {0}; register the key and name it with kid")]
    EmbeddedKey(&'static str),
    /// The `typ` is not one that the policy accepts (RFC 8725 section 3.11).
    #[error("token type is not accepted here; send a token made for this purpose")]
    Type,
    /// The header has no `kid`.
    #[error("token header has no kid; name the signing key")]
    KidMissing,
    /// No key of the set has this `kid`.
    #[error("token names an unknown key; register its public key first")]
    KidUnknown,
    /// The signature does not verify.
    #[error("signature does not verify; sign with the registered key")]
    Signature,
    /// The claims are not a JSON object.
    #[error("claims must be a json object; serialize a map or struct")]
    ClaimsNotObject,
    /// A claim is missing or has the wrong JSON type.
    #[error("claims do not have the expected shape; check names and types")]
    ClaimsMalformed,

    /// The document is not a JWK or JWK set at all.
    #[error("key is not a json web key; send an object as in RFC 7517")]
    JwkMalformed,
    /// A JWK with private or symmetric members.
    #[error("key contains private members; send only its public half and replace the key")]
    PrivateMember,
    /// Another key type or curve.
    #[error("key type is not supported; use Ed25519, P-256 or RSA")]
    KeyUnsupported,
    /// A member is missing or has the wrong length, or the point is not on the curve.
    #[error("key is malformed; export it again")]
    KeyMalformed,
    /// RSA outside 2048 to 8192 bits or with an exponent outside 17 to 32 bits, or a small-order Ed25519 point.
    #[error("key is too weak; use Ed25519, P-256 or RSA of 2048 to 8192 bits")]
    KeyWeak,
    /// `use` or `key_ops` forbid verifying with this key.
    #[error("key is not meant for signatures; register one with use sig")]
    KeyUse,
    /// The private key document could not be read for this algorithm.
    #[error("private key is not pkcs8 of the expected algorithm; generate it again")]
    PrivateKeyRejected,
    /// The library could not make a key.
    #[error("key could not be generated; try again")]
    Generation,
    /// The library could not sign.
    #[error("message could not be signed; check the signing key")]
    Signing,

    /// `iss` or `sub` of an assertion is not the client (RFC 7523 section 3).
    #[error("assertion must have the client id as iss and sub")]
    AssertionClient,
    /// `aud` is missing, or names anyone but this server.
    #[error("assertion must have only this server as aud; use its issuer url")]
    AssertionAudience,
    /// `exp` is in the past.
    #[error("assertion has expired; sign a new one")]
    AssertionExpired,
    /// `exp` is further away than allowed.
    #[error("assertion lives too long; choose an earlier exp")]
    AssertionLifetime,
    /// `nbf` or `iat` is in the future.
    #[error("assertion is not valid yet; check the clock of the client")]
    AssertionNotYetValid,
    /// `jti` is missing, empty or over 256 bytes.
    #[error("assertion needs a jti of 1 to 256 bytes; make one for each assertion")]
    AssertionId,
}
