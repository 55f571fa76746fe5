//! OAuth endpoints of each organization: token, introspection, revocation and its feed, metadata and keys.
//! Requests are read as the RFCs say and handed on; nothing is decided here.

pub(crate) mod basic;
mod endpoints;
mod feed;
mod form;
pub(crate) mod metadata;

use crate::door::Door;
use axum::{
    Router,
    routing::{get, post},
};
use std::sync::Arc;

pub(crate) fn routes() -> Router<Arc<Door>> {
    let document = || get(metadata::server).options(metadata::preflight);
    Router::new()
        .route("/o/{org}/oauth2/token", post(endpoints::token))
        .route("/o/{org}/oauth2/introspect", post(endpoints::introspect))
        .route("/o/{org}/oauth2/revoke", post(endpoints::revoke))
        .route("/o/{org}/revocations", get(feed::follow))
        .route("/o/{org}/revocations/snapshot", get(feed::snapshot))
        .route("/o/{org}/.well-known/openid-configuration", document())
        .route(
            "/o/{org}/.well-known/oauth-authorization-server",
            document(),
        )
        .route("/.well-known/openid-configuration/o/{org}", document())
        .route(
            "/.well-known/oauth-authorization-server/o/{org}",
            document(),
        )
        .route(
            "/o/{org}/jwks.json",
            get(metadata::keys).options(metadata::preflight),
        )
        .route(
            "/.well-known/oauth-protected-resource/o/{org}/mcp",
            get(metadata::resource).options(metadata::preflight),
        )
}
