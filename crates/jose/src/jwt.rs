//! Compact signed tokens: the checks between text and trusted claims (RFC 7515, RFC 7519, RFC 8725).
//! Knows no clock and no audience, fetches no key that a token points to, and never unseals a JWE.

use crate::verifying::{KeySet, VerifyingKey};
use crate::{Algorithm, Error, strict};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use std::collections::BTreeMap;

/// Header members by which a token would choose its own key (RFC 7515 sections 4.1.2 to 4.1.6).
const EMBEDDED: [&str; 4] = ["jku", "jwk", "x5u", "x5c"];

/// What one place accepts.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// Accepted `typ` values, compared without case; a token may write them with the prefix
    /// `application/` (RFC 7515 section 4.1.9). The empty text stands for a token without `typ`.
    pub typ: &'static [&'static str],
    /// Accepted algorithms.
    pub algorithms: &'static [Algorithm],
    /// Longest token in bytes.
    pub max_bytes: usize,
}

/// The protected header of a verified token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The algorithm, which is that of the key.
    pub alg: Algorithm,
    /// The type as the token wrote it.
    pub typ: Option<String>,
    /// The key that verified it.
    pub kid: String,
}

/// A token whose signature and header have been checked; its claims have not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The checked header.
    pub header: Header,
    /// The signed octets, expected to be a JSON object; read them with [`parse_claims`].
    pub claims: Vec<u8>,
}

/// Verifies `token` with the key of `keys` that it names, within `policy`.
pub fn verify_jwt(token: &str, keys: &KeySet, policy: &Policy) -> Result<Verified, Error> {
    if token.len() > policy.max_bytes {
        return Err(Error::Oversize {
            limit: policy.max_bytes,
        });
    }
    let (message, signature) = token.rsplit_once('.').ok_or(Error::Parts)?;
    let (header, payload) = message.split_once('.').ok_or(Error::Parts)?;
    if payload.contains('.') {
        return Err(Error::Parts);
    }
    let (header, key) = accept(read_header(&strict::decode(header)?)?, keys, policy)?;
    key.verify(message.as_bytes(), &strict::decode(signature)?)?;
    Ok(Verified {
        header,
        claims: strict::decode(payload)?,
    })
}

/// Reads the claims of a verified token as `T`, refusing repeated members at any depth.
pub fn parse_claims<T: DeserializeOwned>(verified: &Verified) -> Result<T, Error> {
    strict::require_object(&verified.claims, Error::ClaimsNotObject)?;
    serde_json::from_slice(&verified.claims).map_err(|_| Error::ClaimsMalformed)
}

/// The header as the token wrote it.
#[derive(Deserialize)]
struct Wire {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(flatten)]
    others: BTreeMap<String, IgnoredAny>,
}

fn read_header(json: &[u8]) -> Result<Wire, Error> {
    strict::require_object(json, Error::HeaderMalformed)?;
    let wire: Wire = serde_json::from_slice(json).map_err(|_| Error::HeaderMalformed)?;
    if wire.others.contains_key("crit") {
        return Err(Error::Critical);
    }
    match EMBEDDED
        .into_iter()
        .find(|name| wire.others.contains_key(*name))
    {
        Some(name) => Err(Error::EmbeddedKey(name)),
        None => Ok(wire),
    }
}

/// Holds the header against the policy and the key it names.
fn accept<'k>(
    wire: Wire,
    keys: &'k KeySet,
    policy: &Policy,
) -> Result<(Header, &'k VerifyingKey), Error> {
    let alg = accept_algorithm(&wire.alg, policy)?;
    accept_type(wire.typ.as_deref(), policy)?;
    let kid = wire.kid.ok_or(Error::KidMissing)?;
    let key = keys.find(&kid).ok_or(Error::KidUnknown)?;
    if key.algorithm() != alg {
        return Err(Error::AlgorithmMismatch(key.algorithm()));
    }
    Ok((
        Header {
            alg,
            typ: wire.typ,
            kid,
        },
        key,
    ))
}

fn accept_algorithm(name: &str, policy: &Policy) -> Result<Algorithm, Error> {
    if name.eq_ignore_ascii_case("none") {
        return Err(Error::AlgorithmNone);
    }
    let alg = Algorithm::parse(name).ok_or(Error::AlgorithmUnsupported)?;
    if policy.algorithms.contains(&alg) {
        Ok(alg)
    } else {
        Err(Error::AlgorithmRefused(alg))
    }
}

fn accept_type(typ: Option<&str>, policy: &Policy) -> Result<(), Error> {
    const PREFIX: &str = "application/";
    let accepted = match typ {
        None => policy.typ.contains(&""),
        Some(typ) => {
            let short = match typ.split_at_checked(PREFIX.len()) {
                Some((prefix, short)) if prefix.eq_ignore_ascii_case(PREFIX) => short,
                _ => typ,
            };
            let named = policy.typ.iter().filter(|name| !name.is_empty());
            named
                .into_iter()
                .any(|name| name.eq_ignore_ascii_case(short))
        }
    };
    if accepted { Ok(()) } else { Err(Error::Type) }
}
