//! What tests of authority share: a human with two roles, a connection with two scopes, agents of that human, the
//! log in its order, and keys that sign assertions. Decides nothing itself.

use crate::world::{AgentClient, Answer, Api, Engine, Person, World, text};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use cardea::server::{Options, Server};
use jose::{Algorithm, SigningKey};
use kernel::{Clock, Entropy, ExposeSecret, SecretString, ambient::SystemClock};
use serde_json::{Value, json};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use testkit::clock::SeededEntropy;

/// A human who holds `{name}:read` and `{name}:write` by a role each, and the connection that declares them.
pub struct Scene<'w> {
    pub world: &'w World,
    pub name: String,
    /// Owns the agents; their token passes both scopes on.
    pub human: Person,
    /// The identifier of that token.
    pub token: String,
    pub connection: String,
    pub audience: String,
    /// The role that gives `write`.
    pub writer: String,
    /// The assignment by which the human has it.
    pub writing: String,
}

impl<'w> Scene<'w> {
    /// Everything is named after `name`, so that several scenes live in one world.
    pub async fn new(world: &'w World, name: &str) -> Self {
        let (audience, read, write) = (
            format!("https://{name}.example"),
            format!("{name}:read"),
            format!("{name}:write"),
        );
        let connection = connection(world, name, &audience, &[&read, &write]).await;
        let reader = world.role(&format!("{name}-reader"), &[&read]).await;
        let writer = world.role(&format!("{name}-writer"), &[&write]).await;
        let member = world
            .member(&format!("{name}@acme.example"), &["member", &reader])
            .await;
        let writing = assign(&world.owner.api, &member.id, &writer).await;
        let (token, api) = token_of(world, &member.id, &[&read, &write]).await;
        let human = Person { api, ..member };
        Self {
            world,
            name: name.into(),
            human,
            token,
            connection,
            audience,
            writer,
            writing,
        }
    }
    pub fn read(&self) -> String {
        format!("{}:read", self.name)
    }
    pub fn write(&self) -> String {
        format!("{}:write", self.name)
    }
    /// An agent of the human whose ceiling holds both scopes.
    pub async fn agent(&self, name: &str) -> AgentClient {
        self.world
            .agent(&self.human, name, &[&self.read(), &self.write()])
            .await
    }
    /// The human with a token that passes on every scope declared by now.
    pub async fn widely(&self) -> Person {
        let id = self.human.id.clone();
        let api = self.world.api_for(&id).await;
        Person { id, api }
    }
    /// Asks for a token for the connection.
    pub async fn issue(&self, agent: &AgentClient, more: &[(&str, &str)]) -> Answer {
        let resource = [("resource", self.audience.as_str())];
        self.world
            .token(agent, &[&resource[..], more].concat())
            .await
    }
    /// Asks whether the agent may do `verb` (`read` or `write`) now.
    pub async fn dispatch(
        &self,
        by: &Api,
        agent: &AgentClient,
        verb: &str,
        run: Option<&str>,
    ) -> Answer {
        let mut body = json!({ "agent": agent.id, "connection": self.connection, "operation": format!("do.{verb}") });
        if let Some(run) = run {
            body["run"] = json!(run);
        }
        by.post("/dispatch", body).await
    }
    /// Starts a run; gives its id and what its token sees.
    pub async fn run(&self, by: &Api, agent: &AgentClient, more: Value) -> (String, Api) {
        let made = start(by, agent, more).await.ok();
        (text(&made, "id"), self.api(&text(&made, "run_token")))
    }
    /// What somebody with this token sees.
    pub fn api(&self, token: &str) -> Api {
        self.human.api.with(SecretString::from(token.to_owned()))
    }
}

/// A world in which time is what the test says; none when this machine has no PostgreSQL and the test may be skipped.
pub async fn world_at(engine: Engine, clock: Arc<dyn Clock>) -> Option<World> {
    let database_url = match engine {
        Engine::Sqlite => None,
        Engine::Postgres => {
            testkit::tools::require(testkit::tools::Tool::Postgres)?;
            Some(testkit::postgres::Postgres::shared().database())
        }
    };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let options = Options {
        clock,
        database_url: database_url.map(SecretString::from),
        ..Options::new(folder.path())
    };
    let server = Server::start(options).await.unwrap();
    Some(World::of(server, engine, folder).await)
}

/// Starts a run of five minutes, with more fields.
pub async fn start(by: &Api, agent: &AgentClient, more: Value) -> Answer {
    let mut body = json!({ "agent": agent.id, "purpose": "test", "deadline_seconds": 300 });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    by.post("/runs", body).await
}

/// A connection whose operations are `do.read` and `do.write`.
pub async fn connection(world: &World, name: &str, audience: &str, scopes: &[&str]) -> String {
    let body = json!({
        "name": name, "audience": audience, "min_trust": 20, "scopes": scopes,
        "operations": { "do.read": "read", "do.write": "write" },
    });
    text(&world.owner.api.post("/connections", body).await.ok(), "id")
}

/// Gives a role for good; the assignment.
pub async fn assign(by: &Api, subject: &str, role: &str) -> String {
    text(
        &by.post(
            "/role-assignments",
            json!({ "subject": subject, "role": role }),
        )
        .await
        .ok(),
        "id",
    )
}

/// An API token of somebody that passes these scopes on, with every permission that they hold.
pub async fn token_of(world: &World, user: &str, scopes: &[&str]) -> (String, Api) {
    let all: Vec<&str> = domain::Permission::ALL
        .iter()
        .filter(|p| !p.is_instance())
        .map(|p| p.as_str())
        .collect();
    let body = json!({ "name": "test", "principal": user, "permissions": all, "scopes": scopes });
    let made = world.owner.api.post("/tokens", body).await.ok();
    let api = world
        .owner
        .api
        .with(SecretString::from(text(&made, "token")));
    (text(&made, "id"), api)
}

/// Every entry of the organization's log, in order.
pub async fn log(world: &World) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = world
            .owner
            .api
            .get(&format!("/audit/events?limit=200&after={after}"))
            .await
            .ok();
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_after"].as_u64() {
            Some(next) => after = next,
            None => return all,
        }
    }
}

/// The eight characters by which a secret is found.
pub fn key_id(secret: &SecretString) -> String {
    secret.expose_secret().split('_').nth(1).unwrap().to_owned()
}

/// Whether an introspection answer says that the token is good for this scope.
pub fn good_for(answer: &Value, scope: &str) -> bool {
    answer["active"] == true
        && answer["scope"]
            .as_str()
            .unwrap_or_default()
            .split(' ')
            .any(|held| held == scope)
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    serde_json::from_slice(&B64URL.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// A text as a secret.
pub fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// Another person who also owns an agent.
pub async fn neighbour(world: &World, scene: &Scene<'_>) -> (Person, AgentClient) {
    let person = world
        .member(
            "neighbour@acme.example",
            &["member", &format!("{}-reader", scene.name)],
        )
        .await;
    let agent = world.agent(&person, "neighbour", &[&scene.read()]).await;
    (person, agent)
}

/// Another organization with an owner of its own.
pub async fn beta(world: &World) -> Api {
    let done = service::setup::init(world.server.platform(), "beta", "owner@beta.example", true)
        .await
        .unwrap();
    Api::new(&world.url, "beta", done.token.unwrap())
}

/// An agent that signs its assertions (RFC 7523).
pub struct Signer {
    pub id: String,
    pub key: SigningKey,
    issuer: String,
    count: AtomicU64,
}

impl Signer {
    /// Registers one for the human of a scene.
    pub async fn register(scene: &Scene<'_>, name: &str) -> Self {
        let (key, _) = SigningKey::generate(Algorithm::EdDSA).unwrap();
        let auth = json!({ "method": "private_key_jwt", "jwks": { "keys": [key.public_jwk()] } });
        let ceiling = [scene.read(), scene.write()];
        let body = json!({ "name": name, "owner": scene.human.id, "scope_ceiling": ceiling, "auth": auth });
        let id = text(
            &scene.human.api.post("/agents", body).await.ok(),
            "client_id",
        );
        Self {
            id,
            key,
            issuer: format!("{}/o/acme", scene.world.url),
            count: AtomicU64::new(0),
        }
    }
    /// Claims that are accepted once.
    pub fn claims(&self) -> Value {
        let (now, n) = (
            SystemClock.now().seconds(),
            self.count.fetch_add(1, Ordering::SeqCst),
        );
        json!({ "iss": self.id, "sub": self.id, "aud": self.issuer, "iat": now, "exp": now + 60, "jti": format!("jti-{n}") })
    }
    /// Signs claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.key
            .sign_jwt("JWT", claims.to_string().as_bytes())
            .unwrap()
    }
    /// Asks for a token with an assertion.
    pub async fn issue(&self, scene: &Scene<'_>, assertion: &str) -> Answer {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.id),
            ("client_assertion_type", kind),
            ("client_assertion", assertion),
            ("resource", &scene.audience),
        ];
        scene.world.form("/o/acme/oauth2/token", &form).await
    }
}

/// Random choices that are the same for the same seed.
pub struct Dice(SeededEntropy);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(SeededEntropy::new(seed))
    }
    /// A number from 0 up to `n`, `n` not included.
    pub fn below(&self, n: usize) -> usize {
        let entropy: &dyn Entropy = &self.0;
        usize::try_from(entropy.number() % n as u64).unwrap()
    }
    /// One time out of `n`.
    pub fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }
    /// Lets others run for a random while.
    pub async fn pause(&self) {
        for _ in 0..self.below(48) {
            tokio::task::yield_now().await;
        }
    }
    /// One of these.
    pub fn pick<'a, T>(&self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
    /// Some of these, in their order.
    pub fn some<T: Clone>(&self, among: &[T]) -> Vec<T> {
        among.iter().filter(|_| self.one_in(2)).cloned().collect()
    }
}
