//! The callers of the permission table and how one cell is found: a good request is prepared, sent by the caller
//! and prepared anew once it was carried out, so that no cell sees what another did.

use super::rows::{DoorRow, Sent};
use crate::{
    calls::{self, Stage},
    world::{AgentClient, Answer, Api, Engine, Person, World, client, text},
};
use domain::Builtin;
use egress::Request;
use futures::future::join_all;
use kernel::{Clock, ExposeSecret, Micros, SecretString, ambient::SystemClock};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The columns, in order.
pub const HEADS: [&str; 19] = [
    "boot", "ownr", "admn", "secu", "bill", "audt", "edit", "view", "gues", "mem~", "memb", "agt~",
    "agnt", "susp", "expd", "rvkd", "anon", "path", "id",
];

/// Columns that are one built-in role.
pub const ROLES: [(&str, Builtin); 10] = [
    ("ownr", Builtin::Owner),
    ("admn", Builtin::Administrator),
    ("secu", Builtin::SecurityAdministrator),
    ("bill", Builtin::BillingAdministrator),
    ("audt", Builtin::Auditor),
    ("edit", Builtin::Editor),
    ("view", Builtin::Viewer),
    ("gues", Builtin::Guest),
    ("mem~", Builtin::Member),
    ("memb", Builtin::Member),
];

/// Everybody, and the two organizations they meet in.
pub struct Cast {
    world: World,
    /// `acme`, about the things of somebody who is no caller.
    acme: Stage,
    /// `acme`, about the member's own things.
    own: Stage,
    beta: Stage,
    callers: BTreeMap<&'static str, Option<Api>>,
    /// What belongs to nobody of the callers: a list that shows it shows more than one's own.
    strange: Vec<String>,
    /// A live control token of each organization.
    tokens: BTreeMap<String, SecretString>,
}

impl Cast {
    pub async fn assembled() -> Self {
        let world = World::start(Engine::Sqlite).await.unwrap();
        let acme = Stage::acme(&world, "sam").await;
        let beta = Stage::second(&world, "beta").await;
        let strange = vec![
            acme.holder.id.clone(),
            agent_of(&acme).await.id,
            acme.connection.clone(),
        ];
        acme.owner
            .api
            .post(
                "/runs",
                json!({ "agent": strange[1], "purpose": "a test", "deadline_seconds": 600 }),
            )
            .await
            .ok();
        let mut callers = people(&world).await;
        let member = Person {
            id: callers["memb"].0.clone(),
            api: callers["memb"].1.clone(),
        };
        let own = acme.about(&member).await;
        callers.insert("mem~", (member.id, member.api));
        let mut callers: BTreeMap<&'static str, Option<Api>> = callers
            .into_iter()
            .map(|(head, (_, api))| (head, Some(api)))
            .collect();
        callers.insert("boot", Some(world.owner.api.clone()));
        callers.insert("agnt", Some(world.control(&agent_of(&own).await).await));
        callers.insert("anon", None);
        let mut tokens = BTreeMap::new();
        for stage in [&acme, &beta] {
            tokens.insert(stage.slug.clone(), control_token(&world, stage).await);
        }
        Self {
            world,
            acme,
            own,
            beta,
            callers,
            strange,
            tokens,
        }
    }

    /// The cells of an operation.
    pub async fn row(&mut self, label: &str) -> Vec<String> {
        let meta = calls::meta(label);
        let agent = agent_of(&self.acme).await;
        self.callers
            .insert("agt~", Some(self.world.control(&agent).await));
        let itself = Stage {
            agent: Some(agent.id),
            ..self.acme.clone()
        };
        let (mut cells, mut ready, mut full) = (Vec::new(), BTreeMap::new(), false);
        for head in &HEADS[..17] {
            let (of, stage) = match *head {
                "mem~" => ("mem~", &self.own),
                "agt~" => ("agt~", &itself),
                _ => ("", &self.acme),
            };
            if !ready.contains_key(of) {
                ready.insert(of, stage.input(&self.world, label).await);
            }
            let caller = self.callers[head].as_ref();
            let answer = calls::call(&self.world.url, caller, meta, "acme", &ready[of]).await;
            let shows = self
                .strange
                .iter()
                .any(|id| answer.response.text().contains(id));
            full |= shows;
            let listed = meta.is_read() && answer.body["items"].is_array();
            cells.push(cell(&answer, listed && full && !shows));
            if answer.response.is_success() && !meta.is_read() {
                ready.remove(of);
                self.tidy(label).await;
            }
        }
        cells.push(if meta.path.contains("{org}") {
            self.elsewhere(label, "beta").await
        } else {
            "·".into()
        });
        cells.push(if self.names_things(label).await {
            self.elsewhere(label, "acme").await
        } else {
            "·".into()
        });
        cells
    }

    /// What an operation leaves behind that would change other cells.
    async fn tidy(&self, label: &str) {
        if label == "kill_switches.set_instance" {
            let lift = json!({ "on": false, "reason": "the cell is done" });
            self.world
                .owner
                .api
                .send("PUT", "!/api/v1/kill-switches/instance", Some(&lift), &[])
                .await
                .ok();
        }
    }

    async fn names_things(&self, label: &str) -> bool {
        let input = self.beta.input(&self.world, label).await;
        let id = |value: &Value| {
            value
                .as_str()
                .is_some_and(|text| text.split('_').nth(1).is_some_and(|rest| rest.len() == 26))
        };
        input.as_object().unwrap().values().any(id)
    }

    /// Everybody of `acme` with things of `beta`, in one path or the other. One cell when all are told the same.
    async fn elsewhere(&self, label: &str, slug: &str) -> String {
        let (meta, input) = (
            calls::meta(label),
            self.beta.input(&self.world, label).await,
        );
        let alive = self
            .callers
            .iter()
            .filter(|(head, _)| !["susp", "expd", "rvkd", "anon"].contains(head));
        let calls =
            alive.map(|(_, api)| calls::call(&self.world.url, api.as_ref(), meta, slug, &input));
        let told: BTreeSet<String> = join_all(calls)
            .await
            .iter()
            .map(|answer| cell(answer, false))
            .collect();
        told.into_iter().collect::<Vec<_>>().join("/")
    }

    /// The cells of a route that is no operation.
    pub async fn door(&self, door: &DoorRow) -> Vec<String> {
        let mut cells = Vec::new();
        for head in &HEADS[..17] {
            cells.push(self.knock(door, "acme", self.callers[head].as_ref()).await);
        }
        if !door.path.contains("{org}") {
            cells.extend(["·".to_owned(), "·".to_owned()]);
            return cells;
        }
        let mut told = BTreeSet::new();
        for head in &HEADS[..13] {
            told.insert(self.knock(door, "beta", self.callers[head].as_ref()).await);
        }
        cells.push(told.into_iter().collect::<Vec<_>>().join("/"));
        cells.push("·".into());
        cells
    }

    async fn knock(&self, door: &DoorRow, slug: &str, caller: Option<&Api>) -> String {
        let path = door.path.replace("{org}", slug);
        let path = path.replace("{*tile}", "0/000.p/1");
        let path = path.replace("{code}", "not_found");
        let path = path.replace(
            "{connection}/{scope}",
            "con_00000000000000000000000000/orders:read",
        );
        let path = path.replace("{*path}", "orders/1");
        // A store and a model that nobody has: whoever may ask hears that.
        let nobodys = "00000000000000000000000000";
        let path = path.replace("{store}", nobodys).replace("{model}", nobodys);
        let path = path.replace("{*rest}", "nothing");
        let address = format!("{}{path}", self.world.url);
        let mut request = Request::new(door.method.parse().unwrap(), &address).unwrap();
        if let Some(api) = caller {
            request = request.bearer(&api.token).unwrap();
        }
        let token = self.tokens[slug].expose_secret();
        let request = match door.sent {
            Sent::Nothing => request,
            Sent::Form(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| (*name, value.replace("{token}", token)))
                    .collect();
                request.form(&fields).unwrap()
            }
            Sent::Hello => hello(request),
            Sent::Question => question(request),
        };
        let answer = Answer::from(client().send(request).await.unwrap());
        cell(&answer, answer.body["active"] == json!(false))
    }
}

fn hello(request: Request) -> Request {
    let client = json!({ "name": "test", "version": "1" });
    let params =
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    request
        .json(&message)
        .unwrap()
        .header("accept", "application/json, text/event-stream")
        .unwrap()
}

fn question(request: Request) -> Request {
    let question = json!({
        "subject": { "type": "user", "id": "sam@acme.example" },
        "action": { "name": "read" },
        "resource": { "type": "orders", "id": "1" },
    });
    request.json(&question).unwrap()
}

fn cell(answer: &Answer, less: bool) -> String {
    let code = answer.body["code"].as_str().unwrap_or_default();
    let mark = match code {
        "sudo_required" => "s",
        "beyond_own_permissions" => "b",
        _ if less => "~",
        _ => "",
    };
    format!("{}{mark}", answer.status)
}

/// The holders of one built-in role each, and owners whose credentials are no good.
async fn people(world: &World) -> BTreeMap<&'static str, (String, Api)> {
    let mut people = BTreeMap::new();
    for (head, role) in ROLES.iter().filter(|(head, _)| *head != "mem~") {
        let person = world
            .member(&format!("{head}@acme.example"), &[role.name()])
            .await;
        people.insert(*head, (person.id, person.api));
    }
    let suspended = world.member("suspended@acme.example", &["owner"]).await;
    world
        .owner
        .api
        .post(&format!("/users/{}/suspend", suspended.id), json!({}))
        .await
        .ok();
    people.insert("susp", (suspended.id, suspended.api));
    let owner = people["ownr"].0.clone();
    let revoked = world
        .owner
        .api
        .post("/tokens", token_body(&owner, None))
        .await
        .ok();
    world
        .owner
        .api
        .post(
            &format!("/tokens/{}/revoke", text(&revoked, "id")),
            json!({}),
        )
        .await
        .ok();
    people.insert(
        "rvkd",
        (
            owner.clone(),
            Api::new(&world.url, "acme", text(&revoked, "token").into()),
        ),
    );
    let end = SystemClock.now().plus(Micros::new(400_000));
    let expired = world
        .owner
        .api
        .post("/tokens", token_body(&owner, Some(end.to_string())))
        .await
        .ok();
    tokio::time::sleep(std::time::Duration::from_millis(450)).await;
    people.insert(
        "expd",
        (
            owner,
            Api::new(&world.url, "acme", text(&expired, "token").into()),
        ),
    );
    people
}

fn token_body(user: &str, expires_at: Option<String>) -> Value {
    let all: Vec<&str> = domain::Permission::ALL
        .iter()
        .filter(|p| !p.is_instance())
        .map(|p| p.as_str())
        .collect();
    json!({ "name": "test", "principal": user, "permissions": all, "expires_at": expires_at })
}

async fn agent_of(stage: &Stage) -> AgentClient {
    let made = stage.registered(&[]).await;
    AgentClient {
        id: text(&made, "id"),
        secret: text(&made, "client_secret").into(),
    }
}

async fn control_token(world: &World, stage: &Stage) -> SecretString {
    let agent = agent_of(stage).await;
    let resource = format!("{}/o/{}", world.url, stage.slug);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", agent.id.as_str()),
        ("client_secret", agent.secret.expose_secret()),
        ("resource", &resource),
    ];
    text(
        &world
            .form(&format!("/o/{}/oauth2/token", stage.slug), &form)
            .await
            .ok(),
        "access_token",
    )
    .into()
}
