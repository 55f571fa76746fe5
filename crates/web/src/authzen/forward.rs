//! Forward authentication for nginx, Traefik and Caddy, and Envoy's `ext_authz` over HTTP: the connection and the scope
//! are in the path, the client's token in the header it came in, and the answer is its status. Envoy puts the client's
//! own path behind; it has no say, and neither have method, query and body.

use crate::{answer, arrival::Arrival, auth, door::Door, turn};
use axum::{
    extract::{RawPathParams, Request, State},
    response::Response,
};
use domain::Scope;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use kernel::Code;
use service::{
    Error, Result,
    decisions::{self, Forwarded},
    gate::Class,
};
use std::sync::Arc;

const AGENT: HeaderName = HeaderName::from_static("cardea-agent");
const OWNER: HeaderName = HeaderName::from_static("cardea-owner");
const SCOPES: HeaderName = HeaderName::from_static("cardea-scopes");

/// Whatever a proxy asks below `…/access/v1/forward/{connection}/{scope}`.
pub(crate) async fn forward(
    State(door): State<Arc<Door>>,
    params: RawPathParams,
    mut request: Request,
) -> Response {
    let arrival = Arrival::take(&mut request);
    let headers = std::mem::take(request.headers_mut());
    let mut named = params.iter().map(|(_, value)| value);
    let mut next = || named.next().unwrap_or_default();
    let (org, connection, scope) = (next(), next(), next());
    match asked(&door, &arrival, &headers, (org, connection, scope)).await {
        Ok(forwarded) => permitted(&forwarded),
        Err(error) => denied(&error, scope, &arrival.peer.request_id),
    }
}

async fn asked(
    door: &Door,
    arrival: &Arrival,
    headers: &HeaderMap,
    (org, connection, scope): (&str, &str, &str),
) -> Result<Forwarded> {
    let platform = &door.platform;
    let ticket = turn::admit(door, Class::Decision, Some(org))?;
    let outcome = async {
        let token = auth::bearer(headers).ok_or_else(Error::unauthenticated)?;
        let view = platform.node.view_of(org).await?;
        let now = platform.clock.boot();
        let within = platform
            .gate
            .within(Class::Decision, &view.organization, now);
        within.await?;
        let _place = ticket.enter().await?;
        let view = platform.node.view(view.id()).await?;
        decisions::forward(platform, &view, connection, scope, token)
    };
    let outcome = outcome.await;
    outcome.map_err(|error| turn::counted(door, &ticket, &arrival.peer, error))
}

fn permitted(forwarded: &Forwarded) -> Response {
    let mut response = answer::bytes(200, "application/json", "{}");
    let said = [
        (AGENT, forwarded.agent.to_string()),
        (OWNER, forwarded.owner.to_string()),
        (SCOPES, forwarded.scopes.clone()),
    ];
    for (name, text) in said {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// A client that is told which scope it lacks can ask for it (RFC 6750 section 3.1).
fn denied(error: &Error, scope: &str, request_id: &str) -> Response {
    let mut response = answer::problem(error, request_id);
    let known = Scope::parse(scope).ok();
    if let (Code::PermissionDenied, Some(scope)) = (error.code, known) {
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
    }
    response
}
