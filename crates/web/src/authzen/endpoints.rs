//! The endpoints of the decision API: a JSON object in, a JSON object out. Who asks is settled first; what is decided
//! is decided on a view that was taken after the body had arrived. A client's own request id comes back to it.

use crate::{
    answer,
    api::at_least,
    arrival::Arrival,
    auth::{agree, identify, look, reach},
    body,
    door::Door,
    json,
    oauth::basic::Authorization,
    turn,
};
use axum::{
    extract::{Path, Request, State},
    response::Response,
};
use http::{HeaderMap, HeaderValue, request::Parts as Head};
use kernel::{Code, limit};
use proto::authzen::{Batch, Ids, Object, Page, Parts};
use service::{
    Error, Result, View,
    decisions::{self, Asker, Credential, Sought},
    gate::{Class, Permit, Ticket},
};
use std::sync::Arc;

const REQUEST_ID: &str = "x-request-id";
const EXPLAIN: &str = "cardea-explain";

/// A request that was read, with who sent it.
struct Came {
    view: View,
    asker: Asker,
    object: Object,
    explain: bool,
    /// Its place among those that are carried out.
    _place: Permit,
}

/// Lets a request in, answers it, and counts it where whoever asks is not believed.
async fn served(
    door: Arc<Door>,
    org: String,
    mut request: Request,
    answer: impl AsyncFnOnce(&Door, Came) -> Result<Response>,
) -> Response {
    let arrival = Arrival::take(&mut request);
    let theirs = request.headers().get(REQUEST_ID).cloned();
    let outcome = match turn::admit(&door, Class::Decision, Some(&org)) {
        Ok(ticket) => {
            let answered = async {
                let came = came(&door, &arrival, &ticket, &org, request).await?;
                let revision = came.view.revision.state;
                let mut response = answer(&door, came).await?;
                let headers = response.headers_mut();
                headers.insert("cardea-revision", HeaderValue::from(revision));
                Ok(response)
            };
            let answered = answered.await;
            answered.map_err(|error| turn::counted(&door, &ticket, &arrival.peer, error))
        }
        Err(error) => Err(error),
    };
    let told = |error: Error| answer::problem(&error, &arrival.peer.request_id);
    let mut response = outcome.unwrap_or_else(told);
    if let Some(theirs) = theirs {
        response.headers_mut().insert(REQUEST_ID, theirs);
    }
    response
}

async fn came(
    door: &Door,
    arrival: &Arrival,
    ticket: &Ticket,
    org: &str,
    request: Request,
) -> Result<Came> {
    let (head, sent) = request.into_parts();
    let platform = &door.platform;
    let (credential, before) = presented(door, arrival, &head, org).await?;
    let now = platform.clock.boot();
    let within = platform
        .gate
        .within(Class::Decision, &before.organization, now);
    within.await?;
    if head.uri.query().is_some() {
        let detail = "this endpoint takes no query; send everything in the body";
        return Err(Error::new(Code::InvalidInput, detail));
    }
    if !body::is_of_type(&head.headers, "application/json") {
        let detail = "send the body with `Content-Type: application/json`";
        return Err(Error::new(Code::MalformedBody, detail));
    }
    let explain = wants_explanation(&head.headers)?;
    let body = body::read(&head.headers, sent, limit!(BODY_BYTES)).await?;
    let place = ticket.enter().await?;
    if body.is_empty() {
        let detail = "the body is empty; send a JSON object";
        return Err(Error::new(Code::MalformedBody, detail));
    }
    let object = json::object(&body)?;
    let view = decisions::view(platform, before.id()).await?;
    let asker = Asker::of(platform, (&before, &view), &arrival.peer, credential).await?;
    if explain {
        asker.may_explain()?;
    }
    Ok(Came {
        view,
        asker,
        object,
        explain,
        _place: place,
    })
}

/// What was presented. It is believed here, before the body is read: a stranger's body costs nothing.
async fn presented(
    door: &Door,
    arrival: &Arrival,
    head: &Head,
    org: &str,
) -> Result<(Credential, View)> {
    let headers = &head.headers;
    match Authorization::of(headers) {
        Authorization::Client(basic) => {
            let credential = Credential::Client(basic);
            let view = door.platform.node.view_of(org).await?;
            agree(arrival, headers, &view)?;
            let later = at_least(headers)?.filter(|revision| *revision > view.revision.state);
            // A credential may be as new as the revision: one look at the feed before it is judged, waiting only after.
            let view = match later {
                Some(revision) => look(door, &view, revision).await?,
                None => view,
            };
            let (platform, peer) = (&door.platform, &arrival.peer);
            Asker::of(platform, (&view, &view), peer, credential.clone()).await?;
            let view = match later {
                Some(revision) => reach(door, view, revision).await?,
                None => view,
            };
            Ok((credential, view))
        }
        _ => {
            let at_least = at_least(headers)?;
            let (caller, view) = identify(door, arrival, headers, Some(org), at_least).await?;
            Ok((Credential::Caller(Box::new(caller)), view))
        }
    }
}

fn wants_explanation(headers: &HeaderMap) -> Result<bool> {
    match headers.get(EXPLAIN).map(HeaderValue::as_bytes) {
        None | Some(b"false") => Ok(false),
        Some(b"true") => Ok(true),
        Some(_) => Err(Error::invalid(
            "Cardea-Explain",
            "must be `true` or `false`",
        )),
    }
}

/// `POST …/access/v1/evaluation`.
pub(crate) async fn evaluation(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, org, request, one).await
}

async fn one(door: &Door, mut came: Came) -> Result<Response> {
    came.asker.may_evaluate()?;
    let parts = Parts::read(&mut came.object, Ids::BOTH)?;
    single(door, &came, &parts).await
}

async fn single(door: &Door, came: &Came, parts: &Parts) -> Result<Response> {
    let nothing = Parts::default();
    let question = parts.question(&nothing)?;
    let Came {
        view,
        asker,
        explain,
        ..
    } = came;
    let decision = decisions::evaluate(&door.platform, view, asker, &question, *explain).await?;
    Ok(answer::json(200, &decision))
}

/// `POST …/access/v1/evaluations`.
pub(crate) async fn evaluations(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, org, request, several).await
}

async fn several(door: &Door, mut came: Came) -> Result<Response> {
    came.asker.may_evaluate()?;
    let batch = Batch::read(&mut came.object)?;
    if batch.questions.is_empty() {
        return single(door, &came, &batch.defaults).await;
    }
    let Came {
        view,
        asker,
        explain,
        ..
    } = &came;
    let decisions = decisions::batch(&door.platform, view, asker, &batch, *explain).await?;
    Ok(answer::json(200, &decisions))
}

/// `POST …/access/v1/search/subject`.
pub(crate) async fn subjects(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, org, request, async |door: &Door, came| {
        search(door, came, Sought::Subject).await
    })
    .await
}

/// `POST …/access/v1/search/resource`.
pub(crate) async fn resources(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, org, request, async |door: &Door, came| {
        search(door, came, Sought::Resource).await
    })
    .await
}

/// `POST …/access/v1/search/action`.
pub(crate) async fn actions(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, org, request, async |door: &Door, came| {
        search(door, came, Sought::Action).await
    })
    .await
}

async fn search(door: &Door, mut came: Came, sought: Sought) -> Result<Response> {
    came.asker.may_search()?;
    let ids = Ids {
        subject: sought != Sought::Subject,
        resource: sought != Sought::Resource,
    };
    if sought == Sought::Action {
        came.object.remove("action");
    }
    let page = Page::read(&mut came.object)?;
    let parts = Parts::read(&mut came.object, ids)?;
    let Came { view, asker, .. } = &came;
    let results = decisions::search(&door.platform, view, asker, sought, parts, &page).await?;
    Ok(answer::json(200, &results))
}
