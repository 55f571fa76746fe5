//! Revocation (RFC 7009): an agent gives back one of its own tokens. An unknown or foreign token is 200 and
//! changes nothing.

use super::{Basic, Client, ClientForm, OAuthError, client, verify};
use crate::{Act, Peer, Platform, audit};
use domain::{Principal, Revocation, RevocationCore, Stream};
use kernel::{Micros, Timestamp};
use proto::oauth::ErrorName;
use serde::Deserialize;
use store::Plan;

/// Kept past the end of anything the node could have issued (REV-5).
pub(crate) const KEPT_AFTER_END: Micros = Micros::days(1);

/// A revocation request.
#[derive(Clone, Deserialize)]
pub struct RevokeRequest {
    /// The token to give back.
    pub token: Option<String>,
    /// Who asks.
    #[serde(flatten)]
    pub client: ClientForm,
}

/// Answers a revocation request.
///
/// # Errors
/// `invalid_client` when the caller is unknown, `invalid_request` without a token.
pub async fn revoke(
    platform: &Platform,
    org: &str,
    peer: &Peer,
    basic: Option<&Basic>,
    request: &RevokeRequest,
) -> Result<(), OAuthError> {
    let view = platform.node.view_of(org).await?;
    let client = client::authenticate(platform, &view, peer, basic, &request.client).await?;
    client::spend(platform, &view, peer, &client).await?;
    let Some(token) = request.token.as_deref().filter(|token| !token.is_empty()) else {
        return Err(OAuthError::new(
            ErrorName::InvalidRequest,
            "`token` is required",
        ));
    };
    let Client::Agent { agent, method, .. } = client else {
        return Ok(());
    };
    let Some(own) = verify(platform, &view, token).filter(|v| v.claims.sub == agent.id) else {
        return Ok(());
    };
    let until = Timestamp::from_seconds(own.claims.exp).plus(KEPT_AFTER_END);
    let revocation = Revocation {
        core: RevocationCore {
            node: own.jti,
            until,
        },
        revoked_at: view.now,
    };
    let act = Act::delete("token.revoked")
        .on_text("token", own.claims.jti.clone())
        .by(Principal::Agent(agent.id), method);
    let stream = Stream::org(view.id());
    let entry = audit::prepare(platform, stream, None, peer, act).await?;
    platform
        .node
        .commit(Plan::new(stream).urgent(), move |tx| {
            tx.put(stream, &revocation)?;
            tx.entry(stream, entry.clone())
        })
        .await
        .map_err(crate::Error::from)?;
    Ok(())
}
