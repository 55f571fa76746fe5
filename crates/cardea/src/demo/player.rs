//! Plays calls over HTTP and keeps, for each, the `curl` by which a person would make it. Tokens and secrets are
//! shortened there: a story is read aloud.

use egress::{Client, Request, Response};
use http::Method;
use kernel::{ExposeSecret, SecretString};
use serde_json::Value;
use std::mem;

/// An answer with its JSON, if it has any.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

/// What a call may fail with: a sentence.
pub type Told<T> = Result<T, String>;

impl Seen {
    fn of(response: &Response) -> Self {
        Self {
            status: response.status,
            body: response.json().unwrap_or(Value::Null),
        }
    }
    /// The body of an answer that must be a success.
    pub fn ok(self) -> Told<Value> {
        if (200..300).contains(&self.status) {
            Ok(self.body)
        } else {
            Err(format!("answered {}: {}", self.status, self.body))
        }
    }
    /// The status and error of a refusal, in words.
    pub fn refusal(&self) -> String {
        let why = ["error", "code"]
            .iter()
            .find_map(|name| text(&self.body, name).ok());
        let detail = ["error_description", "detail"]
            .iter()
            .find_map(|name| text(&self.body, name).ok());
        format!(
            "{} {}: {}",
            self.status,
            why.unwrap_or_default(),
            detail.unwrap_or_default()
        )
    }
}

/// A member of an answer that must be text.
pub fn text(body: &Value, name: &str) -> Told<String> {
    body.get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("the answer has no `{name}`: {body}"))
}

/// A member of an answer that must be a secret.
pub fn secret(body: &Value, name: &str) -> Told<SecretString> {
    text(body, name).map(SecretString::from)
}

/// Goes on only if it holds.
pub fn expect(holds: bool, otherwise: impl FnOnce() -> String) -> Told<()> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Who plays.
pub struct Player {
    client: Client,
    base: String,
    org: String,
    curls: Vec<String>,
}

impl Player {
    /// Plays against the server at `base`.
    pub fn new(client: Client, base: &str, org: &str) -> Self {
        Self {
            client,
            base: base.to_owned(),
            org: org.to_owned(),
            curls: Vec::new(),
        }
    }
    /// The client, for calls that nobody reads aloud.
    pub const fn client(&self) -> &Client {
        &self.client
    }
    /// What was called since the last time.
    pub fn take_curls(&mut self) -> Vec<String> {
        mem::take(&mut self.curls)
    }
    /// Keeps these as called.
    pub fn keep_curls(&mut self, curls: impl Iterator<Item = String>) {
        self.curls.extend(curls);
    }
    /// The organization's issuer, as reached here.
    pub fn issuer(&self) -> String {
        format!("{}/o/{}", self.base, self.org)
    }

    /// Calls the management API.
    pub async fn api(
        &mut self,
        bearer: &SecretString,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Told<Seen> {
        let address = format!("{}/api/v1/orgs/{}{path}", self.base, self.org);
        let mut request = Request::new(method.clone(), &address)
            .and_then(|request| request.bearer(bearer))
            .map_err(told)?;
        if let Some(body) = &body {
            request = request.json(body).map_err(told)?;
        }
        let data = body.map(|body| {
            format!(
                " -H 'content-type: application/json' -d '{}'",
                shortened_values(body)
            )
        });
        self.curl(&method, &address, Some(bearer), &data.unwrap_or_default());
        self.send(request).await
    }
    /// Makes or does something with the management API.
    pub async fn post(&mut self, bearer: &SecretString, path: &str, body: Value) -> Told<Value> {
        self.api(bearer, Method::POST, path, Some(body)).await?.ok()
    }
    /// Posts a form to an endpoint of the issuer.
    pub async fn form(
        &mut self,
        path: &str,
        bearer: Option<&SecretString>,
        fields: &[(&str, &str)],
    ) -> Told<Seen> {
        let address = format!("{}{path}", self.issuer());
        let mut request = Request::post(&address)
            .and_then(|request| request.form(&fields))
            .map_err(told)?;
        if let Some(bearer) = bearer {
            request = request.bearer(bearer).map_err(told)?;
        }
        let data: String = fields
            .iter()
            .map(|(name, value)| format!(" -d {name}={}", shortened(value)))
            .collect();
        self.curl(&Method::POST, &address, bearer, &data);
        self.send(request).await
    }
    /// Calls somebody else's API.
    pub async fn elsewhere(
        &mut self,
        method: Method,
        address: &str,
        bearer: &SecretString,
    ) -> Told<Seen> {
        let request = Request::new(method.clone(), address)
            .and_then(|request| request.bearer(bearer))
            .map_err(told)?;
        self.curl(&method, address, Some(bearer), "");
        self.send(request).await
    }

    async fn send(&self, request: Request) -> Told<Seen> {
        self.client
            .send(request)
            .await
            .map(|response| Seen::of(&response))
            .map_err(told)
    }
    fn curl(&mut self, method: &Method, address: &str, bearer: Option<&SecretString>, data: &str) {
        let method = if method == Method::GET || (method == Method::POST && !data.is_empty()) {
            String::new()
        } else {
            format!(" -X {method}")
        };
        let bearer = bearer.map(|token| {
            format!(
                " -H 'authorization: Bearer {}'",
                shortened(token.expose_secret())
            )
        });
        self.curls.push(format!(
            "curl{method} {address}{}{data}",
            bearer.unwrap_or_default()
        ));
    }
}

fn told(error: egress::Error) -> String {
    error.to_string()
}

/// A secret by its first characters.
fn shortened(value: &str) -> String {
    let secret = value.starts_with("eyJ")
        || ["cda_", "cdt_", "cdx_", "cdu_"]
            .iter()
            .any(|prefix| value.starts_with(prefix));
    if secret {
        value.chars().take(12).chain(['…']).collect()
    } else {
        value.to_owned()
    }
}

fn shortened_values(value: Value) -> Value {
    match value {
        Value::String(text) => shortened(&text).into(),
        Value::Array(items) => items.into_iter().map(shortened_values).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (name, shortened_values(value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn no_secret_is_read_aloud() {
        let mut player = Player::new(
            Client::operator(egress::ClientOptions::default()).unwrap(),
            "http://localhost",
            "acme",
        );
        let token = SecretString::from("cdt_abcdefgh_the-secret-part");
        player.curl(&Method::POST, "http://localhost/x", Some(&token), "");
        let body = shortened_values(
            json!({ "a": ["eyJhbGciOiJFZERTQSJ9.the-secret-part"], "b": { "c": "cda_abcdefgh_the-secret-part" } }),
        );
        let said = format!("{} {body}", player.take_curls().join(" "));
        assert!(
            said.contains("cdt_abcdefgh…") && !said.contains("the-secret-part"),
            "{said}"
        );
    }
}
