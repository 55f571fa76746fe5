//! Public documents of an organization's issuer: server metadata (RFC 8414), keys (RFC 7517), the metadata of its
//! decision point (AuthZEN) and of its MCP resource (RFC 9728). Only the canonical slug has them, and any web page may read them.

use crate::{answer, arrival::Arrival, door::Door};
use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use domain::OrganizationState;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use service::View;
use service::{Error, Result, decisions, oauth};
use std::sync::Arc;

/// How long a document may be kept; keys are announced for longer than this before they sign.
const KEPT: &str = "public, max-age=300";

/// Metadata of a protected resource (RFC 9728 section 2).
#[derive(Serialize)]
struct Resource {
    resource: String,
    authorization_servers: [String; 1],
    scopes_supported: [&'static str; 1],
    bearer_methods_supported: [&'static str; 1],
    resource_name: String,
}

/// The organization that has this slug; an id, or a suspended organization, has no documents (TEN-7, TEN-9).
async fn issuer(door: &Door, slug: &str) -> Result<View> {
    let view = door.platform.node.view_of(slug).await?;
    let serves =
        view.organization.slug == slug && view.organization.state == OrganizationState::Active;
    if serves {
        Ok(view)
    } else {
        Err(Error::not_found("organization"))
    }
}

fn published(outcome: Result<Response>, request_id: &str) -> Response {
    let mut response = match outcome {
        Ok(mut response) => {
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
            response
        }
        Err(error) => answer::problem(&error, request_id),
    };
    response.headers_mut().insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    response
}

/// Server metadata, the same in each of its places.
pub(crate) async fn server(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    mut request: Request,
) -> Response {
    let arrival = Arrival::take(&mut request);
    let outcome = issuer(&door, &org)
        .await
        .map(|view| answer::json(200, &oauth::metadata(&view)));
    published(outcome, &arrival.peer.request_id)
}

/// The public keys.
pub(crate) async fn keys(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    mut request: Request,
) -> Response {
    let arrival = Arrival::take(&mut request);
    let keys = issuer(&door, &org)
        .await
        .and_then(|view| oauth::jwks(&view));
    published(
        keys.map(|keys| answer::json(200, &keys)),
        &arrival.peer.request_id,
    )
}

/// The metadata of the organization's decision point, the same in each of its places.
pub(crate) async fn decision_point(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    mut request: Request,
) -> Response {
    let arrival = Arrival::take(&mut request);
    let outcome = issuer(&door, &org)
        .await
        .map(|view| answer::json(200, &decisions::metadata(&view)));
    published(outcome, &arrival.peer.request_id)
}

/// The metadata of the organization's MCP endpoint.
pub(crate) async fn resource(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    mut request: Request,
) -> Response {
    let arrival = Arrival::take(&mut request);
    let outcome = issuer(&door, &org)
        .await
        .map(|view| answer::json(200, &described(&view)));
    published(outcome, &arrival.peer.request_id)
}

fn described(view: &View) -> Resource {
    let issuer = view.organization.issuer.clone();
    Resource {
        resource: format!("{issuer}/mcp"),
        resource_name: format!("Cardea tools of {}", view.organization.slug),
        authorization_servers: [issuer],
        scopes_supported: ["self"],
        bearer_methods_supported: ["header"],
    }
}

/// The answer to a browser's preflight; no document needs more than a plain read.
pub(crate) async fn preflight(headers: HeaderMap) -> Response {
    let mut response = answer::bytes(204, "application/json", axum::body::Body::empty());
    let out = response.headers_mut();
    out.remove(header::CONTENT_TYPE);
    out.insert(
        header::ACCESS_CONTROL_ALLOW_ORIGIN,
        HeaderValue::from_static("*"),
    );
    out.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, HEAD, OPTIONS"),
    );
    if let Some(wanted) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        out.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
    }
    response
}
