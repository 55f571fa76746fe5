//! The management API: one route for each operation of the registry, nothing beside it. A request becomes one
//! context and one input; the use case does the rest.

mod headers;
mod input;
mod log;
mod route;

pub(crate) use headers::at_least;
pub(crate) use route::parameters;

use self::route::{Placed, Route};
use crate::{
    answer, arrival::Arrival, auth::identify, body, door::Door, json, openapi::openapi, turn,
};
use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, Request, State},
    response::Response,
    routing::{MethodFilter, MethodRouter, get, on},
};
use bytes::Bytes;
use domain::Stream;
use http::{HeaderMap, HeaderValue, header, request::Parts};
use kernel::{Code, limit};
use serde_json::{Map, Value};
use service::{Answer, Cx, Envelope, Error, Guard, Method, OPERATIONS, Result, gate::Ticket};
use std::{collections::BTreeMap, sync::Arc};

/// Where operations' paths begin.
pub(crate) const PREFIX: &str = "/api/v1";

/// A route for each operation. Operations may call one path parameter by different names: the first names it.
pub(crate) fn routes(door: &Door) -> Router<Arc<Door>> {
    let document = Bytes::from(openapi(&door.platform.public_url).to_string());
    let document = get(async move || answer::bytes(200, "application/json", document.clone()));
    let mut shapes: BTreeMap<String, (String, MethodRouter<Arc<Door>>)> = BTreeMap::new();
    for operation in OPERATIONS {
        let route = Arc::new(Route::of(*operation));
        let path = format!("{PREFIX}{}", route.meta.path);
        let (_, methods) = shapes
            .entry(route.shape())
            .or_insert_with(|| (path, MethodRouter::new()));
        *methods = std::mem::take(methods).merge(serve(route));
    }
    let routed = Router::new().route("/api/v1/openapi.json", document);
    let routed = shapes
        .into_values()
        .fold(routed, |router, (path, methods)| {
            router.route(&path, methods)
        });
    routed.merge(log::routes())
}

const fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Post => MethodFilter::POST,
        Method::Put => MethodFilter::PUT,
        Method::Patch => MethodFilter::PATCH,
        Method::Delete => MethodFilter::DELETE,
    }
}

fn serve(route: Arc<Route>) -> MethodRouter<Arc<Door>> {
    let filter = filter(route.meta.method);
    on(
        filter,
        move |State(door): State<Arc<Door>>, params: RawPathParams, mut request: Request| {
            let route = route.clone();
            async move {
                let arrival = Arrival::take(&mut request);
                let placed = route.placed(params.iter().map(|(_, value)| value));
                match admitted(&door, &route, &arrival, &placed, request, &mut |_| ()).await {
                    Ok((stream, answer)) => written(&door, &route, stream, answer),
                    Err(error) => answer::problem(&error, &arrival.peer.request_id),
                }
            }
        },
    )
}

/// Whether it is let in is settled before anything else. `known` is told who asks, before they are answered.
async fn admitted(
    door: &Door,
    route: &Route,
    arrival: &Arrival,
    placed: &Placed<'_>,
    request: Request,
    known: &mut (dyn FnMut(&Cx) + Send),
) -> Result<(Option<Stream>, Answer)> {
    let ticket = turn::admit(door, route.meta.class, placed.org)?;
    let outcome = call(door, route, arrival, placed, &ticket, request, known).await;
    outcome.map_err(|error| turn::counted(door, &ticket, &arrival.peer, error))
}

/// Who asks is settled before the body is read: a stranger's body costs nothing.
async fn call(
    door: &Door,
    route: &Route,
    arrival: &Arrival,
    placed: &Placed<'_>,
    ticket: &Ticket,
    request: Request,
    known: &mut (dyn FnMut(&Cx) + Send),
) -> Result<(Option<Stream>, Answer)> {
    let (parts, sent) = request.into_parts();
    let cx = context(door, route, arrival, &parts.headers, placed.org).await?;
    let stream = cx.stream().ok();
    known(&cx);
    // What names no organization is the instance's: whoever could lift a quota is not shut out by it.
    if let (Some(_), Ok(view)) = (placed.org, cx.view()) {
        let (gate, now) = (&door.platform.gate, door.platform.clock.boot());
        gate.within(route.meta.class, &view.organization, now)
            .await?;
    }
    let sent = if route.meta.method.has_body() {
        fields(&parts, sent).await?
    } else {
        Map::new()
    };
    let _place = ticket.enter().await?;
    let input = input::collect(route, placed, parts.uri.query(), sent)?;
    let answer = route.operation.call(cx, Value::Object(input)).await?;
    Ok((stream, answer))
}

async fn context(
    door: &Door,
    route: &Route,
    arrival: &Arrival,
    headers: &HeaderMap,
    org: Option<&str>,
) -> Result<Cx> {
    let (platform, peer) = (door.platform.clone(), arrival.peer.clone());
    let envelope = Envelope {
        if_match: headers::if_match(headers)?,
        idempotency_key: headers::idempotency_key(headers)?,
        ..Envelope::default()
    };
    if route.meta.guard == Guard::Public {
        let mut cx = Cx::anonymous(platform, peer);
        cx.envelope = envelope;
        return Ok(cx);
    }
    let at_least = headers::at_least(headers)?;
    let (caller, view) = identify(door, arrival, headers, org, at_least).await?;
    Ok(Cx::new(platform, peer, envelope, caller, view))
}

/// The fields of the body; no body is an object without fields.
async fn fields(parts: &Parts, sent: Body) -> Result<Map<String, Value>> {
    let sent = body::read(&parts.headers, sent, limit!(BODY_BYTES)).await?;
    if sent.is_empty() {
        return Ok(Map::new());
    }
    if !body::is_of_type(&parts.headers, "application/json") {
        return Err(Error::new(
            Code::UnsupportedMediaType,
            "send the body with `Content-Type: application/json`",
        ));
    }
    json::object(&sent)
}

fn written(door: &Door, route: &Route, stream: Option<Stream>, answer: Answer) -> Response {
    let mut response = answer::bytes(route.meta.status, "application/json", answer.body);
    let headers = response.headers_mut();
    let revision = stream.and_then(|stream| door.platform.node.cells().revision(stream));
    if let Some(revision) = revision {
        headers.insert("cardea-revision", HeaderValue::from(revision.state));
    }
    let tag = answer
        .version
        .and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
    if let Some(tag) = tag {
        headers.insert(header::ETAG, tag);
    }
    response
}
