//! The endpoints of the OpenFGA API. Whether a request is let in is settled first, then who asks, then what: a
//! stranger's body costs nothing.

use super::{answers, query::Query};
use crate::{answer, arrival::Arrival, auth, body, door::Door, json, turn};
use axum::{
    extract::{FromRequestParts, RawPathParams, Request, State},
    response::Response,
    routing::{MethodFilter, MethodRouter, on},
};
use http::request::Parts;
use kernel::{Code, limit};
use proto::fga::ErrorName;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use service::{
    Cx, Envelope, Error, Result,
    gate::{Class, Ticket},
    parse_input,
    relations::{self, Answered, ChangesRequest, Fault, PageRequest},
};
use std::sync::Arc;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    CreateStore,
    ListStores,
    GetStore,
    DeleteStore,
    WriteModel,
    ReadModels,
    ReadModel,
    Write,
    Read,
    ReadChanges,
    Check,
    BatchCheck,
    Expand,
    ListObjects,
    StreamedListObjects,
    ListUsers,
    WriteAssertions,
    ReadAssertions,
}

/// What the path names.
#[derive(Default)]
struct Named {
    org: String,
    store: String,
    model: String,
}

/// Answers one question at a path.
pub(super) fn serve(method: MethodFilter, class: Class, ask: Ask) -> MethodRouter<Arc<Door>> {
    on(
        method,
        move |State(door): State<Arc<Door>>, request: Request| async move {
            match admitted(&door, class, ask, request).await {
                Ok(response) => response,
                Err(fault) => answers::refused(&fault),
            }
        },
    )
}

async fn admitted(
    door: &Arc<Door>,
    class: Class,
    ask: Ask,
    mut request: Request,
) -> Answered<Response> {
    let arrival = Arrival::take(&mut request);
    let (mut parts, sent) = request.into_parts();
    let named = named(&mut parts, door).await?;
    let ticket = turn::admit(door, class, Some(&named.org))?;
    let request = Request::from_parts(parts, sent);
    let answered = called(door, class, ask, &arrival, &named, &ticket, request).await;
    answered.map_err(|fault| match fault {
        Fault::Other(error) => turn::counted(door, &ticket, &arrival.peer, error).into(),
        own => own,
    })
}

async fn named(parts: &mut Parts, door: &Arc<Door>) -> Result<Named> {
    let params = RawPathParams::from_request_parts(parts, door).await;
    let params = params.map_err(|_| answer::nothing_here())?;
    let mut named = Named::default();
    for (name, value) in &params {
        match name {
            "org" => named.org = value.to_owned(),
            "store" => named.store = value.to_owned(),
            "model" => named.model = value.to_owned(),
            _ => {}
        }
    }
    Ok(named)
}

async fn called(
    door: &Arc<Door>,
    class: Class,
    ask: Ask,
    arrival: &Arrival,
    named: &Named,
    ticket: &Ticket,
    request: Request,
) -> Answered<Response> {
    let (parts, sent) = request.into_parts();
    if auth::bearer(&parts.headers).is_none() {
        let text = "present an API token as `Authorization: Bearer`";
        turn::failed(door, ticket, &arrival.peer)?;
        return Err(Fault::new(ErrorName::BearerTokenMissing, text));
    }
    let at_least = crate::api::at_least(&parts.headers)?;
    let org = Some(named.org.as_str());
    let (caller, view) = auth::identify(door, arrival, &parts.headers, org, at_least).await?;
    let (gate, now) = (&door.platform.gate, door.platform.clock.boot());
    gate.within(class, &view.organization, now).await?;
    let org = view.id();
    let fields = match parts.method.as_str() {
        "POST" | "PUT" => fields(&parts, sent).await?,
        _ => Map::new(),
    };
    let _place = ticket.enter().await?;
    let (platform, peer) = (door.platform.clone(), arrival.peer.clone());
    let mut cx = Cx::new(platform, peer, Envelope::default(), caller, view);
    let mut query = Query::read(parts.uri.query())?;
    let mut response = asked(&mut cx, ask, named, fields, &mut query).await?;
    let stream = domain::Stream::org(org);
    if let Some(revision) = door.platform.node.cells().revision(stream) {
        let revision = http::HeaderValue::from(revision.state);
        response.headers_mut().insert("cardea-revision", revision);
    }
    Ok(response)
}

async fn fields(parts: &Parts, sent: axum::body::Body) -> Result<Map<String, Value>> {
    let sent = body::read(&parts.headers, sent, limit!(RELATION_BODY_BYTES)).await?;
    if sent.is_empty() {
        return Ok(Map::new());
    }
    if !body::is_of_type(&parts.headers, "application/json") {
        return Err(Error::new(
            Code::UnsupportedMediaType,
            "send the body with `Content-Type: application/json`",
        ));
    }
    json::deep(&sent)
}

fn read<T: DeserializeOwned>(fields: Map<String, Value>) -> Result<T> {
    parse_input(Value::Object(fields))
}

fn told(status: u16, answer: &impl Serialize) -> Response {
    answer::json(status, answer)
}

fn nothing(status: u16) -> Response {
    match status {
        204 => {
            let mut response = answer::bytes(204, "application/json", axum::body::Body::empty());
            response.headers_mut().remove(http::header::CONTENT_TYPE);
            response
        }
        status => answer::bytes(status, "application/json", "{}"),
    }
}

fn page(query: &mut Query) -> Result<PageRequest> {
    Ok(PageRequest {
        page_size: query.number("page_size")?,
        continuation_token: query.text("continuation_token").unwrap_or_default(),
        name: query.text("name"),
    })
}

fn changes(query: &mut Query) -> Result<ChangesRequest> {
    Ok(ChangesRequest {
        of: query.text("type"),
        page_size: query.number("page_size")?,
        continuation_token: query.text("continuation_token").unwrap_or_default(),
        start_time: query.text("start_time"),
    })
}

async fn asked(
    cx: &mut Cx,
    ask: Ask,
    named: &Named,
    fields: Map<String, Value>,
    query: &mut Query,
) -> Answered<Response> {
    let (store, model) = (named.store.as_str(), named.model.as_str());
    Ok(match ask {
        Ask::CreateStore => told(201, &relations::create_store(cx, read(fields)?).await?),
        Ask::ListStores => told(200, &relations::list_stores(cx, page(query)?).await?),
        Ask::GetStore => told(200, &relations::get_store(cx, store).await?),
        Ask::DeleteStore => {
            relations::delete_store(cx, store).await?;
            nothing(204)
        }
        Ask::WriteModel => told(201, &relations::write_model(cx, store, fields).await?),
        Ask::ReadModels => told(200, &relations::read_models(cx, store, page(query)?).await?),
        Ask::ReadModel => told(200, &relations::read_model(cx, store, model).await?),
        Ask::Write => {
            relations::write(cx, store, read(fields)?).await?;
            nothing(200)
        }
        Ask::Read => told(200, &relations::read(cx, store, read(fields)?).await?),
        Ask::ReadChanges => {
            let wanted = changes(query)?;
            told(200, &relations::read_changes(cx, store, wanted).await?)
        }
        Ask::Check => told(200, &relations::check(cx, store, read(fields)?).await?),
        Ask::BatchCheck => told(
            200,
            &relations::batch_check(cx, store, read(fields)?).await?,
        ),
        Ask::Expand => told(200, &relations::expand(cx, store, read(fields)?).await?),
        Ask::ListObjects => told(
            200,
            &relations::list_objects(cx, store, read(fields)?).await?,
        ),
        Ask::StreamedListObjects => {
            let found = relations::list_objects(cx, store, read(fields)?).await?;
            answers::lines(found.objects)
        }
        Ask::ListUsers => told(200, &relations::list_users(cx, store, read(fields)?).await?),
        Ask::WriteAssertions => {
            relations::write_assertions(cx, store, model, read(fields)?).await?;
            nothing(204)
        }
        Ask::ReadAssertions => told(200, &relations::read_assertions(cx, store, model).await?),
    })
}
