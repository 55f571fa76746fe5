//! Revocation (RFC 7009): an agent gives back one of its own tokens. An unknown or foreign token is 200 and
//! changes nothing.

use super::{Basic, Client, ClientForm, OAuthError, client, verify};
use crate::{Act, Peer, Platform, audit, revocation::GiveBack};
use domain::{Principal, Stream};
use kernel::Timestamp;
use proto::oauth::ErrorName;
use serde::Deserialize;
use serde_json::json;
use store::Plan;

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
    let end = Timestamp::from_seconds(own.claims.exp);
    let given = GiveBack::new(&view, &agent, own.jti, end);
    let act = Act::delete("token.revoked")
        .on_text("token", own.claims.jti.clone())
        .by(Principal::Agent(agent.id), method);
    let act = match given.folded() {
        (0, _) => act,
        (folded, everything) => act.after(json!({ "folded": folded, "everything": everything })),
    };
    let stream = Stream::org(view.id());
    let entry = audit::prepare(platform, stream, None, peer, act).await?;
    platform
        .node
        .commit(Plan::new(stream).urgent(), move |tx| {
            given.write(tx, stream)?;
            tx.entry(stream, entry.clone())
        })
        .await
        .map_err(crate::Error::from)?;
    Ok(())
}
