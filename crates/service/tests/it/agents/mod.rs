//! Agents on a real store: registered under a human, given runs and capabilities, cut when something above them
//! goes, and never given anything by somebody who does not stand behind them.

mod dispatch;
mod refusals;
mod runs;
mod secrets;
mod trust;

use crate::world::World;
use serde_json::{Value, json};
use service::{
    Cx, Envelope,
    oauth::{self, IntrospectRequest, TokenRequest},
};

pub const ISSUER: &str = "http://localhost:8080/o/acme";

impl World {
    /// A connection that declares reading, writing and paying for orders.
    pub async fn orders(&self) -> Value {
        let input = json!({
            "name": "Orders", "audience": "https://orders.example.com/", "min_trust": 40,
            "scopes": ["orders:write", "orders:read", "orders:pay"],
            "operations": { "orders.list": "read", "orders.put": "write", "orders.pay": "spend" },
            "scope_classes": { "orders:pay": "spend" }, "labels": ["private_data"], "introspection": true,
        });
        self.owner_calls("connections.create", input).await.unwrap()
    }

    pub async fn agent(&self, name: &str, ceiling: &[&str]) -> Value {
        let input = json!({
            "name": name, "owner": self.owner, "scope_ceiling": ceiling, "auth": { "method": "client_secret" },
        });
        self.owner_calls("agents.register", input).await.unwrap()
    }

    pub async fn token(&self, agent: &Value, more: Value) -> Result<String, String> {
        let mut form = json!({
            "grant_type": "client_credentials", "client_id": agent["client_id"], "client_secret": agent["client_secret"],
        });
        form.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let request: TokenRequest = serde_json::from_value(form).unwrap();
        let granted = oauth::token(&self.platform, "acme", &Self::peer(), None, &request).await;
        granted
            .map(|granted| granted.answer.access_token)
            .map_err(|error| error.name.as_str().to_owned())
    }

    /// The agent's token for this server.
    pub async fn control(&self, agent: &Value) -> String {
        self.token(agent, json!({ "resource": ISSUER }))
            .await
            .unwrap()
    }

    pub async fn owner_asks(&self, envelope: Envelope, name: &str, input: Value) -> Value {
        let view = self.platform.node.view_of("acme").await.unwrap();
        let caller = service::authenticate(&self.platform, &view, &self.token, &Self::peer())
            .await
            .unwrap();
        let cx = Cx::new(self.platform.clone(), Self::peer(), envelope, caller, view);
        let operation = service::OPERATIONS
            .iter()
            .find(|operation| operation.meta().name == name)
            .unwrap();
        serde_json::from_slice(&operation.call(cx, input).await.unwrap().body).unwrap()
    }

    pub async fn is_active(&self, token: &str) -> bool {
        let request: IntrospectRequest = serde_json::from_value(json!({ "token": token })).unwrap();
        let asker = Some(self.token.as_str());
        oauth::introspect(&self.platform, "acme", &Self::peer(), None, asker, &request)
            .await
            .unwrap()
            .active
    }
}

pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
