//! The token, introspection and revocation endpoints (RFC 6749, 7662, 7009): a form in, JSON out, nothing kept.
//! A secret in the URL is refused before anything is read.

use super::{basic::Authorization, form::Form};
use crate::{answer, arrival::Arrival, body, door::Door, turn};
use axum::{
    body::Body,
    extract::{Path, Request, State},
    response::Response,
};
use bytes::Bytes;
use http::{HeaderValue, header};
use kernel::{Code, Timestamp, limit};
use proto::oauth::{ErrorAnswer, ErrorName};
use service::{
    Error, Peer,
    gate::{Class, Permit, Ticket},
    oauth::{self, ClientForm, IntrospectRequest, OAuthError, RevokeRequest, TokenRequest},
};
use std::sync::Arc;

const FORM: &str = "application/x-www-form-urlencoded";

/// A request whose head is in order and whose body has arrived.
struct Posted {
    peer: Peer,
    authorization: Authorization,
    body: Bytes,
    /// Its place among those that are carried out.
    _place: Permit,
}

/// A request before it is read.
struct Came {
    door: Arc<Door>,
    ticket: Ticket,
    peer: Peer,
}

/// A refusal and how it is told.
struct Refused {
    error: OAuthError,
    /// A status that says more than the error's own.
    status: Option<u16>,
    /// The scheme the client tried.
    bearer: bool,
}

impl From<OAuthError> for Refused {
    fn from(error: OAuthError) -> Self {
        Self {
            error,
            status: None,
            bearer: false,
        }
    }
}

fn invalid(text: &'static str) -> OAuthError {
    OAuthError::new(ErrorName::InvalidRequest, text)
}

/// Lets a request in, answers it, and counts it where the client is not believed.
async fn served(
    door: Arc<Door>,
    class: Class,
    org: String,
    mut request: Request,
    answer: impl AsyncFnOnce(&Came, &str, Request) -> Result<Response, Refused>,
) -> Response {
    let peer = Arrival::take(&mut request).peer;
    let ticket = match turn::admit(&door, class, Some(&org)) {
        Ok(ticket) => ticket,
        Err(error) => return told(&OAuthError::from(error).into()),
    };
    let came = Came { door, ticket, peer };
    match answer(&came, &org, request).await {
        Ok(response) => response,
        Err(refused) if refused.error.name == ErrorName::InvalidClient => {
            let limit = turn::failed(&came.door, &came.ticket, &came.peer);
            told(&limit.map_or_else(|error| OAuthError::from(error).into(), |()| refused))
        }
        Err(refused) => told(&refused),
    }
}

async fn posted(came: &Came, request: Request) -> Result<Posted, Refused> {
    let (parts, sent) = request.into_parts();
    if parts.uri.query().is_some() {
        return Err(
            invalid("this endpoint takes no query; send every parameter in the body").into(),
        );
    }
    if !body::is_of_type(&parts.headers, FORM) {
        return Err(invalid("send the parameters as `application/x-www-form-urlencoded`").into());
    }
    let authorization = Authorization::of(&parts.headers);
    let body = body::read(&parts.headers, sent, limit!(FORM_BYTES))
        .await
        .map_err(unread)?;
    let place = came.ticket.enter().await.map_err(OAuthError::from)?;
    Ok(Posted {
        peer: came.peer.clone(),
        authorization,
        body,
        _place: place,
    })
}

fn unread(error: Error) -> Refused {
    let told = matches!(error.code, Code::BodyTooLarge | Code::UnsupportedMediaType);
    let status = told.then_some(error.code.status());
    Refused {
        error: OAuthError::new(ErrorName::InvalidRequest, error.detail),
        status,
        bearer: false,
    }
}

/// Refuses a header that is neither a client's nor allowed here. The text is that of any failed authentication.
fn usable(authorization: &Authorization, bearer_allowed: bool) -> Result<(), Refused> {
    let is_bearer = matches!(authorization, Authorization::Bearer(_));
    if matches!(authorization, Authorization::Unusable) || (is_bearer && !bearer_allowed) {
        let text = "the client is unknown here or did not authenticate";
        return Err(OAuthError::new(ErrorName::InvalidClient, text).into());
    }
    Ok(())
}

fn client(form: &mut Form<'_>) -> ClientForm {
    ClientForm {
        client_id: form.take("client_id"),
        client_secret: form.take("client_secret"),
        client_assertion_type: form.take("client_assertion_type"),
        client_assertion: form.take("client_assertion"),
    }
}

fn told(refused: &Refused) -> Response {
    let Refused {
        error,
        status,
        bearer,
    } = refused;
    let body = ErrorAnswer {
        error: error.name.as_str().into(),
        error_description: error.description.clone().into_owned(),
    };
    let busy = error.code.filter(|code| code.status() == 429);
    let usual = busy.map_or(error.name.status(), Code::status);
    let mut response = answer::json(status.unwrap_or(usual), &body);
    if let Some(code) = error.code {
        turn::mark(&mut response, code);
    }
    let headers = response.headers_mut();
    match error.name {
        ErrorName::InvalidClient => {
            let challenge = if *bearer {
                "Bearer realm=\"cardea\""
            } else {
                "Basic realm=\"cardea\""
            };
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(challenge),
            );
        }
        ErrorName::TemporarilyUnavailable => {
            let seconds = error.code.and_then(answer::retry_after).unwrap_or("1");
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        _ => {}
    }
    response
}

/// `POST …/oauth2/token` (RFC 6749 section 3.2).
pub(crate) async fn token(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, Class::Token, org, request, grant).await
}

async fn grant(came: &Came, org: &str, request: Request) -> Result<Response, Refused> {
    let (door, posted) = (&came.door, posted(came, request).await?);
    usable(&posted.authorization, false)?;
    let mut form = Form::parse(&posted.body).map_err(invalid)?;
    let request = TokenRequest {
        grant_type: form.take("grant_type"),
        scope: form.take("scope"),
        resource: form.take("resource"),
        audience: form.take("audience"),
        run_id: form.take("run_id"),
        client: client(&mut form),
    };
    let granted = oauth::token(
        &door.platform,
        org,
        &posted.peer,
        posted.authorization.client(),
        &request,
    )
    .await?;
    let mut response = answer::json(200, &granted.answer);
    if let Some(end) = granted.retiring {
        announce(&mut response, door.platform.clock.now(), end);
    }
    Ok(response)
}

/// Tells a client that its secret is being replaced (RFC 9745, RFC 8594), so that it can move by itself.
fn announce(response: &mut Response, now: Timestamp, end: Timestamp) {
    let sunset = jiff::Timestamp::from_second(end.seconds())
        .ok()
        .and_then(|end| {
            jiff::fmt::rfc2822::DateTimePrinter::new()
                .timestamp_to_rfc9110_string(&end)
                .ok()
        });
    let said = [
        (
            "x-credential-rotation",
            Some(format!("retiring; not_after={end}")),
        ),
        ("deprecation", Some(format!("@{}", now.seconds()))),
        ("sunset", sunset),
    ];
    for (name, text) in said {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// `POST …/oauth2/introspect` (RFC 7662).
pub(crate) async fn introspect(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, Class::Decision, org, request, look).await
}

async fn look(came: &Came, org: &str, request: Request) -> Result<Response, Refused> {
    let (door, posted) = (&came.door, posted(came, request).await?);
    usable(&posted.authorization, true)?;
    let mut form = Form::parse(&posted.body).map_err(invalid)?;
    let request = IntrospectRequest {
        token: form.take("token"),
        client: client(&mut form),
    };
    let bearer = match &posted.authorization {
        Authorization::Bearer(token) => Some(token.as_str()),
        _ => None,
    };
    if bearer.is_some()
        && (request.client.client_secret.is_some() || request.client.client_assertion.is_some())
    {
        return Err(invalid("authenticate by one method only: bearer token or client").into());
    }
    let basic = posted.authorization.client();
    let answer =
        oauth::introspect(&door.platform, org, &posted.peer, basic, bearer, &request).await;
    let answer = answer.map_err(|error| Refused {
        bearer: bearer.is_some(),
        ..error.into()
    })?;
    Ok(answer::json(200, &answer))
}

/// `POST …/oauth2/revoke` (RFC 7009).
pub(crate) async fn revoke(
    State(door): State<Arc<Door>>,
    Path(org): Path<String>,
    request: Request,
) -> Response {
    served(door, Class::Revocation, org, request, give_back).await
}

async fn give_back(came: &Came, org: &str, request: Request) -> Result<Response, Refused> {
    let (door, posted) = (&came.door, posted(came, request).await?);
    usable(&posted.authorization, false)?;
    let mut form = Form::parse(&posted.body).map_err(invalid)?;
    let request = RevokeRequest {
        token: form.take("token"),
        client: client(&mut form),
    };
    oauth::revoke(
        &door.platform,
        org,
        &posted.peer,
        posted.authorization.client(),
        &request,
    )
    .await?;
    let mut response = answer::bytes(200, "application/json", Body::empty());
    response.headers_mut().remove(header::CONTENT_TYPE);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retiring_secret_is_announced_in_three_headers() {
        let mut response = Response::new(Body::empty());
        let end = Timestamp::from_seconds(1_795_338_000);
        announce(&mut response, Timestamp::from_seconds(1_795_330_000), end);
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            header("x-credential-rotation"),
            "retiring; not_after=2026-11-22T09:00:00.000000Z"
        );
        assert_eq!(header("deprecation"), "@1795330000");
        assert_eq!(header("sunset"), "Sun, 22 Nov 2026 09:00:00 GMT");
    }

    #[test]
    fn a_failed_client_is_challenged() {
        let refused: Refused = OAuthError::new(ErrorName::InvalidClient, "no").into();
        let response = told(&refused);
        assert_eq!(response.status(), 401);
        assert_eq!(
            response.headers()[header::WWW_AUTHENTICATE],
            "Basic realm=\"cardea\""
        );
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }

    #[test]
    fn a_bearer_token_is_no_client_authentication() {
        let bearer = Authorization::Bearer("cdt_x".into());
        assert!(usable(&bearer, true).is_ok());
        assert!(usable(&bearer, false).is_err());
        assert!(usable(&Authorization::Unusable, true).is_err());
        assert!(usable(&Authorization::Absent, false).is_ok());
    }
}
