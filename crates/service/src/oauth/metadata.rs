//! Metadata of an organization's authorization server (RFC 8414, OpenID Connect Discovery) and its JWKS.
//! Every address in it comes from configuration, never from a request (I11).

use super::published;
use crate::{Error, Result};
use jose::{Jwk, JwkSet};
use live::View;
use proto::oauth::Metadata;

/// The metadata document; the same in each of its places.
pub fn metadata(view: &View) -> Metadata {
    let issuer = view.organization.issuer.clone();
    let texts = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let secrets = texts(&[
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
    ]);
    Metadata {
        token_endpoint: format!("{issuer}/oauth2/token"),
        jwks_uri: format!("{issuer}/jwks.json"),
        introspection_endpoint: format!("{issuer}/oauth2/introspect"),
        revocation_endpoint: format!("{issuer}/oauth2/revoke"),
        revocation_feed_endpoint: format!("{issuer}/revocations"),
        response_types_supported: Vec::new(),
        grant_types_supported: texts(&["client_credentials"]),
        token_endpoint_auth_methods_supported: secrets.clone(),
        token_endpoint_auth_signing_alg_values_supported: texts(&[
            "EdDSA", "Ed25519", "ES256", "RS256",
        ]),
        introspection_endpoint_auth_methods_supported: secrets.clone(),
        revocation_endpoint_auth_methods_supported: secrets,
        code_challenge_methods_supported: texts(&["S256"]),
        subject_types_supported: texts(&["public"]),
        id_token_signing_alg_values_supported: texts(&["EdDSA", "ES256"]),
        authorization_response_iss_parameter_supported: true,
        issuer,
    }
}

/// The public keys.
///
/// # Errors
/// When a stored key cannot be read.
pub fn jwks(view: &View) -> Result<JwkSet> {
    let keys = published(view).map(|core| serde_json::from_str::<Jwk>(&core.public));
    Ok(JwkSet {
        keys: keys
            .collect::<std::result::Result<_, _>>()
            .map_err(Error::internal)?,
    })
}
