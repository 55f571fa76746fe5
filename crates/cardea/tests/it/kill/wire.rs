//! The way to the server of one round, whose requests may end without an answer, and the log read over it.

use super::worker::Done;
use crate::{
    program::PUBLIC_URL,
    world::{AgentClient, Answer, Api, client, text},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use egress::{Client, Request};
use kernel::{Entropy, ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use testkit::clock::SeededEntropy;

pub const AUDIENCE: &str = "https://orders.example";
/// What an entry may be about once only: type and resource.
const ONCE: [&str; 6] = [
    "user.created",
    "role.created",
    "agent.registered",
    "run.started",
    "token.issued",
    "dispatch.allowed",
];

/// Who is at all work: the first owner with the bootstrap token.
pub struct Owner {
    pub id: String,
    pub token: SecretString,
}

impl Owner {
    pub fn of(init: &Value) -> Self {
        Self {
            id: text(init, "owner"),
            token: text(init, "token").into(),
        }
    }
}

/// The way to the server of one round.
pub struct Wire {
    pub client: Client,
    pub url: String,
    pub api: Api,
    pub owner: String,
    /// Whether the database's server is killed too.
    pub database_may_go: bool,
}

/// Nobody answered, or nobody who has a database.
#[derive(Debug)]
pub struct Gone;

impl From<egress::Error> for Gone {
    fn from(_: egress::Error) -> Self {
        Self
    }
}

impl Wire {
    pub fn new(url: &str, owner: &Owner) -> Self {
        let api = Api::new(url, "acme", owner.token.clone());
        Self {
            client: client(),
            url: url.to_owned(),
            api,
            owner: owner.id.clone(),
            database_may_go: false,
        }
    }
    /// Sends until it was not in another client's way, as clients do.
    pub async fn post(&self, path: &str, body: &Value, key: &str) -> Result<Answer, Gone> {
        loop {
            let request = Request::post(&format!("{}/api/v1/orgs/acme{path}", self.url))?
                .bearer(&self.api.token)?;
            let request = request.json(body)?.header("idempotency-key", key)?;
            let answer = self.answered(request).await?;
            if answer.body["code"] != "concurrent_change" {
                return Ok(answer);
            }
        }
    }
    pub async fn form(
        &self,
        endpoint: &str,
        agent: &AgentClient,
        form: &[(&str, &str)],
    ) -> Result<Answer, Gone> {
        let own = [
            ("client_id", agent.id.as_str()),
            ("client_secret", agent.secret.expose_secret()),
        ];
        let form: Vec<_> = form.iter().copied().chain(own).collect();
        loop {
            let request =
                Request::post(&format!("{}/o/acme/oauth2/{endpoint}", self.url))?.form(&form)?;
            let answer = self.answered(request).await?;
            if answer.status != 503 {
                return Ok(answer);
            }
        }
    }
    /// A server whose database may be gone says so, which is no answer; another server must answer.
    async fn answered(&self, request: Request) -> Result<Answer, Gone> {
        let answer = Answer::from(self.client.send(request).await?);
        if self.database_may_go
            && answer.status == 503
            && answer.body["code"] != "concurrent_change"
        {
            return Err(Gone);
        }
        Ok(answer)
    }
    /// Sends it until the database is there again, which takes seconds at most.
    pub async fn resent(&self, path: &str, body: &Value, key: &str) -> Answer {
        for _ in 0..200 {
            if let Ok(answer) = self.post(path, body, key).await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{path}: the server does not come back to its database");
    }
    pub async fn introspect(&self, token: &str) -> Value {
        let request = Request::post(&format!("{}/o/acme/oauth2/introspect", self.url)).unwrap();
        let request = request
            .form(&[("token", token)])
            .unwrap()
            .bearer(&self.api.token)
            .unwrap();
        Answer::from(self.client.send(request).await.unwrap()).ok()
    }
}

/// The connection whose tokens everybody asks for, and a role by which the owner holds its scope.
pub async fn prepare(url: &str, owner: &Owner) -> String {
    let api = Api::new(url, "acme", owner.token.clone());
    let body = json!({
        "name": "orders", "audience": AUDIENCE, "min_trust": 0, "scopes": ["orders:read", "orders:write"],
        "operations": { "orders.list": "read" },
    });
    let orders = text(&api.post("/connections", body).await.ok(), "id");
    let role = api
        .post(
            "/roles",
            json!({ "name": "reader", "permissions": [], "scopes": ["orders:read"] }),
        )
        .await
        .ok();
    api.post(
        "/role-assignments",
        json!({ "subject": owner.id, "role": role["id"] }),
    )
    .await
    .ok();
    orders
}

pub fn jti(token: &str) -> String {
    let claims = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], format!("{PUBLIC_URL}/o/acme"));
    text(&claims, "jti")
}

pub fn draw(dice: &SeededEntropy) -> u64 {
    let mut drawn = [0; 8];
    dice.fill(&mut drawn);
    u64::from_le_bytes(drawn)
}

/// What the log says, read on from where it was read to.
#[derive(Default)]
pub struct Log {
    pub after: u64,
    pub seen: HashMap<(String, String), usize>,
}

impl Log {
    pub async fn read(&mut self, wire: &Wire) {
        loop {
            let page = wire
                .api
                .get(&format!("/audit/events?limit=200&after={}", self.after))
                .await
                .ok();
            for item in page["items"].as_array().unwrap() {
                let sequence = item["sequence"].as_u64().unwrap();
                assert_eq!(sequence, self.after + 1, "an entry is missing");
                self.after = sequence;
                let resource = item["action"]["resource"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned();
                *self.seen.entry((text(item, "type"), resource)).or_default() += 1;
            }
            if page["next_after"].is_null() {
                break;
            }
        }
        let doubled: Vec<_> = self
            .seen
            .iter()
            .filter(|((kind, _), count)| ONCE.contains(&kind.as_str()) && **count > 1)
            .collect();
        assert!(doubled.is_empty(), "in the log more than once: {doubled:?}");
    }

    #[track_caller]
    pub fn holds(&self, done: &Done) {
        let (kind, resource) = match done {
            Done::Made { kind, id } => (*kind, id),
            Done::AgentRevoked(id) => ("agent.revoked", id),
            Done::TokenRevoked { jti, .. } => ("token.revoked", jti),
        };
        let count = self.seen.get(&(kind.to_owned(), resource.clone()));
        assert_eq!(count, Some(&1), "{kind} of {resource} was acknowledged");
    }
}
