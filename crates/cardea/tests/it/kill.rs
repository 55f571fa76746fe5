//! A server that is killed under load, twenty times on each engine: what was acknowledged is there after every
//! restart, once, and the log is whole. What was in flight may be sent again under its key.

use crate::{
    program::{PUBLIC_URL, Place},
    world::{AgentClient, Answer, Api, client, text},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use egress::{Client, Request};
use futures::future::join_all;
use kernel::{Entropy, ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use testkit::{
    clock::SeededEntropy,
    postgres::Postgres,
    tools::{Tool, require},
};

const KILLS: u64 = 20;
const WORKERS: usize = 8;
const AUDIENCE: &str = "https://orders.example";
/// What the entries of a round must hold once each: type and resource.
const ONCE: [&str; 6] = [
    "user.created",
    "role.created",
    "agent.registered",
    "run.started",
    "token.issued",
    "dispatch.allowed",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_sqlite_loses_and_doubles_nothing() {
    killed_twenty_times(None, 0x5eed_0001).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f4_postgres_loses_and_doubles_nothing() {
    if require(Tool::Postgres).is_some() {
        killed_twenty_times(Some(Postgres::shared().database()), 0x5eed_0002).await;
    }
}

async fn killed_twenty_times(database_url: Option<String>, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place {
        data: folder.path().join("data"),
        database_url,
    };
    let owner = Owner::of(&place.init());
    let mut serving = place.serve();
    let orders = prepare(&serving.url, &owner).await;
    let dice = SeededEntropy::new(seed);
    let mut workers: Vec<Worker> = (0..WORKERS)
        .map(|at| Worker::new(at, &orders, &dice))
        .collect();
    let (mut log, mut total, mut resent) = (Log::default(), 0, 0);
    for kill in 0..KILLS {
        let stop = Arc::new(AtomicBool::new(false));
        let load = workers
            .into_iter()
            .map(|worker| tokio::spawn(worker.work(Wire::new(&serving.url, &owner), stop.clone())));
        let load: Vec<_> = load.collect();
        tokio::time::sleep(Duration::from_millis(200 + draw(&dice) % 200)).await;
        serving.kill();
        stop.store(true, Ordering::SeqCst);
        workers = join_all(load)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        place.run(&["audit", "verify", "--deep"]).with(0);
        serving = place.serve();
        let wire = Wire::new(&serving.url, &owner);
        resent += workers
            .iter()
            .map(|worker| worker.pending.len())
            .sum::<usize>();
        total += settle(&wire, &mut workers, &mut log).await;
        assert!(
            total > kill * 10,
            "only {total} writes in {kill} rounds: this is no load"
        );
    }
    assert!(resent > 0, "no kill came between a request and its answer");
    println!("{total} writes were acknowledged, {resent} were in flight and sent again");
    everything(&Wire::new(&serving.url, &owner), &workers).await;
    assert_eq!(serving.stop(), 0);
    place.run(&["audit", "verify", "--deep"]).with(0);
}

/// After a restart: sends again what was in flight, then holds every acknowledgement of this round against the
/// server and its log. Gives how many there were.
async fn settle(wire: &Wire, workers: &mut [Worker], log: &mut Log) -> u64 {
    for worker in workers.iter_mut() {
        for pending in std::mem::take(&mut worker.pending) {
            let again = wire
                .post(&pending.path, &pending.body, &pending.key)
                .await
                .unwrap()
                .ok();
            worker.acknowledged.push(Done::Made {
                kind: pending.kind,
                id: text(&again, pending.field),
            });
        }
    }
    log.read(wire).await;
    let mut count = 0;
    for worker in workers.iter_mut() {
        count += worker.acknowledged.len() as u64;
        for done in worker.acknowledged.drain(..) {
            log.holds(&done);
            stands(wire, &done).await;
            worker.settled.push(done);
        }
    }
    count
}

/// Whether the server says of it what it said before.
async fn stands(wire: &Wire, done: &Done) {
    let (path, field, expected) = match done {
        Done::Made {
            kind: "user.created",
            id,
        } => (format!("/users/{id}"), "id", json!(id)),
        Done::Made {
            kind: "agent.registered",
            id,
        } => (format!("/agents/{id}"), "id", json!(id)),
        Done::Made {
            kind: "run.started",
            id,
        } => (format!("/runs/{id}"), "id", json!(id)),
        Done::Made { .. } => return,
        Done::AgentRevoked(id) => (format!("/agents/{id}"), "state", json!("revoked")),
        Done::TokenRevoked { token, .. } => {
            let seen = wire.introspect(token).await;
            assert_eq!(
                seen,
                json!({ "active": false }),
                "a revoked token came back"
            );
            return;
        }
    };
    let seen = wire.api.get(&path).await.ok();
    assert_eq!(seen[field], expected, "{path}: {seen}");
}

/// At the end: what was revoked in any round still is, and every list has each thing once.
async fn everything(wire: &Wire, workers: &[Worker]) {
    let all: Vec<&Done> = workers.iter().flat_map(|worker| &worker.settled).collect();
    for done in all
        .iter()
        .filter(|done| matches!(done, Done::AgentRevoked(_) | Done::TokenRevoked { .. }))
    {
        stands(wire, done).await;
    }
    for (kind, path) in [
        ("user.created", "/users"),
        ("role.created", "/roles"),
        ("agent.registered", "/agents"),
    ] {
        let mut listed: HashMap<String, usize> = HashMap::new();
        let mut names: HashMap<String, usize> = HashMap::new();
        let mut next = format!("{path}?limit=200");
        loop {
            let page = wire.api.get(&next).await.ok();
            for item in page["items"].as_array().unwrap() {
                *listed.entry(text(item, "id")).or_default() += 1;
                *names
                    .entry(text(item, if path == "/users" { "email" } else { "name" }))
                    .or_default() += 1;
            }
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            next = format!("{path}?limit=200&cursor={cursor}");
        }
        assert!(
            names.values().all(|count| *count == 1),
            "{path}: doubled {names:?}"
        );
        for done in &all {
            if let Done::Made { kind: own, id } = done
                && *own == kind
            {
                assert_eq!(listed.get(id), Some(&1), "{path}: {id}");
            }
        }
    }
}

/// What the server said it did.
enum Done {
    Made { kind: &'static str, id: String },
    AgentRevoked(String),
    TokenRevoked { token: String, jti: String },
}

/// A request without an answer.
struct Pending {
    kind: &'static str,
    field: &'static str,
    path: String,
    body: Value,
    key: String,
}

/// One client with what it was told; its agents and tokens are nobody else's.
struct Worker {
    at: usize,
    orders: String,
    dice: SeededEntropy,
    sent: u64,
    agents: Vec<AgentClient>,
    tokens: Vec<(usize, String)>,
    acknowledged: Vec<Done>,
    settled: Vec<Done>,
    pending: Vec<Pending>,
}

impl Worker {
    fn new(at: usize, orders: &str, dice: &SeededEntropy) -> Self {
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

    async fn work(mut self, wire: Wire, stop: Arc<AtomicBool>) -> Self {
        // The server is gone when a request fails, and the test then says so; until that everything must succeed.
        while !stop.load(Ordering::SeqCst) && self.step(&wire).await.is_ok() {}
        self
    }

    async fn step(&mut self, wire: &Wire) -> Result<(), egress::Error> {
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
    async fn make(
        &mut self,
        wire: &Wire,
        kind: &'static str,
        path: &str,
        body: Value,
    ) -> Result<Value, egress::Error> {
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

    async fn register(&mut self, wire: &Wire, name: &str) -> Result<(), egress::Error> {
        let auth = json!({ "method": "client_secret" });
        let body = json!({ "name": name, "owner": wire.owner, "scope_ceiling": ["orders:read"], "auth": auth });
        let made = self.make(wire, "agent.registered", "/agents", body).await?;
        self.agents.push(AgentClient {
            id: text(&made, "client_id"),
            secret: text(&made, "client_secret").into(),
        });
        Ok(())
    }

    async fn token(&mut self, wire: &Wire, at: usize) -> Result<(), egress::Error> {
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

    fn issued(&mut self, token: &Value) {
        let jti = jti(token.as_str().unwrap());
        self.acknowledged.push(Done::Made {
            kind: "token.issued",
            id: jti,
        });
    }

    async fn revoke_token(&mut self, wire: &Wire) -> Result<(), egress::Error> {
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
    async fn revoke_agent(&mut self, wire: &Wire) -> Result<(), egress::Error> {
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

/// What the log says, read on from where it was read to.
#[derive(Default)]
struct Log {
    after: u64,
    seen: HashMap<(String, String), usize>,
}

impl Log {
    async fn read(&mut self, wire: &Wire) {
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
    fn holds(&self, done: &Done) {
        let (kind, resource) = match done {
            Done::Made { kind, id } => (*kind, id),
            Done::AgentRevoked(id) => ("agent.revoked", id),
            Done::TokenRevoked { jti, .. } => ("token.revoked", jti),
        };
        let count = self.seen.get(&(kind.to_owned(), resource.clone()));
        assert_eq!(count, Some(&1), "{kind} of {resource} was acknowledged");
    }
}

/// Who is at all work: the first owner with the bootstrap token.
struct Owner {
    id: String,
    token: SecretString,
}

impl Owner {
    fn of(init: &Value) -> Self {
        Self {
            id: text(init, "owner"),
            token: text(init, "token").into(),
        }
    }
}

/// The way to the server of one round.
struct Wire {
    client: Client,
    url: String,
    api: Api,
    owner: String,
}

impl Wire {
    fn new(url: &str, owner: &Owner) -> Self {
        let api = Api::new(url, "acme", owner.token.clone());
        Self {
            client: client(),
            url: url.to_owned(),
            api,
            owner: owner.id.clone(),
        }
    }
    /// Sends until it was not in another client's way, as clients do.
    async fn post(&self, path: &str, body: &Value, key: &str) -> Result<Answer, egress::Error> {
        loop {
            let request = Request::post(&format!("{}/api/v1/orgs/acme{path}", self.url))?
                .bearer(&self.api.token)?;
            let request = request.json(body)?.header("idempotency-key", key)?;
            let answer = Answer::from(self.client.send(request).await?);
            if answer.body["code"] != "concurrent_change" {
                return Ok(answer);
            }
        }
    }
    async fn form(
        &self,
        endpoint: &str,
        agent: &AgentClient,
        form: &[(&str, &str)],
    ) -> Result<Answer, egress::Error> {
        let own = [
            ("client_id", agent.id.as_str()),
            ("client_secret", agent.secret.expose_secret()),
        ];
        let form: Vec<_> = form.iter().copied().chain(own).collect();
        loop {
            let request =
                Request::post(&format!("{}/o/acme/oauth2/{endpoint}", self.url))?.form(&form)?;
            let answer = Answer::from(self.client.send(request).await?);
            if answer.status != 503 {
                return Ok(answer);
            }
        }
    }
    async fn introspect(&self, token: &str) -> Value {
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
async fn prepare(url: &str, owner: &Owner) -> String {
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

fn jti(token: &str) -> String {
    let claims = URL_SAFE_NO_PAD
        .decode(token.split('.').nth(1).unwrap())
        .unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["iss"], format!("{PUBLIC_URL}/o/acme"));
    text(&claims, "jti")
}

fn draw(dice: &SeededEntropy) -> u64 {
    let mut drawn = [0; 8];
    dice.fill(&mut drawn);
    u64::from_le_bytes(drawn)
}
