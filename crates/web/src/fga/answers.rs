//! Answers in the form of the OpenFGA API: JSON, refusals with `code` and `message`, and lists as lines.

use crate::{answer, turn};
use axum::{
    body::{Body, Bytes},
    response::Response,
};
use futures::stream;
use http::{
    HeaderValue,
    header::{RETRY_AFTER, WWW_AUTHENTICATE},
};
use proto::fga::{ErrorAnswer, ErrorName, StreamedObject};
use service::relations::Fault;
use std::{convert::Infallible, fmt::Write as _};

/// Lines of one piece of a streamed list.
const LINES: usize = 512;

/// A refusal.
pub(super) fn refused(fault: &Fault) -> Response {
    let name = fault.name();
    let (status, code) = match fault {
        Fault::Own(..) => (name.status(), None),
        // What says more than this API's own status keeps it: 413, 415.
        Fault::Other(error) if name.status() == 400 => (error.code.status(), Some(error.code)),
        Fault::Other(error) => (name.status(), Some(error.code)),
    };
    let body = ErrorAnswer {
        code: name.as_str().into(),
        message: fault.to_string(),
    };
    let mut response = answer::json(status, &body);
    if let Some(code) = code {
        turn::mark(&mut response, code);
        if let Some(seconds) = answer::retry_after(code) {
            let seconds = HeaderValue::from_static(seconds);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
    }
    if status == 401 {
        let bearer = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    response
}

/// There is no such endpoint.
pub(super) fn nothing() -> Response {
    let text = "there is no such endpoint";
    refused(&Fault::new(ErrorName::UndefinedEndpoint, text))
}

/// A list, one line an object.
pub(super) fn lines(objects: Vec<String>) -> Response {
    let mut rest = objects.into_iter();
    let pieces = std::iter::from_fn(move || {
        let mut piece = String::new();
        for object in rest.by_ref().take(LINES) {
            let line = serde_json::json!({ "result": StreamedObject { object } });
            let _infallible = writeln!(piece, "{line}");
        }
        (!piece.is_empty()).then(|| Ok::<_, Infallible>(Bytes::from(piece)))
    });
    let body = Body::from_stream(stream::iter(pieces));
    answer::bytes(200, "application/x-ndjson", body)
}
