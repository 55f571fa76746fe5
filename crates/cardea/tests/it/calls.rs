//! A request that is good enough for every operation, against things made for it a moment before. Tables of tests
//! are built from these; an operation that is missing here fails them.

mod inputs;

use crate::world::{Answer, Api, Person, World, client, text};
use egress::Request;
use serde_json::{Map, Value, json};
use service::{Meta, OPERATIONS};
use std::sync::atomic::{AtomicUsize, Ordering};

/// An organization and somebody whose things the requests are about.
#[derive(Clone)]
pub struct Stage {
    pub slug: String,
    /// An owner with a bootstrap token.
    pub owner: Person,
    /// Whose things the requests are about: a member.
    pub holder: Person,
    /// The agent that requests are about; without one each gets a new agent.
    pub agent: Option<String>,
    /// A connection that declares `orders:read` and `orders:write`.
    pub connection: String,
}

/// The fixed facts of the operation of this label; what stands in brackets after a name tells variants apart.
pub fn meta(label: &str) -> &'static Meta {
    let name = label.split(" (").next().unwrap_or_default();
    let known = OPERATIONS
        .iter()
        .map(|operation| operation.meta())
        .find(|meta| meta.name == name);
    known.unwrap_or_else(|| panic!("`{name}` is no operation"))
}

/// A name that nobody has.
pub fn unique(word: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(1);
    format!("{word}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Path and body of an operation in an organization: the path takes the fields it names, a body or a query the rest.
pub fn address(meta: &Meta, slug: &str, input: &Value) -> (String, Option<Value>) {
    let mut rest: Map<String, Value> = input.as_object().cloned().unwrap_or_default();
    let mut place = |segment: &str| match segment
        .strip_prefix('{')
        .and_then(|name| name.strip_suffix('}'))
    {
        Some("org") => slug.to_owned(),
        Some(name) => rest
            .remove(name)
            .map_or_else(String::new, |value| plain(&value)),
        None => segment.to_owned(),
    };
    let path: Vec<String> = meta.path.split('/').map(&mut place).collect();
    let path = format!("/api/v1{}", path.join("/"));
    if meta.method.has_body() {
        return (path, Some(Value::Object(rest)));
    }
    let query: Vec<String> = rest
        .iter()
        .map(|(name, value)| format!("{name}={}", plain(value)))
        .collect();
    let path = if query.is_empty() {
        path
    } else {
        format!("{path}?{}", query.join("&"))
    };
    (path, None)
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Calls an operation in an organization, with a bearer token or without one.
pub async fn call(
    url: &str,
    token: Option<&Api>,
    meta: &Meta,
    slug: &str,
    input: &Value,
) -> Answer {
    let (path, body) = address(meta, slug, input);
    let method = meta.method.as_str();
    if let Some(api) = token {
        return api
            .send(method, &format!("!{path}"), body.as_ref(), &[])
            .await;
    }
    let mut request = Request::new(method.parse().unwrap(), &format!("{url}{path}")).unwrap();
    if let Some(body) = &body {
        request = request.json(body).unwrap();
    }
    client().send(request).await.unwrap().into()
}

impl Stage {
    /// The organization `acme` of a world, with a member of this name whose things the requests are about.
    pub async fn acme(world: &World, holder: &str) -> Self {
        let holder = world
            .member(&format!("{holder}@acme.example"), &["member"])
            .await;
        Self::of("acme", world.owner.clone(), holder).await
    }

    /// A second organization on the same server, with an owner and a member of its own.
    pub async fn second(world: &World, slug: &str) -> Self {
        let email = format!("owner@{slug}.example");
        let done = service::setup::init(world.server.platform(), slug, &email, true)
            .await
            .unwrap();
        let owner = Person {
            id: done.owner.to_string(),
            api: Api::new(&world.url, slug, done.token.unwrap()),
        };
        let made = owner.api.post("/users", json!({ "email": format!("member@{slug}.example"), "name": "member", "roles": ["member"] }));
        let id = text(&made.await.ok(), "id");
        let api = token_of(&world.url, slug, &owner, &id).await;
        Self::of(slug, owner, Person { id, api }).await
    }

    async fn of(slug: &str, owner: Person, holder: Person) -> Self {
        let made = owner.api.post("/connections", connection()).await.ok();
        Self {
            slug: slug.into(),
            owner,
            holder,
            agent: None,
            connection: text(&made, "id"),
        }
    }

    /// The same organization, with requests about somebody else's things and a connection for their agents.
    pub async fn about(&self, holder: &Person) -> Self {
        Self::of(&self.slug, self.owner.clone(), holder.clone()).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.owner.api.post(path, body).await.ok()
    }

    async fn person(&self, roles: &[&str]) -> String {
        let email = format!("{}@people.example", unique("somebody"));
        text(
            &self
                .post(
                    "/users",
                    json!({ "email": email, "name": "somebody", "roles": roles }),
                )
                .await,
            "id",
        )
    }

    /// An active agent of the holder, with these scopes as its ceiling.
    pub async fn registered(&self, ceiling: &[&str]) -> Value {
        let wanted = self.registration(ceiling);
        if ceiling.is_empty() || self.holder.id == self.owner.id {
            return self.holder.api.post("/agents", wanted).await.ok();
        }
        // The holder's token declares no scope, so somebody else registers and the holder accepts.
        let made = self.post("/agents", wanted).await;
        let accept = format!("/agents/{}/accept", text(&made, "id"));
        self.holder.api.post(&accept, json!({})).await.ok();
        made
    }

    fn registration(&self, ceiling: &[&str]) -> Value {
        let (name, connections) = (unique("agent"), json!([self.connection]));
        json!({
            "name": name, "owner": self.holder.id, "connections": connections, "scope_ceiling": ceiling,
            "auth": { "method": "client_secret" },
        })
    }

    async fn an_agent(&self) -> String {
        match &self.agent {
            Some(agent) => agent.clone(),
            None => text(&self.registered(&[]).await, "id"),
        }
    }

    async fn a_run(&self) -> String {
        let body =
            json!({ "agent": self.an_agent().await, "purpose": "a test", "deadline_seconds": 600 });
        text(&self.post("/runs", body).await, "id")
    }

    async fn a_token(&self, of: &str) -> String {
        text(
            &self
                .post(
                    "/tokens",
                    json!({ "name": "to be used up", "principal": of, "permissions": [] }),
                )
                .await,
            "id",
        )
    }

    async fn an_assignment(&self, role: &str) -> String {
        let subject = self.person(&[]).await;
        text(
            &self
                .post(
                    "/role-assignments",
                    json!({ "subject": subject, "role": role }),
                )
                .await,
            "id",
        )
    }

    async fn a_rotation(&self) -> String {
        let agent = self.an_agent().await;
        text(
            &self
                .post(&format!("/agents/{agent}/secret-rotations"), json!({}))
                .await,
            "id",
        )
    }

    async fn suspended(&self, by: &Api) -> String {
        let agent = self.an_agent().await;
        if self.agent.is_none() {
            by.post(&format!("/agents/{agent}/suspend"), json!({}))
                .await
                .ok();
        }
        agent
    }

    async fn suspended_person(&self, roles: &[&str]) -> String {
        let id = self.person(roles).await;
        self.post(&format!("/users/{id}/suspend"), json!({})).await;
        id
    }

    async fn a_secret(&self) -> (String, String) {
        let agent = self.an_agent().await;
        let listed = self
            .owner
            .api
            .get(&format!("/agents/{agent}/secrets"))
            .await
            .ok();
        (agent, text(&listed["items"][0], "key_id"))
    }
}

fn connection() -> Value {
    let name = unique("orders");
    json!({
        "name": name, "audience": format!("https://{name}.example"), "min_trust": 30,
        "scopes": ["orders:read", "orders:write"],
        "operations": { "orders.list": "read", "orders.create": "write" },
    })
}

/// A token for somebody of an organization, made by its owner, that declares every permission.
pub async fn token_of(url: &str, slug: &str, owner: &Person, user: &str) -> Api {
    let all: Vec<&str> = domain::Permission::ALL
        .iter()
        .filter(|p| !p.is_instance())
        .map(|p| p.as_str())
        .collect();
    let body = json!({ "name": "test", "principal": user, "permissions": all });
    let made = owner.api.post("/tokens", body).await.ok();
    Api::new(url, slug, text(&made, "token").into())
}
