//! A small API of somebody else's, as the story needs one: it keeps orders and lets in who brings a token of the
//! issuer it trusts, for itself, with the scope. It verifies by the published keys and asks nobody.

use egress::{Client, Error as EgressError};
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use jose::{Algorithm, JwkSet, KeySet, Policy};
use kernel::{Clock, limits};
use proto::oauth::Metadata;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{convert::Infallible, io, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const POLICY: Policy = Policy {
    typ: &["at+jwt"],
    algorithms: &[Algorithm::EdDSA, Algorithm::ES256],
    max_bytes: limits::TOKEN_BYTES,
};

/// Why the API could not open.
#[derive(Debug, thiserror::Error)]
pub enum DownstreamError {
    /// The issuer's keys could not be read.
    #[error(transparent)]
    Issuer(#[from] EgressError),
    /// A key is no key.
    #[error("a published key cannot be used: {0}")]
    Keys(#[from] jose::Error),
    /// The network.
    #[error("the orders API cannot listen: {0}")]
    Listen(#[from] io::Error),
}

/// The API, open until it is dropped.
pub struct Downstream {
    /// Where it is, which is also its audience.
    pub url: String,
    task: JoinHandle<()>,
}

impl Drop for Downstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Trust {
    issuer: String,
    audience: String,
    keys: KeySet,
    clock: Arc<dyn Clock>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: i64,
    sub: String,
    scope: String,
}

impl Downstream {
    /// Opens on a free port of this machine, trusting the issuer that this document describes (RFC 8414).
    ///
    /// # Errors
    /// When the document or its keys cannot be read.
    pub async fn open(
        client: &Client,
        metadata: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, DownstreamError> {
        let issuer: Metadata = client.get_json(metadata).await?;
        let keys = KeySet::from_jwks(&client.get_json::<JwkSet>(&issuer.jwks_uri).await?)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let trust = Arc::new(Trust {
            issuer: issuer.issuer,
            audience: url.clone(),
            keys,
            clock,
        });
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, trust.clone()));
            }
        });
        Ok(Self { url, task })
    }
}

async fn serve(stream: TcpStream, trust: Arc<Trust>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let trust = trust.clone();
        async move { Ok::<_, Infallible>(answer(&trust, request.method(), request.headers())) }
    });
    // A client that goes away is no matter.
    let _ended = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn answer(trust: &Trust, method: &Method, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let wanted = if method == Method::GET {
        "orders:read"
    } else {
        "orders:write"
    };
    match admit(trust, headers, wanted) {
        Ok(agent) => respond(
            StatusCode::OK,
            &json!({ "orders": ["1001", "1002"], "for": agent }),
        ),
        Err(error @ ("insufficient_scope", _)) => refuse(StatusCode::FORBIDDEN, error),
        Err(error) => refuse(StatusCode::UNAUTHORIZED, error),
    }
}

/// Who calls, if the token is the issuer's, for this API, alive, and good for `wanted` (RFC 9068 section 4).
fn admit(
    trust: &Trust,
    headers: &HeaderMap,
    wanted: &str,
) -> Result<String, (&'static str, String)> {
    let invalid = |why: &str| ("invalid_token", why.to_owned());
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = bearer
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(|| invalid("there is no token"))?;
    let verified = jose::verify_jwt(token, &trust.keys, &POLICY)
        .map_err(|error| invalid(&error.to_string()))?;
    let claims: Claims =
        jose::parse_claims(&verified).map_err(|error| invalid(&error.to_string()))?;
    if claims.iss != trust.issuer {
        return Err(invalid("it is another issuer's"));
    }
    if claims.aud != trust.audience {
        return Err(("invalid_token", format!("it is for {}", claims.aud)));
    }
    if claims.exp <= trust.clock.now().seconds() {
        return Err(invalid("it has ended"));
    }
    if claims.scope.split(' ').any(|scope| scope == wanted) {
        return Ok(claims.sub);
    }
    Err((
        "insufficient_scope",
        format!("it is good for `{}`, not `{wanted}`", claims.scope),
    ))
}

fn refuse(status: StatusCode, (error, description): (&str, String)) -> Response<Full<Bytes>> {
    respond(
        status,
        &json!({ "error": error, "error_description": description }),
    )
}

fn respond(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}
