//! Client authentication by signed assertion, `private_key_jwt` (RFC 7523 section 3).
//! Does not remember: the caller keeps each `jti` until its `exp` plus the skew and refuses a second use.

use crate::jwt::{Policy, parse_claims, verify_jwt};
use crate::{Algorithm, Error, KeySet};
use serde::{Deserialize, Deserializer};

/// Assertions carry few claims; `typ` may be absent since RFC 7523 names none.
const POLICY: Policy = Policy {
    typ: &["", "JWT", "client-authentication+jwt"],
    algorithms: Algorithm::ALL,
    max_bytes: 8 * 1024,
};

/// Longest `jti` in bytes: it becomes a row in the caller's memory of used ones.
const MAX_JTI: usize = 256;

/// What the token endpoint expects of an assertion.
#[derive(Clone, Copy, Debug)]
pub struct AssertionPolicy<'a> {
    /// The names of this server (issuer, token endpoint), compared octet by octet.
    pub audience: &'a [&'a str],
    /// The client that the request names.
    pub client_id: &'a str,
    /// The present, in seconds since the Unix epoch.
    pub now_unix: i64,
    /// Tolerated difference of clocks, in seconds.
    pub skew: i64,
    /// Longest remaining life, in seconds.
    pub max_life: i64,
}

/// An accepted assertion, with what the replay check needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its identifier, unique for the client until `exp`.
    pub jti: String,
    /// Its end, in seconds since the Unix epoch.
    pub exp: i64,
}

/// Verifies a client assertion with the keys of that client.
pub fn verify_client_assertion(
    token: &str,
    keys: &KeySet,
    policy: &AssertionPolicy<'_>,
) -> Result<Assertion, Error> {
    let claims: Claims = parse_claims(&verify_jwt(token, keys, &POLICY)?)?;
    if claims.iss != policy.client_id || claims.sub != policy.client_id {
        return Err(Error::AssertionClient);
    }
    check_audience(claims.aud.as_ref(), policy.audience)?;
    check_time(&claims, policy)?;
    match claims.jti {
        Some(jti) if (1..=MAX_JTI).contains(&jti.len()) => Ok(Assertion {
            jti,
            exp: claims.exp,
        }),
        _ => Err(Error::AssertionId),
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Option<Audience>,
    #[serde(deserialize_with = "numeric_date")]
    exp: i64,
    #[serde(default, deserialize_with = "optional_date")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "optional_date")]
    iat: Option<i64>,
    jti: Option<String>,
}

/// One name or several (RFC 7519 section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Every named audience must be us: an assertion that another server accepts as well could have
/// been made for that server and passed on to us.
fn check_audience(named: Option<&Audience>, ours: &[&str]) -> Result<(), Error> {
    let named = match named {
        Some(Audience::One(one)) => std::slice::from_ref(one),
        Some(Audience::Many(many)) => many.as_slice(),
        None => &[],
    };
    if !named.is_empty() && named.iter().all(|name| ours.contains(&name.as_str())) {
        Ok(())
    } else {
        Err(Error::AssertionAudience)
    }
}

fn check_time(claims: &Claims, policy: &AssertionPolicy<'_>) -> Result<(), Error> {
    let now = policy.now_unix;
    let latest = now.saturating_add(policy.skew);
    // "On or after" exp is too late (RFC 7519 section 4.1.4).
    if claims.exp.saturating_add(policy.skew) <= now {
        return Err(Error::AssertionExpired);
    }
    if claims.exp > latest.saturating_add(policy.max_life) {
        return Err(Error::AssertionLifetime);
    }
    if [claims.nbf, claims.iat]
        .into_iter()
        .flatten()
        .any(|start| start > latest)
    {
        return Err(Error::AssertionNotYetValid);
    }
    Ok(())
}

/// A NumericDate, whole or fractional (RFC 7519 section 2); fractions are rounded down.
fn numeric_date<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    // `as` saturates at the ends of i64, which are centuries out of any window above.
    let fractional = || number.as_f64().map(|seconds| seconds.floor() as i64);
    number
        .as_i64()
        .or_else(fractional)
        .ok_or_else(|| serde::de::Error::custom("not a numeric date"))
}

fn optional_date<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    numeric_date(from).map(Some)
}
