//! Answers in the forms that the doors share: problem details and JSON that nobody may keep.
//! What a refusal says is written where it arises; here it only gets its form.

use crate::turn;
use axum::{body::Body, response::Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use kernel::Code;
use proto::problem::{MEDIA_TYPE, Problem};
use serde::Serialize;
use service::Error;

/// An answer of bytes that nobody may keep.
pub(crate) fn bytes(status: u16, media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A JSON answer that nobody may keep.
pub(crate) fn json(status: u16, body: &impl Serialize) -> Response {
    let mut text = Vec::with_capacity(1_024);
    match serde_json::to_writer(&mut text, body) {
        Ok(()) => bytes(status, "application/json", text),
        Err(cause) => {
            tracing::error!(%cause, "an answer could not be written");
            bytes(500, "application/json", "{}")
        }
    }
}

/// A refusal as problem details (RFC 9457).
pub(crate) fn problem(error: &Error, request_id: &str) -> Response {
    let body = Problem::new(
        error.code,
        error.detail.clone(),
        error.errors.clone(),
        request_id,
    )
    .at(error.limit.as_ref());
    let mut response = json(error.code.status(), &body);
    turn::mark(&mut response, error.code);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    if let Some(seconds) = retry_after(error.code) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    if error.code == Code::Unauthenticated {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// Seconds to wait; a limit fills up slowly, a busy server is free again soon.
pub(crate) const fn retry_after(code: Code) -> Option<&'static str> {
    match (code, code.status()) {
        (Code::LimitReached, _) => Some("60"),
        (_, 429 | 503) => Some("1"),
        _ => None,
    }
}

/// There is nothing at this path.
pub(crate) fn nothing_here() -> Error {
    Error::new(
        Code::NotFound,
        "there is nothing at this path; see /api/v1/openapi.json for what there is",
    )
}
