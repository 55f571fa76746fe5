//! The decision API of each organization: AuthZEN's Authorization API 1.0 over HTTP. Requests are read as the standard
//! says and handed on; nothing is decided here.

mod endpoints;
mod forward;

use crate::{door::Door, oauth::metadata};
use axum::{
    Router,
    routing::{any, get, post},
};
use std::sync::Arc;

pub(crate) fn routes() -> Router<Arc<Door>> {
    let document = || get(metadata::decision_point).options(metadata::preflight);
    Router::new()
        .route("/o/{org}/access/v1/evaluation", post(endpoints::evaluation))
        .route(
            "/o/{org}/access/v1/evaluations",
            post(endpoints::evaluations),
        )
        .route(
            "/o/{org}/access/v1/search/subject",
            post(endpoints::subjects),
        )
        .route(
            "/o/{org}/access/v1/search/resource",
            post(endpoints::resources),
        )
        .route("/o/{org}/access/v1/search/action", post(endpoints::actions))
        .route(
            "/o/{org}/access/v1/forward/{connection}/{scope}",
            any(forward::forward),
        )
        .route(
            "/o/{org}/access/v1/forward/{connection}/{scope}/",
            any(forward::forward),
        )
        .route(
            "/o/{org}/access/v1/forward/{connection}/{scope}/{*path}",
            any(forward::forward),
        )
        .route("/o/{org}/.well-known/authzen-configuration", document())
        .route("/.well-known/authzen-configuration/o/{org}", document())
}
