//! The log in the forms of others, beside the operations and by their permission: C2SP's tlog-tiles (checkpoint
//! and tiles as bytes) and the export as lines. Each path is another form of one operation's answer.

use super::{
    admitted,
    route::{Placed, Route},
};
use crate::{answer, arrival::Arrival, door::Door};
use axum::{
    Router,
    body::Body,
    extract::{RawPathParams, Request, State},
    response::Response,
    routing::{MethodRouter, get},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::stream;
use serde_json::Value;
use service::{Cx, Error, OPERATIONS, Result, log::Export};
use std::{io, sync::Arc};

/// What a path shows of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Checkpoint,
    Tile,
    Lines,
}

impl Form {
    const fn operation(self) -> &'static str {
        match self {
            Self::Checkpoint => "audit.checkpoint",
            Self::Tile => "audit.tile",
            Self::Lines => "audit.export",
        }
    }
}

pub(super) fn routes() -> Router<Arc<Door>> {
    Router::new()
        .route("/api/v1/orgs/{org}/log/checkpoint", serve(Form::Checkpoint))
        .route("/api/v1/orgs/{org}/log/tile/{*tile}", serve(Form::Tile))
        .route("/api/v1/orgs/{org}/log/export", serve(Form::Lines))
}

fn serve(form: Form) -> MethodRouter<Arc<Door>> {
    get(
        move |State(door): State<Arc<Door>>, params: RawPathParams, mut request: Request| async move {
            let arrival = Arrival::take(&mut request);
            match shown(&door, form, &arrival, &params, request).await {
                Ok(response) => response,
                Err(error) => answer::problem(&error, &arrival.peer.request_id),
            }
        },
    )
}

/// Asks the operation, and gives its answer the form.
async fn shown(
    door: &Door,
    form: Form,
    arrival: &Arrival,
    params: &RawPathParams,
    request: Request,
) -> Result<Response> {
    let mut all = OPERATIONS.iter().copied();
    let operation = all.find(|operation| operation.meta().name == form.operation());
    let route = Route::of(operation.ok_or_else(answer::nothing_here)?);
    let named = |wanted: &str| params.iter().find(|(name, _)| *name == wanted);
    let placed = Placed {
        org: named("org").map(|(_, value)| value),
        fields: named("tile")
            .map(|(_, value)| ("tile", value))
            .into_iter()
            .collect(),
    };
    let mut reader = None;
    let keep = &mut |cx: &Cx| reader = Some(cx.clone());
    let (stream, told) = admitted(door, &route, arrival, &placed, request, keep).await?;
    let stream = stream.ok_or_else(answer::nothing_here)?;
    let told: Value = serde_json::from_slice(&told.body).map_err(Error::internal)?;
    let text = |member: &str| told.get(member).and_then(Value::as_str).unwrap_or_default();
    Ok(match form {
        Form::Checkpoint => answer::bytes(
            200,
            "text/plain; charset=utf-8",
            text("checkpoint").to_owned(),
        ),
        Form::Tile => {
            let bytes = STANDARD.decode(text("bytes")).map_err(Error::internal)?;
            answer::bytes(200, "application/octet-stream", bytes)
        }
        Form::Lines => {
            let wanted = serde_json::from_value(told).map_err(Error::internal)?;
            lines(Export::begin(door.platform.clone(), stream, wanted, reader).await?)
        }
    })
}

/// An answer that ends early when the export fails: a file without its last line is seen to be none.
fn lines(export: Export) -> Response {
    let pages = stream::try_unfold(export, |mut export| async move {
        let page = export.next().await.map_err(|error| {
            tracing::error!(%error, "an export ended early");
            io::Error::other(error.to_string())
        })?;
        Ok::<_, io::Error>(page.map(|page| (Bytes::from(page), export)))
    });
    answer::bytes(200, "application/jsonl", Body::from_stream(pages))
}
