//! The client: built once from options, shared by whoever calls out. The operator's profile trusts the addresses
//! it is given, because an operator configured them; it still follows nothing and reads no further than its limit.

use crate::{Error, Request, Response};
use reqwest::redirect;
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, version::TLS13};
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};

/// How long to wait and how much to read.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// The whole request, from the first packet to the last byte of the answer.
    pub timeout: Duration,
    /// Reaching the other side at all.
    pub connect_timeout: Duration,
    /// The largest answer read, in bytes.
    pub max_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        let (timeout, connect_timeout) = (Duration::from_secs(30), Duration::from_secs(5));
        Self {
            timeout,
            connect_timeout,
            max_bytes: 4 << 20,
        }
    }
}

/// An outbound client; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    inner: reqwest::Client,
    max_bytes: usize,
}

impl Client {
    /// A client for addresses that the operator configured.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn operator(options: ClientOptions) -> Result<Self, Error> {
        let inner = reqwest::Client::builder()
            .tls_backend_preconfigured(tls()?)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(options.timeout)
            .connect_timeout(options.connect_timeout)
            .user_agent(concat!("cardea/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Tls(root_cause(&error)))?;
        Ok(Self {
            inner,
            max_bytes: options.max_bytes,
        })
    }

    /// Sends a request and reads the answer, whatever its status.
    ///
    /// # Errors
    /// When nobody answers in time or the answer is too large.
    pub async fn send(&self, request: Request) -> Result<Response, Error> {
        let origin = request.origin();
        let (mut response, mut answer) = self.head(&origin, request).await?;
        while let Some(chunk) = chunk(&origin, &mut answer).await? {
            self.take(&origin, &mut response.body, &chunk)?;
        }
        Ok(response)
    }

    /// Sends a request and gives the body of a success to `take` as it comes, however long it is; any other
    /// answer is read as `send` does.
    ///
    /// # Errors
    /// As `send`, or when `take` does not take it.
    pub async fn send_into(
        &self,
        request: Request,
        take: &mut (dyn FnMut(&[u8]) -> std::io::Result<()> + Send),
    ) -> Result<Response, Error> {
        let origin = request.origin();
        let (mut response, mut answer) = self.head(&origin, request).await?;
        while let Some(chunk) = chunk(&origin, &mut answer).await? {
            if response.is_success() {
                take(&chunk)
                    .map_err(|error| Error::Answer(format!("it cannot be kept: {error}")))?;
            } else {
                self.take(&origin, &mut response.body, &chunk)?;
            }
        }
        Ok(response)
    }

    fn take(&self, origin: &str, body: &mut Vec<u8>, chunk: &[u8]) -> Result<(), Error> {
        if body.len() + chunk.len() > self.max_bytes {
            return Err(Error::TooLarge {
                origin: origin.to_owned(),
                limit: self.max_bytes,
            });
        }
        body.extend_from_slice(chunk);
        Ok(())
    }

    async fn head(
        &self,
        origin: &str,
        request: Request,
    ) -> Result<(Response, reqwest::Response), Error> {
        let failed = |error: reqwest::Error| unanswered(origin, &error);
        let Request {
            method,
            url,
            headers,
            body,
        } = request;
        let sent = self
            .inner
            .request(method, url)
            .headers(headers)
            .body(body)
            .send();
        let mut answer = sent.await.map_err(failed)?;
        let status = answer.status().as_u16();
        let headers = std::mem::take(answer.headers_mut());
        let response = Response {
            status,
            headers,
            body: Vec::new(),
        };
        Ok((response, answer))
    }

    /// Reads JSON from an address; the status must be a success.
    ///
    /// # Errors
    /// As `send`, or when the answer is not that JSON.
    pub async fn get_json<T: DeserializeOwned>(&self, address: &str) -> Result<T, Error> {
        let answer = self.send(Request::get(address)?.accept_json()).await?;
        if answer.is_success() {
            return answer.json();
        }
        Err(Error::Answer(format!("the status is {}", answer.status)))
    }

    /// Posts JSON.
    ///
    /// # Errors
    /// As `send`.
    pub async fn post_json(&self, address: &str, body: &impl Serialize) -> Result<Response, Error> {
        self.send(Request::post(address)?.accept_json().json(body)?)
            .await
    }

    /// Posts a form.
    ///
    /// # Errors
    /// As `send`.
    pub async fn post_form(
        &self,
        address: &str,
        fields: &impl Serialize,
    ) -> Result<Response, Error> {
        self.send(Request::post(address)?.accept_json().form(fields)?)
            .await
    }
}

/// TLS 1.3 against the machine's own roots. Without roots every `https` address is refused and `http` still works.
fn tls() -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Error::Tls(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

async fn chunk(
    origin: &str,
    answer: &mut reqwest::Response,
) -> Result<Option<bytes::Bytes>, Error> {
    let chunk = answer.chunk().await;
    chunk.map_err(|error| unanswered(origin, &error))
}

fn unanswered(origin: &str, error: &reqwest::Error) -> Error {
    let origin = origin.to_owned();
    if error.is_timeout() {
        Error::TimedOut { origin }
    } else {
        Error::Unreachable {
            origin,
            cause: root_cause(error),
        }
    }
}

/// The innermost cause; the outer ones repeat the URL with its query.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    /// Answers every connection with these bytes.
    async fn answering(answer: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = [0; 4096];
                let _read = socket.read(&mut head).await;
                let _written = socket.write_all(answer.as_bytes()).await;
            }
        });
        address
    }

    fn client(max_bytes: usize) -> Client {
        let timeout = Duration::from_millis(500);
        Client::operator(ClientOptions {
            timeout,
            max_bytes,
            ..ClientOptions::default()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let elsewhere =
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n";
        let address = answering(elsewhere.into()).await;
        let answer = client(100)
            .send(Request::get(&address).unwrap())
            .await
            .unwrap();
        assert_eq!(
            (answer.status, answer.header("location")),
            (302, Some("http://169.254.169.254/"))
        );
    }

    #[tokio::test]
    async fn an_answer_over_the_limit_is_refused() {
        let address = answering(format!(
            "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n\"{}\"",
            "a".repeat(9)
        ))
        .await;
        assert_eq!(
            client(11).get_json::<String>(&address).await.unwrap(),
            "a".repeat(9)
        );
        let refused = client(10)
            .send(Request::get(&address).unwrap())
            .await
            .unwrap_err();
        assert!(
            matches!(refused, Error::TooLarge { limit: 10, .. }),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn silence_and_absence_are_told_apart_from_an_answer() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/?secret=1", listener.local_addr().unwrap());
        let silent = client(10)
            .send(Request::get(&address).unwrap())
            .await
            .unwrap_err();
        assert!(matches!(silent, Error::TimedOut { .. }), "{silent}");
        drop(listener);
        let absent = client(10)
            .send(Request::get(&address).unwrap())
            .await
            .unwrap_err();
        assert!(
            absent.is_unreachable() && !absent.to_string().contains("secret"),
            "{absent}"
        );
    }
}
