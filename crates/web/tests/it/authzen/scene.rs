//! An organization with people, roles, connections and agents, and questions about them.

use crate::world::{Answered, World, bare};
use axum::body::Body;
use base64::{Engine, engine::general_purpose::STANDARD as B64};
use kernel::ExposeSecret;
use serde_json::{Value, json};

pub const EVALUATION: &str = "/o/acme/access/v1/evaluation";
pub const EVALUATIONS: &str = "/o/acme/access/v1/evaluations";

/// `acme`, with the connection `orders` that declares `orders:read`, `orders:write` and `list:orders`, and `mail` with
/// `mail:send`.
pub struct Scene {
    pub world: World,
    /// May evaluate, search and explain.
    pub asker: String,
    /// The connection `orders` and its own credential.
    pub orders: (String, String),
}

pub fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap().to_owned()
}

/// A question as it is sent.
pub fn question(subject: (&str, &str), action: &str, resource: (&str, &str)) -> Value {
    json!({
        "subject": { "type": subject.0, "id": subject.1 },
        "action": { "name": action },
        "resource": { "type": resource.0, "id": resource.1 },
    })
}

impl Scene {
    pub async fn new() -> Self {
        let world = World::new().await;
        let mut scene = Self {
            world,
            asker: String::new(),
            orders: Default::default(),
        };
        let orders = json!({ "name": "orders", "audience": "https://orders.example", "min_trust": 20, "introspection": true,
            "scopes": ["orders:read", "orders:write", "list:orders"] });
        let made = scene.done("POST", "/connections", orders).await;
        scene.orders = (text(&made, "client_id"), text(&made, "client_secret"));
        let mail = json!({ "name": "mail", "audience": "https://mail.example", "min_trust": 20, "scopes": ["mail:send"] });
        scene.done("POST", "/connections", mail).await;
        scene.asker = scene
            .token(&[
                "decisions.evaluate",
                "decisions.search",
                "decisions.explain",
                "users.read",
                "agents.read",
                "roles.read",
                "relations.read",
            ])
            .await;
        scene
    }

    /// What the owner does through the management API, which must work.
    pub async fn done(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/api/v1/orgs/acme{path}");
        let answer = self.world.json(method, &path, &body.to_string()).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        answer.body
    }

    /// An API token of the owner's with these permissions.
    pub async fn token(&self, permissions: &[&str]) -> String {
        let body = json!({ "name": "asks", "permissions": permissions });
        text(&self.done("POST", "/tokens", body).await, "token")
    }

    /// A role of this name with these scopes.
    pub async fn role(&self, name: &str, scopes: &[&str]) {
        let body = json!({ "name": name, "permissions": [], "scopes": scopes });
        self.done("POST", "/roles", body).await;
    }

    /// An active person.
    pub async fn person(&self, name: &str, roles: &[&str]) -> String {
        let email = format!("{name}@acme.example");
        let body = json!({ "email": email, "name": name, "roles": roles });
        text(&self.done("POST", "/users", body).await, "id")
    }

    /// Gives a role; the assignment.
    pub async fn assign(&self, subject: &str, role: &str) -> String {
        let body = json!({ "subject": subject, "role": role });
        text(&self.done("POST", "/role-assignments", body).await, "id")
    }

    /// A token of a person's with every permission they may have.
    pub async fn token_of(&self, person: &str, scopes: &[&str]) -> String {
        let all: Vec<&str> = domain::Permission::ALL
            .iter()
            .filter(|p| !p.is_instance())
            .map(|p| p.as_str())
            .collect();
        let body =
            json!({ "name": "theirs", "principal": person, "permissions": all, "scopes": scopes });
        text(&self.done("POST", "/tokens", body).await, "token")
    }

    /// An agent of a person's: its id and secret.
    pub async fn registered(&self, owner: &str, name: &str, ceiling: &[&str]) -> (String, String) {
        let token = self.token_of(owner, ceiling).await;
        let body = json!({ "name": name, "owner": owner, "scope_ceiling": ceiling, "auth": { "method": "client_secret" } });
        let authorization = format!("Bearer {token}");
        let made = self
            .sent(
                "/api/v1/orgs/acme/agents",
                &authorization,
                &body.to_string(),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text);
        (
            text(&made.body, "client_id"),
            text(&made.body, "client_secret"),
        )
    }

    /// A token of an agent's for an audience.
    pub async fn issued(&self, (id, secret): (&str, &str), audience: &str) -> String {
        let form = format!(
            "grant_type=client_credentials&client_id={id}&client_secret={secret}&resource={audience}"
        );
        let issued = self.world.form("/o/acme/oauth2/token", &form).await;
        text(&issued.body, "access_token")
    }

    /// An agent of a person's: its id and a control token.
    pub async fn agent(&self, owner: &str, name: &str, ceiling: &[&str]) -> (String, String) {
        let (id, secret) = self.registered(owner, name, ceiling).await;
        let control = self
            .issued((&id, &secret), "https://iam.example/o/acme")
            .await;
        (id, control)
    }

    /// A JSON body under an `Authorization`.
    pub async fn sent(&self, path: &str, authorization: &str, body: &str) -> Answered {
        let request = bare("POST", path)
            .header("authorization", authorization)
            .header("content-type", "application/json");
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.world.send(request).await
    }

    /// What the asker is answered.
    pub async fn ask(&self, path: &str, body: &Value) -> Answered {
        let authorization = format!("Bearer {}", self.asker);
        self.sent(path, &authorization, &body.to_string()).await
    }

    /// The decision about a question of the asker's.
    pub async fn decides(&self, body: &Value) -> bool {
        let answer = self.ask(EVALUATION, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body["decision"].as_bool().unwrap()
    }

    /// What the asker is answered who asks why.
    pub async fn explain(&self, body: &Value) -> Answered {
        self.explain_to(&self.asker, body).await
    }

    /// What somebody is answered who asks why.
    pub async fn explain_to(&self, token: &str, body: &Value) -> Answered {
        let request = bare("POST", EVALUATION)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("cardea-explain", "true");
        let request = request.body(Body::from(body.to_string())).unwrap();
        let answer = self.world.send(request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer
    }

    /// The reason that is told to who may be told.
    pub async fn explained(&self, body: &Value) -> String {
        let answer = self.explain(body).await;
        let reason = &answer.body["context"]["reasons"][0];
        reason.as_str().unwrap().to_owned()
    }

    /// A connection's own credential as `Authorization`.
    pub fn basic(&self) -> String {
        let (id, secret) = &self.orders;
        format!("Basic {}", B64.encode(format!("{id}:{secret}")))
    }

    /// Another organization: an API token of its owner with every permission, and the owner's id.
    pub async fn other(&self, slug: &str) -> (String, String) {
        let email = format!("owner@{slug}.example");
        let done = service::setup::init(&self.world.platform, slug, &email, true).await;
        let done = done.unwrap();
        (
            done.token.unwrap().expose_secret().to_owned(),
            done.owner.to_string(),
        )
    }
}
