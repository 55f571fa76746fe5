//! The outermost layer: host and path check, request id, access line, metrics, and the end of any panic.
//! It never reads a body and never writes a raw path or query anywhere.

use crate::{
    answer,
    arrival::Arrival,
    door::Door,
    host::{Hosts, forwarded, is_plain_path},
    series::Series,
    turn::{self, Lateness},
};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use futures::FutureExt;
use http::{HeaderValue, Method, header};
use kernel::Code;
use service::Error;
use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

/// What the outermost layer checks against.
pub(crate) struct Entrance {
    pub door: Arc<Door>,
    pub hosts: Hosts,
    pub series: Series,
    pub late: Lateness,
}

/// Everything around every request.
pub(crate) async fn enter(
    State(entrance): State<Arc<Entrance>>,
    mut request: Request,
    next: Next,
) -> Response {
    let clock = &entrance.door.platform.clock;
    let began = clock.boot();
    let facts = Facts::of(&request);
    let arrival = Arrival::of(&entrance.door, &request, facts.door);
    let request_id = arrival.peer.request_id.clone();
    let mut response = match admit(&entrance.hosts, &request) {
        Err(error) => answer::problem(&error, &request_id),
        Ok(()) => {
            request.extensions_mut().insert(arrival);
            match AssertUnwindSafe(next.run(request)).catch_unwind().await {
                Ok(response) => response,
                Err(panic) => after_panic(&*panic, &request_id),
            }
        }
    };
    if turn::is_late(&response) {
        turn::delay(&entrance.late).await;
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        let headers = response.headers_mut();
        headers.entry("x-request-id").or_insert(value);
    }
    response.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if entrance.door.platform.node.is_draining() {
        // Whoever keeps connections makes the next one elsewhere.
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    facts.record(
        &entrance.series,
        response.status().as_u16(),
        clock.boot().since(began).get(),
        &request_id,
    );
    response
}

fn admit(hosts: &Hosts, request: &Request) -> Result<(), Error> {
    let path = request.uri().path();
    let by_address = path == "/metrics" || path.starts_with("/health/");
    // A proxy asks under the host and the path that its client asked for; a page that was rebound has no token.
    let forwarded = forwarded(path);
    if forwarded.is_none() && !hosts.answers(request.uri(), request.headers(), by_address) {
        let detail = "this server does not answer for that host; use the configured public URL or `localhost`";
        return Err(Error::new(Code::Misdirected, detail));
    }
    if is_plain_path(forwarded.unwrap_or(path)) {
        Ok(())
    } else {
        Err(answer::nothing_here())
    }
}

/// The cause goes to the log only.
fn after_panic(panic: &(dyn Any + Send), request_id: &str) -> Response {
    let said = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(
        request_id,
        cause = said.unwrap_or("unknown"),
        "a handler panicked"
    );
    answer::problem(&Error::internal("panic in a handler"), request_id)
}

/// What is written about a request: route templates and known names, never its own text.
struct Facts {
    method: &'static str,
    door: &'static str,
    route: Option<MatchedPath>,
}

impl Facts {
    fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>().cloned();
        let door = door_of(route.as_ref().map_or("", MatchedPath::as_str));
        Self {
            method: known_method(request.method()),
            door,
            route,
        }
    }

    fn record(&self, series: &Series, status: u16, micros: i64, request_id: &str) {
        let route = self.route.as_ref().map_or("unmatched", MatchedPath::as_str);
        tracing::info!(target: "access", door = self.door, method = self.method, route, status, micros, request_id);
        series.count((self.door, route, status), micros);
    }
}

fn door_of(route: &str) -> &'static str {
    match route {
        "" => "none",
        _ if route.starts_with("/api/") => "api",
        _ if route.starts_with("/o/{org}/mcp") => "mcp",
        _ if route.starts_with("/o/{org}/access/") => "authzen",
        _ if route.starts_with("/o/{org}/fga/") => "fga",
        _ if route.starts_with("/o/") || route.starts_with("/.well-known/") => "oauth",
        _ if route.starts_with("/health/") || route == "/metrics" => "health",
        _ => "pages",
    }
}

fn known_method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
