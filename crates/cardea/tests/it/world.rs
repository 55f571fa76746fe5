//! A server of one's own on either engine, and the people and agents who use it, as types.

use cardea::server::{Options, Server};
use egress::{Client, ClientOptions, Request, Response};
use kernel::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Which database carries the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// Runs an async test body on both engines, as two tests.
macro_rules! on_both_engines {
    ($(#[$meta:meta])* $name:ident, $world:ident => $body:block) => {
        mod $name {
            #[allow(unused_imports, reason = "each body uses what it needs")]
            use super::*;
            use $crate::world::{Engine, World};

            async fn body($world: World) $body

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                let world = World::start(Engine::Sqlite).await.expect("the embedded database is always there");
                body(world).await;
            }

            $(#[$meta])*
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(world) = World::start(Engine::Postgres).await {
                    body(world).await;
                }
            }
        }
    };
}

/// A running server with the organization `acme`.
pub struct World {
    pub server: Server,
    pub url: String,
    /// The organization's id.
    pub org: String,
    pub owner: Person,
    pub engine: Engine,
    pub folder: Arc<tempfile::TempDir>,
}

/// A human with an API token.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub api: Api,
}

/// An agent with its secret.
#[derive(Clone, Debug)]
pub struct AgentClient {
    pub id: String,
    pub secret: SecretString,
}

/// What somebody with a bearer token sees.
#[derive(Clone)]
pub struct Api {
    client: Client,
    base: String,
    pub token: SecretString,
}

/// An answer with its JSON, if it has any.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub response: Response,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let body = response.json().unwrap_or(Value::Null);
        Self {
            status: response.status,
            body,
            response,
        }
    }
}

impl Answer {
    /// The body of an answer that must be a success.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.status,
            self.response.text()
        );
        self.body
    }
    /// The stable code of an answer that must be a refusal with this status.
    #[track_caller]
    pub fn refused(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{}", self.response.text());
        self.body["code"]
            .as_str()
            .or(self.body["error"].as_str())
            .unwrap_or_default()
    }
}

impl World {
    /// Starts a server; none when this machine has no PostgreSQL and the test may be skipped.
    pub async fn start(engine: Engine) -> Option<Self> {
        let database_url = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => {
                testkit::tools::require(testkit::tools::Tool::Postgres)?;
                Some(testkit::postgres::Postgres::shared().database())
            }
        };
        Some(Self::on(engine, database_url).await)
    }

    async fn on(engine: Engine, database_url: Option<String>) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let server = start_server(folder.path(), database_url.as_deref()).await;
        Self::of(server, engine, folder).await
    }

    /// Sets up `acme` on a server that runs already.
    pub async fn of(server: Server, engine: Engine, folder: Arc<tempfile::TempDir>) -> Self {
        let done = service::setup::init(server.platform(), "acme", "owner@acme.example", true)
            .await
            .unwrap();
        let url = format!("http://localhost:{}", server.address().port());
        let token = done.token.unwrap();
        let api = Api::new(&url, "acme", token);
        let owner = Person {
            id: done.owner.to_string(),
            api,
        };
        Self {
            server,
            url,
            org: done.org.to_string(),
            owner,
            engine,
            folder,
        }
    }

    /// An active member with a token of their own that holds everything they hold.
    pub async fn member(&self, email: &str, roles: &[&str]) -> Person {
        let made = self
            .owner
            .api
            .post(
                "/users",
                json!({ "email": email, "name": email.split('@').next(), "roles": roles }),
            )
            .await
            .ok();
        let id = text(&made, "id");
        let api = self.api_for(&id).await;
        Person { id, api }
    }

    /// A token for somebody, made by the owner.
    pub async fn api_for(&self, user: &str) -> Api {
        let all: Vec<&str> = domain::Permission::ALL
            .iter()
            .filter(|p| !p.is_instance())
            .map(|p| p.as_str())
            .collect();
        let connections = self.owner.api.get("/connections?limit=200").await.ok();
        let declared = connections["items"].as_array().into_iter().flatten();
        let scopes: std::collections::BTreeSet<&str> = declared
            .flat_map(|connection| connection["scopes"].as_array().into_iter().flatten())
            .filter_map(serde_json::Value::as_str)
            .collect();
        let body =
            json!({ "name": "test", "principal": user, "permissions": all, "scopes": scopes });
        let made = self.owner.api.post("/tokens", body).await.ok();
        Api::new(&self.url, "acme", SecretString::from(text(&made, "token")))
    }

    /// A custom role that gives these scopes.
    pub async fn role(&self, name: &str, scopes: &[&str]) -> String {
        text(
            &self
                .owner
                .api
                .post(
                    "/roles",
                    json!({ "name": name, "permissions": [], "scopes": scopes }),
                )
                .await
                .ok(),
            "id",
        )
    }

    /// A connection with two scopes: `orders:read` and `orders:write`.
    pub async fn orders(&self, audience: &str, min_trust: u8) -> String {
        let body = json!({
            "name": "orders", "audience": audience, "min_trust": min_trust,
            "scopes": ["orders:read", "orders:write"],
            "operations": { "orders.list": "read", "orders.create": "write" },
        });
        text(&self.owner.api.post("/connections", body).await.ok(), "id")
    }

    /// A token of somebody that declares every scope there is now, as registering an agent with scopes needs.
    pub async fn registrar(&self, person: &Person) -> Api {
        if person.id == self.owner.id {
            return person.api.clone();
        }
        self.api_for(&person.id).await
    }

    /// An agent registered by its owner.
    pub async fn agent(&self, owner: &Person, name: &str, ceiling: &[&str]) -> AgentClient {
        let body = json!({ "name": name, "owner": owner.id, "scope_ceiling": ceiling, "auth": { "method": "client_secret" } });
        let made = self.registrar(owner).await.post("/agents", body).await.ok();
        AgentClient {
            id: text(&made, "client_id"),
            secret: SecretString::from(text(&made, "client_secret")),
        }
    }

    /// Asks the token endpoint of `acme` with post authentication and more parameters.
    pub async fn token(&self, agent: &AgentClient, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_id", agent.id.as_str()),
        ];
        form.push(("client_secret", agent.secret.expose_secret()));
        form.extend_from_slice(more);
        self.form("/o/acme/oauth2/token", &form).await
    }

    /// Introspects with the owner's API token.
    pub async fn introspect(&self, token: &str) -> Value {
        let request = Request::post(&format!("{}/o/acme/oauth2/introspect", self.url)).unwrap();
        let request = request
            .form(&[("token", token)])
            .unwrap()
            .bearer(&self.owner.api.token)
            .unwrap();
        Answer::from(self.owner.api.client.send(request).await.unwrap()).ok()
    }

    /// Posts a form without a bearer.
    pub async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = Request::post(&format!("{}{path}", self.url))
            .unwrap()
            .form(&form)
            .unwrap();
        self.owner.api.client.send(request).await.unwrap().into()
    }

    /// A control-plane token of an agent, and what it sees.
    pub async fn control(&self, agent: &AgentClient) -> Api {
        let issuer = format!("{}/o/acme", self.url);
        let token = text(
            &self.token(agent, &[("resource", &issuer)]).await.ok(),
            "access_token",
        );
        Api::new(&self.url, "acme", SecretString::from(token))
    }

    /// Any GET, without a credential.
    pub async fn get(&self, path: &str) -> Answer {
        client()
            .send(Request::get(&format!("{}{path}", self.url)).unwrap())
            .await
            .unwrap()
            .into()
    }
}

/// Starts a server in a folder on a free loopback port.
pub async fn start_server(folder: &std::path::Path, database_url: Option<&str>) -> Server {
    let database_url = database_url.map(|url| SecretString::from(url.to_owned()));
    let options = Options {
        database_url,
        ..Options::new(folder)
    };
    Server::start(options).await.unwrap()
}

pub fn client() -> Client {
    Client::operator(ClientOptions::default()).unwrap()
}

impl Api {
    pub fn new(url: &str, org: &str, token: SecretString) -> Self {
        Self {
            client: client(),
            base: format!("{url}/api/v1/orgs/{org}"),
            token,
        }
    }
    /// The same organization with another token, over the same client.
    pub fn with(&self, token: SecretString) -> Self {
        Self {
            token,
            ..self.clone()
        }
    }
    /// The same token aimed at another organization's paths.
    pub fn at(&self, url: &str, org: &str) -> Self {
        Self::new(url, org, self.token.clone())
    }
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let address = match path.strip_prefix("!") {
            Some(absolute) => format!("{}{absolute}", self.base.split("/api/v1").next().unwrap()),
            None => format!("{}{path}", self.base),
        };
        let mut request = Request::new(method.parse().unwrap(), &address)
            .unwrap()
            .bearer(&self.token)
            .unwrap();
        for (name, value) in headers {
            request = request.header(name, value).unwrap();
        }
        if let Some(body) = body {
            request = request.json(body).unwrap();
        }
        self.client.send(request).await.unwrap().into()
    }
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, None, &[]).await
    }
    pub async fn post(&self, path: &str, body: impl Serialize) -> Answer {
        self.send(
            "POST",
            path,
            Some(&serde_json::to_value(body).unwrap()),
            &[],
        )
        .await
    }
    pub async fn put(&self, path: &str, body: Value) -> Answer {
        self.send("PUT", path, Some(&body), &[]).await
    }
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, Some(&body), &[]).await
    }
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, None, &[]).await
    }
}

/// A text member that must be there.
#[track_caller]
pub fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("no `{field}` in {value}"))
        .to_owned()
}
