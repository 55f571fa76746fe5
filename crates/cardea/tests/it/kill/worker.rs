//! A client that does everything at random and remembers what it was told, and what it was not told.

use super::wire::{AUDIENCE, Gone, Wire, draw, jti};
use crate::world::{AgentClient, text};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use testkit::clock::SeededEntropy;

/// What the server said it did.
pub enum Done {
    Made { kind: &'static str, id: String },
    AgentRevoked(String),
    TokenRevoked { token: String, jti: String },
}

/// A request without an answer.
pub struct Pending {
    pub kind: &'static str,
    pub field: &'static str,
    pub path: String,
    pub body: Value,
    pub key: String,
}

/// One client with what it was told; its agents and tokens are nobody else's.
pub struct Worker {
    pub at: usize,
    pub orders: String,
    pub dice: SeededEntropy,
    pub sent: u64,
    pub agents: Vec<AgentClient>,
    pub tokens: Vec<(usize, String)>,
    pub acknowledged: Vec<Done>,
    pub settled: Vec<Done>,
    pub pending: Vec<Pending>,
}

impl Worker {
    pub fn new(at: usize, orders: &str, dice: &SeededEntropy) -> Self {
        let (agents, tokens) = (Vec::new(), Vec::new());
        let (acknowledged, settled, pending) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            at,
            orders: orders.to_owned(),
            dice: SeededEntropy::new(draw(dice)),
            sent: 0,
            agents,
            tokens,
            acknowledged,
            settled,
            pending,
        }
    }

    pub async fn work(mut self, wire: Wire, stop: Arc<AtomicBool>) -> Self {
        // The server is gone when a request fails, and the test then says so; until that everything must succeed.
        while !stop.load(Ordering::SeqCst) && self.step(&wire).await.is_ok() {}
        self
    }

    pub async fn step(&mut self, wire: &Wire) -> Result<(), Gone> {
        let name = format!("w{}-{}", self.at, self.sent);
        self.sent += 1;
        if self.agents.is_empty() {
            return self.register(wire, &name).await;
        }
        let at = usize::try_from(draw(&self.dice)).unwrap() % self.agents.len();
        let agent = self.agents[at].clone();
        match draw(&self.dice) % 16 {
            0 | 1 => {
                let body = json!({ "email": format!("{name}@acme.example"), "name": name, "roles": ["member"] });
                self.make(wire, "user.created", "/users", body)
                    .await
                    .map(drop)
            }
            2 => {
                let body = json!({ "name": name, "permissions": [], "scopes": ["orders:read"] });
                self.make(wire, "role.created", "/roles", body)
                    .await
                    .map(drop)
            }
            3 => self.register(wire, &name).await,
            4 | 5 => {
                let body = json!({ "agent": agent.id, "purpose": name, "scopes": ["orders:read"], "deadline_seconds": 600 });
                let run = self.make(wire, "run.started", "/runs", body).await?;
                self.issued(&run["run_token"]);
                Ok(())
            }
            6 | 7 => {
                let body = json!({ "agent": agent.id, "connection": self.orders, "operation": "orders.list" });
                let given = self
                    .make(wire, "dispatch.allowed", "/dispatch", body)
                    .await?;
                assert_eq!(given["outcome"], "allow", "{given}");
                self.issued(&given["capability_token"]);
                Ok(())
            }
            8 if self.agents.len() > 2 => self.revoke_agent(wire).await,
            9 | 10 if !self.tokens.is_empty() => self.revoke_token(wire).await,
            _ => self.token(wire, at).await,
        }
    }

    /// Sends a request under a key, and remembers it with the key when no answer comes.
    pub async fn make(
        &mut self,
        wire: &Wire,
        kind: &'static str,
        path: &str,
        body: Value,
    ) -> Result<Value, Gone> {
        let field = if kind == "dispatch.allowed" {
            "dispatch"
        } else {
            "id"
        };
        let key = format!("key-{}-{}", self.at, self.sent);
        match wire.post(path, &body, &key).await {
            Ok(answer) => {
                let made = answer.ok();
                self.acknowledged.push(Done::Made {
                    kind,
                    id: text(&made, field),
                });
                Ok(made)
            }
            Err(error) => {
                self.pending.push(Pending {
                    kind,
                    field,
                    path: path.to_owned(),
                    body,
                    key,
                });
                Err(error)
            }
        }
    }

    pub async fn register(&mut self, wire: &Wire, name: &str) -> Result<(), Gone> {
        let auth = json!({ "method": "client_secret" });
        let body = json!({ "name": name, "owner": wire.owner, "scope_ceiling": ["orders:read"], "auth": auth });
        let made = self.make(wire, "agent.registered", "/agents", body).await?;
        self.agents.push(AgentClient {
            id: text(&made, "client_id"),
            secret: text(&made, "client_secret").into(),
        });
        Ok(())
    }

    pub async fn token(&mut self, wire: &Wire, at: usize) -> Result<(), Gone> {
        let asked = [
            ("grant_type", "client_credentials"),
            ("resource", AUDIENCE),
            ("scope", "orders:read"),
        ];
        let given = wire.form("token", &self.agents[at], &asked).await?.ok();
        self.issued(&given["access_token"]);
        self.tokens.push((at, text(&given, "access_token")));
        Ok(())
    }

    pub fn issued(&mut self, token: &Value) {
        let jti = jti(token.as_str().unwrap());
        self.acknowledged.push(Done::Made {
            kind: "token.issued",
            id: jti,
        });
    }

    pub async fn revoke_token(&mut self, wire: &Wire) -> Result<(), Gone> {
        let (at, token) = self
            .tokens
            .swap_remove(usize::try_from(draw(&self.dice)).unwrap() % self.tokens.len());
        let answer = wire
            .form("revoke", &self.agents[at], &[("token", &token)])
            .await?;
        assert_eq!(answer.status, 200, "{}", answer.response.text());
        let jti = jti(&token);
        self.acknowledged.push(Done::TokenRevoked { token, jti });
        Ok(())
    }

    /// The last one is revoked, so that places stay what they are.
    pub async fn revoke_agent(&mut self, wire: &Wire) -> Result<(), Gone> {
        let gone = self.agents.pop().unwrap();
        let left = self.agents.len();
        self.tokens.retain(|(at, _)| *at < left);
        let path = format!("/agents/{}/revoke", gone.id);
        wire.post(
            &path,
            &json!({}),
            &format!("gone-{}-{}", self.at, self.sent),
        )
        .await?
        .ok();
        self.acknowledged.push(Done::AgentRevoked(gone.id));
        Ok(())
    }
}
