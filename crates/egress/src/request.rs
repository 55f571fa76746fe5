//! A request to be sent and the answer to it. Credentials go into headers that are marked sensitive, so that
//! nothing below prints them.

use crate::Error;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use kernel::{ExposeSecret, SecretString};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// An answer, whatever its status.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, within the client's limit.
    pub body: Vec<u8>,
}

impl Request {
    /// A request to an absolute `http` or `https` URL. A URL with a user or password in it is refused.
    ///
    /// # Errors
    /// When the address is none.
    pub fn new(method: Method, address: &str) -> Result<Self, Error> {
        let wrong = || Error::Address(shown(address));
        let url = Url::parse(address).map_err(|_| wrong())?;
        let plain = url.username().is_empty() && url.password().is_none() && url.has_host();
        if !plain || !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        let headers = HeaderMap::new();
        let body = Vec::new();
        Ok(Self {
            method,
            url,
            headers,
            body,
        })
    }
    /// A GET.
    ///
    /// # Errors
    /// When the address is none.
    pub fn get(address: &str) -> Result<Self, Error> {
        Self::new(Method::GET, address)
    }
    /// A POST.
    ///
    /// # Errors
    /// When the address is none.
    pub fn post(address: &str) -> Result<Self, Error> {
        Self::new(Method::POST, address)
    }
    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.url.query_pairs_mut().append_pair(name, value);
        self
    }
    /// Sets a header.
    ///
    /// # Errors
    /// When the value holds a control character.
    pub fn header(mut self, name: &'static str, value: &str) -> Result<Self, Error> {
        let value = HeaderValue::from_str(value).map_err(|_| Error::Header(name))?;
        self.headers.insert(HeaderName::from_static(name), value);
        Ok(self)
    }
    /// Presents a bearer token (RFC 6750 section 2.1).
    ///
    /// # Errors
    /// When the token holds a control character.
    pub fn bearer(self, token: &SecretString) -> Result<Self, Error> {
        self.authorization(&format!("Bearer {}", token.expose_secret()))
    }
    /// Presents a client's name and secret (RFC 6749 section 2.3.1).
    ///
    /// # Errors
    /// When they cannot be encoded.
    pub fn basic(self, client: &str, secret: &SecretString) -> Result<Self, Error> {
        let pair = format!(
            "{}:{}",
            form_encoded(client),
            form_encoded(secret.expose_secret())
        );
        self.authorization(&format!("Basic {}", base64(pair.as_bytes())))
    }
    fn authorization(mut self, value: &str) -> Result<Self, Error> {
        let mut value = HeaderValue::from_str(value).map_err(|_| Error::Header("authorization"))?;
        value.set_sensitive(true);
        self.headers.insert(AUTHORIZATION, value);
        Ok(self)
    }
    /// Sends a body of JSON.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        self.body = serde_json::to_vec(body).map_err(|error| Error::Body(error.to_string()))?;
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self)
    }
    /// Sends a form.
    ///
    /// # Errors
    /// When it cannot be written as a form.
    pub fn form(mut self, fields: &impl Serialize) -> Result<Self, Error> {
        let text =
            serde_urlencoded::to_string(fields).map_err(|error| Error::Body(error.to_string()))?;
        self.body = text.into_bytes();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        self.headers.insert(CONTENT_TYPE, form);
        Ok(self)
    }
    /// Asks for JSON.
    #[must_use]
    pub fn accept_json(mut self) -> Self {
        self.headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        self
    }
    /// Scheme, host and port: all that a refusal says of the address.
    pub(crate) fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl Response {
    /// Whether the status is within 200 and 299.
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status <= 299
    }
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not that JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Answer(error.to_string()))
    }
    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// A header's value, when it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// An address without whatever may be secret in it.
fn shown(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let start = address
        .find('@')
        .filter(|at| *at < end)
        .map_or(0, |at| at + 1);
    address
        .get(start..end)
        .unwrap_or_default()
        .chars()
        .take(200)
        .collect()
}

fn form_encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_web_addresses_without_a_password_are_requests() {
        for bad in [
            "",
            "localhost:8080",
            "file:///etc/passwd",
            "http://",
            "https://u:p@host/",
            "//host/x",
        ] {
            assert!(Request::get(bad).is_err(), "{bad}");
        }
        let refused = Request::get("https://user:hunter2@host/?token=t0p")
            .unwrap_err()
            .to_string();
        assert!(
            !refused.contains("hunter2") && !refused.contains("t0p"),
            "{refused}"
        );
    }

    #[test]
    fn a_credential_is_sent_and_never_printed() {
        let secret = SecretString::from("s3cr3t/+");
        let request = Request::post("http://localhost/x")
            .unwrap()
            .basic("agt_1", &secret)
            .unwrap();
        let sent = request.headers.get(AUTHORIZATION).unwrap();
        assert_eq!(
            sent.to_str().unwrap(),
            format!("Basic {}", base64(b"agt_1:s3cr3t%2F%2B"))
        );
        assert!(!format!("{request:?}").contains(sent.to_str().unwrap()));
        assert!(
            Request::get("http://h/")
                .unwrap()
                .bearer(&SecretString::from("a\nb"))
                .is_err()
        );
    }
}
