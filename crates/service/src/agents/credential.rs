//! Credentials of agents and connections as they are made: a secret whose text is shown once, or public keys that
//! were checked. Nothing here is stored; that happens in the commit of whoever asked.

use crate::{
    Cx, Error, Result,
    secret::{self, Minted, SecretKind},
};
use domain::{AgentKey, AuthMethod, GrantId, Holder, Secret, SecretCore, SecretState};
use jose::{JwkSet, VerifyingKey};
use kernel::{Grant, Id};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeSet;

const KEYS: usize = 5;
const ATTEMPTS: usize = 4;

/// How an agent is to authenticate.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthInput {
    /// The method.
    pub method: AuthMethod,
    /// Its public keys (RFC 7517), 1 to 5, each with a `kid`; for `private_key_jwt` only.
    #[serde(default)]
    pub jwks: Option<serde_json::Value>,
}

impl AuthInput {
    /// The keys to keep; none for a secret.
    ///
    /// # Errors
    /// `invalid_input` on `auth.jwks`.
    pub(super) fn keys(&self) -> Result<Vec<AgentKey>> {
        match (self.method, &self.jwks) {
            (AuthMethod::ClientSecret, None) => Ok(Vec::new()),
            (AuthMethod::ClientSecret, Some(_)) => {
                Err(wrong("belongs to `private_key_jwt`; leave it out"))
            }
            (AuthMethod::PrivateKeyJwt, None) => {
                Err(wrong("is required; send a JWK set with the public keys"))
            }
            (AuthMethod::PrivateKeyJwt, Some(jwks)) => public_keys(jwks),
        }
    }
}

fn wrong(detail: impl Into<String>) -> Error {
    Error::invalid("auth.jwks", detail)
}

fn public_keys(document: &serde_json::Value) -> Result<Vec<AgentKey>> {
    let set =
        JwkSet::parse(document.to_string().as_bytes()).map_err(|error| wrong(error.to_string()))?;
    if !(1..=KEYS).contains(&set.keys.len()) {
        return Err(wrong(format!(
            "must hold 1 to {KEYS} keys of type OKP (Ed25519), EC (P-256) or RSA"
        )));
    }
    let mut seen = BTreeSet::new();
    let read = set.keys.iter().map(|jwk| {
        VerifyingKey::from_jwk(jwk).map_err(|error| wrong(error.to_string()))?;
        let kid = jwk
            .kid
            .clone()
            .filter(|kid| (1..=128).contains(&kid.len()) && !kid.contains('\0'));
        let kid = kid.ok_or_else(|| wrong("must give each key a `kid` of 1 to 128 bytes"))?;
        if !seen.insert(kid.clone()) {
            return Err(wrong("must give each key a `kid` of its own"));
        }
        let jwk = serde_json::to_string(jwk).map_err(Error::internal)?;
        Ok(AgentKey { kid, jwk })
    });
    read.collect()
}

/// A new secret: the text to show once and the row that will know it. Its key id is used by no other secret of
/// the organization, since a key id is how a secret is found.
///
/// # Errors
/// When no free key id is found, which eight random letters make all but impossible.
pub(crate) fn new_secret(cx: &Cx, holder: Holder, id: Id<Grant>) -> Result<(Secret, Minted)> {
    let (platform, view, stream) = (&cx.platform, cx.view()?, cx.stream()?);
    let mint = || {
        secret::mint(
            &platform.keyring,
            &*platform.entropy,
            SecretKind::Client,
            stream,
            id.bytes(),
        )
    };
    let free = |minted: &Minted| view.org.secret(&minted.key_id).is_none();
    let minted = std::iter::repeat_with(mint).take(ATTEMPTS).find(free);
    let minted = minted.ok_or_else(|| Error::internal("no free key id"))?;
    let core = SecretCore {
        id,
        key_id: minted.key_id.clone(),
        holder,
        hash: minted.hash.clone(),
        grant: GrantId::generate(&*platform.entropy),
        state: SecretState::Active,
        created_at: view.now,
        not_after: None,
    };
    Ok((Secret { core }, minted))
}

/// Puts a secret into the one answer that carries it: not into a repeated one, nor into one that was not kept.
pub(crate) fn deliver(
    cx: &Cx,
    replayed: bool,
    secret: Option<String>,
) -> (Option<String>, Option<bool>) {
    let had_one = secret.is_some();
    let shown = secret.filter(|_| !replayed && !cx.envelope.dry_run);
    (shown, (replayed && had_one).then_some(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keys(jwks: serde_json::Value) -> Result<Vec<AgentKey>> {
        AuthInput {
            method: AuthMethod::PrivateKeyJwt,
            jwks: Some(jwks),
        }
        .keys()
    }

    #[test]
    fn keys_are_public_named_once_and_few() {
        // RFC 8037 appendix A.2.
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let key = |kid: &str| json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid });
        assert_eq!(
            keys(json!({ "keys": [key("a"), key("b")] })).unwrap().len(),
            2
        );
        for refused in [
            json!({ "keys": [] }),
            json!({ "keys": [key("a"), key("a")] }),
            json!({ "keys": [key("")] }),
            json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x }] }),
            json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": "a", "d": x }] }),
            json!({ "keys": (0..6).map(|n| key(&n.to_string())).collect::<Vec<_>>() }),
            json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "a" }] }),
            json!([]),
        ] {
            assert!(keys(refused.clone()).is_err(), "{refused}");
        }
        let stray = AuthInput {
            method: AuthMethod::ClientSecret,
            jwks: Some(json!({ "keys": [] })),
        };
        assert!(stray.keys().is_err());
    }
}
