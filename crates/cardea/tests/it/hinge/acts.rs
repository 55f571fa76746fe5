//! The acts of a history: each is one or two requests, and the history's own account of what they changed.

use super::{Agent, History, Role, Scopes};
use crate::world::{AgentClient, text};
use kernel::{Micros, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl History<'_> {
    /// What a connection is to declare: the scopes of which one spends, and the rest when it is new.
    pub(super) fn declaring(scopes: &[String], new: Option<(&str, &str)>) -> Value {
        let spend = scopes.iter().filter(|scope| scope.ends_with(":pay"));
        let classes: serde_json::Map<_, _> =
            spend.map(|scope| (scope.clone(), json!("spend"))).collect();
        let mut body = json!({ "scopes": scopes, "scope_classes": classes });
        if let Some((name, audience)) = new {
            body["name"] = json!(name);
            body["audience"] = json!(audience);
            body["min_trust"] = json!(20);
            body["operations"] = json!({ "do.read": "read", "do.write": "write" });
        }
        body
    }

    /// One random act; what it was.
    pub(super) async fn step(&mut self) -> String {
        if self.made == 0 {
            return format!("{} and {}", self.give_role().await, self.new_agent().await);
        }
        if self.dice.one_in(2) && self.let_go().await {
            return "what was stopped goes on".into();
        }
        match self.dice.below(14) {
            0..=2 => self.give_role().await,
            3 => self.take_role().await,
            4 => self.turn_human().await,
            5 | 6 => self.new_agent().await,
            7 => self.move_ceiling().await,
            8 => self.turn_agent().await,
            9 => self.redeclare().await,
            10 => self.kill().await,
            11 => self.report().await,
            _ => self.wait().await,
        }
    }

    /// Sets going whatever is stopped, so that histories do not spend their time refused; whether anything was.
    async fn let_go(&mut self) -> bool {
        let before = self.human_active && !self.org_killed;
        if !self.human_active {
            self.turn_human().await;
        }
        if std::mem::take(&mut self.org_killed) {
            self.switch("org", false).await;
        }
        let agents = self.agents.iter_mut().filter(|agent| agent.killed);
        let mut killed: Vec<String> = agents
            .map(|agent| {
                agent.killed = false;
                agent.client.id.clone()
            })
            .collect();
        let connections = self
            .connections
            .iter_mut()
            .filter(|connection| connection.killed);
        killed.extend(connections.map(|connection| {
            connection.killed = false;
            connection.id.clone()
        }));
        for target in &killed {
            self.switch(target, false).await;
        }
        !before || !killed.is_empty()
    }

    async fn give_role(&mut self) -> String {
        let declared: Vec<String> = self
            .all_scopes()
            .into_iter()
            .filter(|s| self.connections.iter().any(|c| c.declared.contains(s)))
            .collect();
        let mut names = if self.made == 0 {
            declared
        } else {
            self.dice.some(&declared)
        };
        let mut scopes: Scopes = names.iter().cloned().collect();
        if self.dice.one_in(4) {
            let n = self.dice.below(2);
            names.push(format!("{}c{n}:*", self.name));
            scopes.extend(
                self.connections[n]
                    .possible
                    .iter()
                    .filter(|s| s.starts_with(&format!("{}c", self.name)))
                    .cloned(),
            );
        }
        let role = {
            let n = self.count();
            self.world
                .role(
                    &format!("{} {n}", self.name),
                    &names.iter().map(String::as_str).collect::<Vec<_>>(),
                )
                .await
        };
        let end = (self.made > 1 && self.dice.one_in(2))
            .then(|| self.now() + 20 + i64::try_from(self.dice.below(200)).unwrap());
        let mut body = json!({ "subject": self.human.id, "role": role });
        if let Some(end) = end {
            body["expires_at"] = json!(kernel::Timestamp::from_seconds(end).to_string());
        }
        let assignment = text(
            &self.owner().post("/role-assignments", body).await.ok(),
            "id",
        );
        self.roles.push(Role {
            assignment,
            scopes,
            end,
        });
        format!("a role with {names:?} until {end:?}")
    }

    async fn take_role(&mut self) -> String {
        if self.roles.is_empty() {
            return "no role to take".into();
        }
        let role = self.roles.remove(self.dice.below(self.roles.len()));
        self.owner()
            .delete(&format!("/role-assignments/{}", role.assignment))
            .await
            .ok();
        format!("took {:?}", role.scopes)
    }

    async fn turn_human(&mut self) -> String {
        let act = if self.human_active {
            "suspend"
        } else {
            "resume"
        };
        self.owner()
            .post(&format!("/users/{}/{act}", self.human.id), json!({}))
            .await
            .ok();
        self.human_active = !self.human_active;
        format!("human: {act}")
    }

    /// A ceiling out of what is declared now, as the texts to send and the pairs they mean.
    fn ceiling(&self, only: Option<usize>) -> (Vec<String>, BTreeSet<(usize, String)>) {
        let mut pairs = BTreeSet::new();
        for (n, connection) in self
            .connections
            .iter()
            .enumerate()
            .filter(|(n, _)| only.is_none_or(|only| only == *n))
        {
            let shared = format!("{}both:read", self.name);
            let named: Vec<String> = connection
                .declared
                .iter()
                .filter(|s| only.is_some() || **s != shared)
                .cloned()
                .collect();
            // Most of it, so that the intersection is seldom empty.
            pairs.extend(
                named
                    .into_iter()
                    .filter(|_| !self.dice.one_in(4))
                    .map(|scope| (n, scope)),
            );
        }
        (
            pairs.iter().map(|(_, scope)| scope.clone()).collect(),
            pairs,
        )
    }

    async fn new_agent(&mut self) -> String {
        if !self.human_active || self.agents.len() >= 2 {
            return "no further agent".into();
        }
        let only = self.dice.one_in(2).then(|| self.dice.below(2));
        let (texts, ceiling) = self.ceiling(only);
        let n = self.count();
        let mut body = json!({
            "name": format!("{} {n}", self.name), "owner": self.human.id,
            "scope_ceiling": texts, "auth": { "method": "client_secret" },
        });
        if let Some(only) = only {
            body["connections"] = json!([self.connections[only].id]);
        }
        let api = self.world.registrar(&self.human).await;
        let made = api.post("/agents", body).await.ok();
        let client = AgentClient {
            id: text(&made, "client_id"),
            secret: SecretString::from(text(&made, "client_secret")),
        };
        let told = format!("agent {} with {ceiling:?} at {only:?}", self.agents.len());
        self.agents.push(Agent {
            client,
            only,
            ceiling,
            active: true,
            killed: false,
        });
        told
    }

    async fn move_ceiling(&mut self) -> String {
        if !self.human_active || self.agents.is_empty() {
            return "no ceiling to move".into();
        }
        let n = self.dice.below(self.agents.len());
        let (texts, ceiling) = self.ceiling(self.agents[n].only);
        let path = format!("/agents/{}", self.agents[n].client.id);
        let api = self.world.registrar(&self.human).await;
        api.patch(&path, json!({ "scope_ceiling": texts }))
            .await
            .ok();
        self.agents[n].ceiling = ceiling;
        format!("agent {n} now with {:?}", self.agents[n].ceiling)
    }

    async fn turn_agent(&mut self) -> String {
        if self.agents.is_empty() {
            return "no agent to turn".into();
        }
        let n = self.dice.below(self.agents.len());
        let act = if self.agents[n].active {
            "suspend"
        } else {
            "resume"
        };
        self.owner()
            .post(
                &format!("/agents/{}/{act}", self.agents[n].client.id),
                json!({}),
            )
            .await
            .ok();
        self.agents[n].active = !self.agents[n].active;
        format!("agent {n}: {act}")
    }

    async fn redeclare(&mut self) -> String {
        let n = self.dice.below(2);
        let scopes: Vec<String> = self.connections[n]
            .possible
            .iter()
            .filter(|_| !self.dice.one_in(3))
            .cloned()
            .collect();
        let path = format!("/connections/{}", self.connections[n].id);
        self.owner()
            .patch(&path, Self::declaring(&scopes, None))
            .await
            .ok();
        self.connections[n].declared = scopes.iter().cloned().collect();
        format!("connection {n} declares {scopes:?}")
    }

    async fn kill(&mut self) -> String {
        let (target, on) = match self.dice.below(4) {
            0 => {
                self.org_killed = !self.org_killed;
                ("org".to_owned(), self.org_killed)
            }
            1 if !self.agents.is_empty() => {
                let agent = self.dice.below(self.agents.len());
                let agent = &mut self.agents[agent];
                agent.killed = !agent.killed;
                (agent.client.id.clone(), agent.killed)
            }
            _ => {
                let connection = &mut self.connections[self.dice.below(2)];
                connection.killed = !connection.killed;
                (connection.id.clone(), connection.killed)
            }
        };
        self.switch(&target, on).await;
        format!("kill switch of {target}: {on}")
    }

    pub(super) async fn switch(&self, target: &str, on: bool) {
        self.owner()
            .put(
                &format!("/kill-switches/{target}"),
                json!({ "on": on, "reason": "history" }),
            )
            .await
            .ok();
    }

    async fn report(&mut self) -> String {
        if self.agents.is_empty() {
            return "nobody to report".into();
        }
        let n = self.dice.below(self.agents.len());
        let severity = self.dice.pick(&["minor", "major", "major"]);
        let path = format!("/agents/{}/events", self.agents[n].client.id);
        self.owner()
            .post(
                &path,
                json!({ "type": "guardrail.blocked", "severity": severity }),
            )
            .await
            .ok();
        format!("{severity} of agent {n}")
    }

    async fn wait(&mut self) -> String {
        let seconds = 1 + i64::try_from(self.dice.below(90)).unwrap();
        self.clock.advance(Micros::seconds(seconds));
        // The node proves again that it is current; until then it would refuse everything.
        while self.world.server.platform().node.poll().await.is_err() {}
        format!("{seconds} seconds")
    }
}
