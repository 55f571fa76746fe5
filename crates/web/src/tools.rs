//! Where the MCP endpoint is mounted: authentication with the challenge that MCP clients follow, and the same
//! answers with and without a trailing slash. The protocol, its origin check and the tools are the MCP crate's.

use crate::{
    answer,
    arrival::Arrival,
    auth::{bearer, identify},
    body,
    door::Door,
    turn,
};
use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    response::Response,
    routing::{MethodFilter, on},
};
use http::{HeaderValue, header};
use http_body_util::Full;
use kernel::{Code, limit};
use mcp::{McpService, Session};
use service::{
    Error, Result,
    gate::{Class, Ticket},
};
use std::sync::Arc;

/// The hosts that the outermost layer lets in beside the public URL's.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

pub(crate) fn routes(door: &Door) -> Router<Arc<Door>> {
    let tools = mcp::service(door.platform.clone(), LOOPBACK.map(str::to_owned).to_vec());
    let methods = MethodFilter::GET
        .or(MethodFilter::POST)
        .or(MethodFilter::DELETE);
    let serve = on(
        methods,
        move |State(door): State<Arc<Door>>, Path(org): Path<String>, mut request: Request| {
            let tools = tools.clone();
            async move {
                let arrival = Arrival::take(&mut request);
                let sent_token = bearer(request.headers()).is_some();
                match admitted(&door, &tools, &arrival, &org, request).await {
                    Ok(response) => response,
                    Err(error) => refused(&door, &error, &arrival, &org, sent_token),
                }
            }
        },
    );
    Router::new()
        .route("/o/{org}/mcp", serve.clone())
        .route("/o/{org}/mcp/", serve)
}

async fn admitted(
    door: &Door,
    tools: &McpService,
    arrival: &Arrival,
    org: &str,
    request: Request,
) -> Result<Response> {
    let ticket = turn::admit(door, Class::Management, Some(org))?;
    let outcome = call(door, tools, arrival, org, &ticket, request).await;
    outcome.map_err(|error| turn::counted(door, &ticket, &arrival.peer, error))
}

async fn call(
    door: &Door,
    tools: &McpService,
    arrival: &Arrival,
    org: &str,
    ticket: &Ticket,
    request: Request,
) -> Result<Response> {
    let (mut parts, sent) = request.into_parts();
    let (caller, view) = identify(door, arrival, &parts.headers, Some(org), None).await?;
    let (gate, now) = (&door.platform.gate, door.platform.clock.boot());
    gate.within(ticket.class(), &view.organization, now).await?;
    parts.extensions.insert(Session {
        caller,
        view,
        peer: arrival.peer.clone(),
    });
    let sent = body::read(&parts.headers, sent, limit!(BODY_BYTES)).await?;
    let _place = ticket.enter().await?;
    let request = http::Request::from_parts(parts, Full::new(sent));
    let mut response = tools.handle(request).await.map(Body::new);
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A missing or dead credential is answered with the way to a new one (RFC 9728 section 5.1, RFC 6750 section 3).
fn refused(door: &Door, error: &Error, arrival: &Arrival, org: &str, sent_token: bool) -> Response {
    let mut response = answer::problem(error, &arrival.peer.request_id);
    if error.code == Code::Unauthenticated {
        let challenge = challenge(&door.platform.public_url, org, sent_token);
        if let Ok(value) = HeaderValue::from_str(&challenge) {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, value);
        }
    }
    response
}

/// `org` is a path segment of plain characters: the outermost layer lets no other in.
fn challenge(public_url: &str, org: &str, sent_token: bool) -> String {
    let cause = if sent_token {
        "error=\"invalid_token\", "
    } else {
        ""
    };
    let metadata = format!("{public_url}/.well-known/oauth-protected-resource/o/{org}/mcp");
    format!("Bearer {cause}resource_metadata=\"{metadata}\", scope=\"self\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_names_the_error_only_when_a_token_was_sent() {
        let metadata = "https://id.example/.well-known/oauth-protected-resource/o/acme/mcp";
        assert_eq!(
            challenge("https://id.example", "acme", false),
            format!("Bearer resource_metadata=\"{metadata}\", scope=\"self\"")
        );
        assert!(
            challenge("https://id.example", "acme", true)
                .starts_with("Bearer error=\"invalid_token\", ")
        );
    }
}
