//! The revocation feed at an issuer: a long poll that answers one signed batch, a stream of them as server-sent events,
//! and the snapshot to begin with. What is in a batch is not decided here.

use super::basic::Authorization;
use crate::{answer, arrival::Arrival, door::Door};
use axum::{
    extract::{Path, Request, State},
    response::{
        IntoResponse, Response,
        sse::{self, Sse},
    },
};
use futures::{Stream, stream};
use http::{HeaderMap, HeaderValue, Uri, header};
use kernel::{Micros, limits};
use service::{
    Error, Peer, Result,
    feed::{self, Batch, Follower, MEDIA_TYPE},
    oauth::Basic,
};
use std::{convert::Infallible, sync::Arc};
use url::form_urlencoded;

const EVENT_STREAM: &str = "text/event-stream";

/// What a request for the feed says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Asked {
    after: Option<u64>,
    wait: Micros,
}

impl Asked {
    /// The query; `Last-Event-ID` of a client that reconnects counts more than the address it began with.
    fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "after" => asked.after = Some(number("after", &value)?),
                "wait" => {
                    let most = limits::FEED_WAIT.as_seconds().unsigned_abs();
                    let wait = number("wait", &value)?.min(most);
                    asked.wait = Micros::seconds(i64::try_from(wait).unwrap_or_default());
                }
                _ => {
                    return Err(Error::invalid(
                        &name,
                        "is unknown here; send `after` and `wait`",
                    ));
                }
            }
        }
        if let Some(last) = headers.get("last-event-id").filter(|id| !id.is_empty()) {
            asked.after = Some(number("Last-Event-ID", last.to_str().unwrap_or_default())?);
        }
        Ok(asked)
    }
}

fn number(field: &str, text: &str) -> Result<u64> {
    let known = text.parse().ok().filter(|n| i64::try_from(*n).is_ok());
    known.ok_or_else(|| Error::invalid(field, "must be a whole number"))
}

fn credential(authorization: &Authorization) -> (Option<&Basic>, Option<&str>) {
    match authorization {
        Authorization::Client(basic) => (Some(basic), None),
        Authorization::Bearer(token) => (None, Some(token)),
        Authorization::Absent | Authorization::Unusable => (None, None),
    }
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut texts = accepted.filter_map(|value| value.to_str().ok());
    texts.any(|text| {
        text.split(',')
            .any(|part| part.trim().starts_with(EVENT_STREAM))
    })
}

fn batch(batch: &Batch) -> Response {
    answer::bytes(200, MEDIA_TYPE, batch.jwt.to_string())
}

fn told(outcome: Result<Response>, peer: &Peer) -> Response {
    outcome.unwrap_or_else(|error| answer::problem(&error, &peer.request_id))
}

/// `GET …/revocations`.
pub(crate) async fn follow(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    mut request: Request,
) -> Response {
    let peer = Arrival::take(&mut request).peer;
    let (parts, _) = request.into_parts();
    let outcome = followed(&door, &org, &peer, &parts.uri, &parts.headers).await;
    told(outcome, &peer)
}

async fn followed(
    door: &Door,
    org: &str,
    peer: &Peer,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response> {
    let asked = Asked::of(uri, headers)?;
    let authorization = Authorization::of(headers);
    let by = credential(&authorization);
    let follower = feed::follow(&door.platform, org, peer, by, asked.after).await?;
    if wants_stream(headers) {
        return Ok(streamed(follower));
    }
    Ok(batch(&feed::poll(follower, asked.wait).await?))
}

/// A client that takes in nothing is cut off by the connection's patience; nothing waits for it in memory but the
/// one batch under way.
fn streamed(follower: Follower) -> Response {
    let mut response = Sse::new(events(follower)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}

fn events(follower: Follower) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(follower, async |mut follower: Follower| {
        let batch = follower.next().await?;
        let event = sse::Event::default()
            .id(batch.to.to_string())
            .event("revocations")
            .data(&*batch.jwt);
        Some((Ok(event), follower))
    })
}

/// `GET …/revocations/snapshot`.
pub(crate) async fn snapshot(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    mut request: Request,
) -> Response {
    let peer = Arrival::take(&mut request).peer;
    let authorization = Authorization::of(request.headers());
    let by = credential(&authorization);
    let taken = feed::snapshot(&door.platform, &org, &peer, by).await;
    told(taken.map(|taken| batch(&taken)), &peer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(uri: &str, last: Option<&str>) -> Result<Asked> {
        let mut headers = HeaderMap::new();
        if let Some(last) = last {
            headers.insert("last-event-id", last.parse().unwrap());
        }
        Asked::of(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn a_query_is_read_strictly_and_a_reconnect_goes_on() {
        let all = asked("/o/acme/revocations?after=7&wait=900", None).unwrap();
        assert_eq!((all.after, all.wait), (Some(7), limits::FEED_WAIT));
        assert_eq!(
            asked("/o/acme/revocations", None).unwrap(),
            Asked::default()
        );
        assert_eq!(asked("/x?after=7", Some("9")).unwrap().after, Some(9));
        for wrong in [
            "/x?after=-1",
            "/x?after=99999999999999999999",
            "/x?wait=soon",
            "/x?since=1",
        ] {
            assert!(asked(wrong, None).is_err(), "{wrong}");
        }
        assert!(asked("/x", Some("gone")).is_err());
    }
}
