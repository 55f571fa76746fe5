//! The hinge as a property of the running product: random histories of people, roles, agents, connections, kill
//! switches and time, and after every step everything an agent can obtain compared with a naive intersection.

mod acts;
mod expected;

use crate::scene::{Dice, world_at};
use crate::world::{AgentClient, Api, Engine, Person, World, text};
use expected::{Expected, joined, minimum};
use futures::future::join_all;
use kernel::{Clock, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use testkit::clock::MockClock;

type Scopes = BTreeSet<String>;

/// Tokens that are kept and asked about after each step.
const KEPT: usize = 12;

struct Connection {
    id: String,
    audience: String,
    /// Everything it may declare at some time.
    possible: Vec<String>,
    declared: Scopes,
    killed: bool,
}

struct Agent {
    client: AgentClient,
    /// The one connection it names; none when it names none.
    only: Option<usize>,
    ceiling: BTreeSet<(usize, String)>,
    active: bool,
    killed: bool,
}

struct Role {
    assignment: String,
    scopes: Scopes,
    /// In seconds of the clock.
    end: Option<i64>,
}

struct Handed {
    token: String,
    agent: usize,
    connection: usize,
    scopes: Scopes,
    end: i64,
}

struct History<'w> {
    world: &'w World,
    clock: &'w MockClock,
    dice: Dice,
    name: String,
    human: Person,
    human_active: bool,
    org_killed: bool,
    roles: Vec<Role>,
    connections: Vec<Connection>,
    agents: Vec<Agent>,
    handed: Vec<Handed>,
    made: usize,
}

impl<'w> History<'w> {
    async fn new(world: &'w World, clock: &'w MockClock, seed: u64) -> Self {
        let name = format!("h{seed}");
        let mut connections = Vec::new();
        for n in 0..2 {
            let own = |verb: &str| format!("{name}c{n}:{verb}");
            // Both declare a scope of the same name: each is a thing of its own.
            let possible = vec![
                own("pay"),
                own("read"),
                own("write"),
                format!("{name}both:read"),
            ];
            let audience = format!("https://{name}c{n}.example");
            let body = Self::declaring(&possible, Some((&format!("{name} {n}"), &audience)));
            let id = text(&world.owner.api.post("/connections", body).await.ok(), "id");
            let declared = possible.iter().cloned().collect();
            connections.push(Connection {
                id,
                audience,
                possible,
                declared,
                killed: false,
            });
        }
        // Their token passes on what is declared when it is made.
        let human = world
            .member(&format!("{name}@acme.example"), &["member"])
            .await;
        let dice = Dice::new(seed);
        Self {
            world,
            clock,
            dice,
            name,
            human,
            connections,
            human_active: true,
            org_killed: false,
            roles: vec![],
            agents: vec![],
            handed: vec![],
            made: 0,
        }
    }

    fn now(&self) -> i64 {
        self.clock.now().seconds()
    }
    fn owner(&self) -> &Api {
        &self.world.owner.api
    }
    fn count(&mut self) -> usize {
        self.made += 1;
        self.made
    }
    fn all_scopes(&self) -> Vec<String> {
        let all: Scopes = self
            .connections
            .iter()
            .flat_map(|c| c.possible.iter().cloned())
            .collect();
        all.into_iter().collect()
    }

    /// What the human holds by the history's own account.
    fn held(&self) -> Scopes {
        let now = self.now();
        let current = self
            .roles
            .iter()
            .filter(|role| self.human_active && role.end.is_none_or(|end| end > now));
        let declared = |scope: &&String| {
            self.connections
                .iter()
                .any(|connection| connection.declared.contains(*scope))
        };
        current
            .flat_map(|role| role.scopes.iter().filter(declared))
            .cloned()
            .collect()
    }

    /// Until when the human holds a scope by what they have now.
    fn end_of(&self, scope: &str) -> i64 {
        let giving = self.roles.iter().filter(|role| role.scopes.contains(scope));
        giving
            .map(|role| role.end.unwrap_or(i64::MAX))
            .max()
            .unwrap_or(0)
    }

    /// Compares everything that can be had with the model; how many tokens were had.
    async fn check(&mut self) -> usize {
        let answer = self
            .owner()
            .get(&format!("/users/{}/effective-permissions", self.human.id))
            .await
            .ok();
        let listed = answer["scopes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|held| text(held, "scope"));
        let held: Scopes = listed.collect();
        assert_eq!(held, self.held(), "what the human holds");
        let trusts = join_all(self.agents.iter().map(|agent| async {
            self.owner()
                .get(&format!("/agents/{}/trust", agent.client.id))
                .await
                .ok()["score"]
                .as_u64()
                .unwrap()
        }));
        let trusts = trusts.await;
        let mut expected = Vec::new();
        for (agent, of) in self.agents.iter().enumerate() {
            for (connection, at) in self.connections.iter().enumerate() {
                let reached = |scope: &&String| {
                    of.ceiling.contains(&(connection, (*scope).clone())) && held.contains(*scope)
                };
                let left = at.declared.iter().filter(reached).cloned().collect();
                let stopped = self.org_killed || of.killed || at.killed;
                let may = of.active && self.human_active && !stopped;
                expected.push(Expected {
                    agent,
                    connection,
                    left,
                    trust: trusts[agent],
                    may,
                });
            }
        }
        let handed = join_all(expected.iter().map(|expected| self.obtain(expected))).await;
        join_all(
            self.handed
                .iter()
                .map(|handed| self.still(handed, &expected)),
        )
        .await;
        let new: Vec<Handed> = handed.into_iter().flatten().collect();
        let count = new.len();
        let now = self.now();
        self.handed.retain(|handed| handed.end > now);
        self.handed.extend(new);
        while self.handed.len() > KEPT {
            self.handed.swap_remove(self.dice.below(self.handed.len()));
        }
        count
    }

    /// A token without scope, a dispatch of a reading and one of a writing operation.
    async fn obtain(&self, expected: &Expected) -> Vec<Handed> {
        let (agent, connection) = (
            &self.agents[expected.agent],
            &self.connections[expected.connection],
        );
        let issued = self
            .world
            .token(&agent.client, &[("resource", &connection.audience)])
            .await;
        let mut handed = Vec::new();
        handed.extend(self.compare(
            expected,
            issued.body,
            "access_token",
            expected.given(60),
            300,
        ));
        let ask = |verb: &str| json!({ "agent": agent.client.id, "connection": connection.id, "operation": format!("do.{verb}") });
        // One asks for itself, where it still can; the other question is asked by somebody who may act for it.
        let issuer = format!("{}/o/acme", self.world.url);
        let control = self
            .world
            .token(&agent.client, &[("resource", &issuer)])
            .await;
        let itself = control.body["access_token"]
            .as_str()
            .map(|token| self.owner().with(SecretString::from(token.to_owned())));
        let stands = agent.active
            && self.human_active
            && !agent.killed
            && !self.org_killed
            && expected.trust >= 20;
        assert_eq!(itself.is_some(), stands, "a control token: {expected:?}");
        let reading = itself
            .as_ref()
            .unwrap_or(self.owner())
            .post("/dispatch", ask("read"))
            .await
            .ok();
        handed.extend(self.compare(
            expected,
            reading,
            "capability_token",
            expected.dispatched(20),
            120,
        ));
        let writing = self.owner().post("/dispatch", ask("write")).await.ok();
        handed.extend(self.compare(
            expected,
            writing,
            "capability_token",
            expected.dispatched(40),
            120,
        ));
        handed
    }

    fn compare(
        &self,
        expected: &Expected,
        body: Value,
        field: &str,
        given: Option<Scopes>,
        life: i64,
    ) -> Option<Handed> {
        let Some(scopes) = given else {
            assert!(
                body[field].is_null(),
                "{field} though nothing is left: {expected:?} {body}"
            );
            return None;
        };
        assert_eq!(
            body["scope"],
            json!(joined(&scopes)),
            "{field}: {expected:?} {body}"
        );
        let end = scopes
            .iter()
            .map(|scope| self.end_of(scope))
            .fold(self.now() + life, i64::min);
        assert_eq!(
            body["expires_in"],
            json!(end - self.now()),
            "{field}: {expected:?}"
        );
        Some(Handed {
            token: text(&body, field),
            agent: expected.agent,
            connection: expected.connection,
            scopes,
            end,
        })
    }

    /// Every token handed out so far is good for what is left of it, or for nothing.
    async fn still(&self, handed: &Handed, expected: &[Expected]) {
        let same = |e: &&Expected| e.agent == handed.agent && e.connection == handed.connection;
        let expected = expected.iter().find(same).unwrap();
        let fit = |scope: &&String| minimum(scope) <= expected.trust;
        let left: Scopes = handed
            .scopes
            .intersection(&expected.left)
            .filter(fit)
            .cloned()
            .collect();
        let alive =
            expected.may && expected.trust >= 20 && handed.end > self.now() && !left.is_empty();
        let answer = self.world.introspect(&handed.token).await;
        assert_eq!(
            answer["active"],
            json!(alive),
            "{expected:?} {:?} {answer}",
            handed.scopes
        );
        if alive {
            assert_eq!(answer["scope"], json!(joined(&left)), "{expected:?}");
        }
    }

    /// Lets go of what other histories would feel.
    async fn end(&self) {
        if self.org_killed {
            self.switch("org", false).await;
        }
    }
}

async fn histories(engine: Engine, seeds: std::ops::Range<u64>, steps: usize) {
    let clock = Arc::new(MockClock::default());
    let Some(world) = world_at(engine, clock.clone()).await else {
        return;
    };
    let (count, mut given) = (seeds.end - seeds.start, 0);
    for seed in seeds {
        let mut history = History::new(&world, &clock, seed).await;
        let mut told = Vec::new();
        for _ in 0..steps {
            told.push(history.step().await);
            // A failed comparison says which history it was and how it came about.
            let shown = Told(seed, &told);
            given += history.check().await;
            drop(shown);
        }
        history.end().await;
    }
    let steps = usize::try_from(count).unwrap() * steps;
    assert!(
        given > steps,
        "{given} tokens in {steps} steps: the histories give something to compare"
    );
}

/// Prints the history when the test fails.
struct Told<'a>(u64, &'a [String]);

impl Drop for Told<'_> {
    #[expect(clippy::print_stderr, reason = "a failure tells how it came about")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("history {}:\n  {}", self.0, self.1.join("\n  "));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_g4_nothing_exceeds_the_owner_on_sqlite() {
    histories(Engine::Sqlite, 1..26, 30).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_g4_nothing_exceeds_the_owner_on_postgres() {
    histories(Engine::Postgres, 100..104, 30).await;
}
