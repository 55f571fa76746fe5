//! Somebody who talks to the server and remembers every secret they were shown or sent, and everything that must
//! hold none.

use super::{USER_AGENT, needles::is_secret};
use crate::world::{Answer, client};
use egress::Request;
use kernel::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Another secret of the same shape, as a slip of the finger makes it.
pub fn mistyped(secret: &str) -> String {
    let turned = if secret.as_bytes()[20] == b'x' {
        "y"
    } else {
        "x"
    };
    format!("{}{turned}{}", &secret[..20], &secret[21..])
}

/// Somebody who talks to the server and remembers every secret and everything that must hold none.
pub struct Canary {
    pub url: String,
    pub token: SecretString,
    pub secrets: BTreeMap<String, String>,
    pub emitted: Vec<(String, Vec<u8>)>,
}

impl Canary {
    pub fn learn(&mut self, secret: &str, what: &str) -> String {
        assert!(is_secret(secret), "{what} is no secret: {}", secret.len());
        self.secrets
            .entry(secret.to_owned())
            .or_insert_with(|| what.to_owned());
        secret.to_owned()
    }
    pub fn keep(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.emitted.push((place.into(), bytes.into()));
    }
    pub fn harvest(&mut self, value: &Value, what: &str) {
        match value {
            Value::String(text) => {
                if let Some(secret) = text.rsplit('#').next().filter(|text| is_secret(text)) {
                    self.learn(secret, what);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.harvest(item, what)),
            Value::Object(fields) => fields
                .iter()
                .for_each(|(name, value)| self.harvest(value, &format!("{what} {name}"))),
            _ => {}
        }
    }
    /// Sends; only the success of a write may show a secret, everything else is searched.
    pub async fn send(&mut self, request: Request, what: &str, shows: bool) -> Answer {
        let request = request.header("user-agent", USER_AGENT).unwrap();
        let answer = Answer::from(client().send(request).await.unwrap());
        self.keep(
            format!("the headers of {what}"),
            format!("{:?}", answer.response.headers),
        );
        if shows && answer.status < 300 {
            self.harvest(&answer.body, what);
        } else {
            self.keep(
                format!("the answer {} of {what}", answer.status),
                answer.response.body.clone(),
            );
        }
        answer
    }
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(method.parse().unwrap(), &format!("{}{path}", self.url)).unwrap()
    }
    pub async fn call(&mut self, method: &str, path: &str, body: Value) -> Answer {
        let request = self
            .request(method, &format!("/api/v1/orgs/acme{path}"))
            .bearer(&self.token)
            .unwrap();
        let request = if method == "GET" {
            request
        } else {
            request.json(&body).unwrap()
        };
        self.send(request, &format!("{method} {path}"), method != "GET")
            .await
    }
    pub async fn form(
        &mut self,
        endpoint: &str,
        form: &[(&str, &str)],
        basic: Option<(&str, &str)>,
    ) -> Answer {
        let mut request = self
            .request("POST", &format!("/o/acme/oauth2/{endpoint}"))
            .form(&form)
            .unwrap();
        if let Some((id, secret)) = basic {
            request = request.basic(id, &SecretString::from(secret)).unwrap();
        }
        self.send(request, endpoint, true).await
    }
    pub async fn tool(&mut self, name: &str, arguments: Value) -> Answer {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name, "arguments": arguments } });
        let request = self
            .request("POST", "/o/acme/mcp")
            .bearer(&self.token)
            .unwrap()
            .json(&body)
            .unwrap();
        let request = request
            .header("accept", "application/json, text/event-stream")
            .unwrap();
        let request = request
            .header("mcp-protocol-version", "2025-11-25")
            .unwrap();
        self.send(request, "a tool", false).await
    }
}
