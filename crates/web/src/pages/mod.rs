//! The few pages without sign-in: what this is, what each problem means, and setting up with a secret. Static files of one origin, no
//! inline script or style, nothing from elsewhere, never in a frame and never kept.

mod problem;

use crate::{answer, door::Door};
use axum::{Router, body::Body, response::Response, routing::get};
use http::{HeaderName, HeaderValue, header};
use std::sync::Arc;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const GUARDS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    ),
];

pub(crate) fn routes() -> Router<Arc<Door>> {
    let html = "text/html; charset=utf-8";
    let file =
        |media_type: &'static str, text: &'static str| get(async move || guarded(media_type, text));
    Router::new()
        .route("/", file(html, include_str!("home.html")))
        .route("/setup", file(html, include_str!("setup.html")))
        .route(
            "/setup.js",
            file("text/javascript; charset=utf-8", include_str!("setup.js")),
        )
        .route("/problems/{code}", get(problem::page))
        .route(
            "/pages.css",
            file("text/css; charset=utf-8", include_str!("pages.css")),
        )
}

fn guarded(media_type: &'static str, text: impl Into<Body>) -> Response {
    let mut response = answer::bytes(200, media_type, text);
    for (name, value) in GUARDS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_guarded() {
        let response = guarded("text/html; charset=utf-8", "");
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }

    #[test]
    fn pages_have_nothing_inline() {
        for page in [include_str!("home.html"), include_str!("setup.html")] {
            for inline in [
                "<style",
                " style=",
                " onclick=",
                " onload=",
                " onsubmit=",
                " onerror=",
                "javascript:",
            ] {
                assert!(!page.contains(inline), "{inline}");
            }
            assert!(page.matches("<script").count() == page.matches("<script src=\"/").count());
            assert!(page.contains("lang=\"en\"") && page.contains("<title>"));
        }
    }
}
