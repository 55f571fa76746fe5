//! Authority that is taken gives nothing afterwards (NEG G6): five ways of taking it race with two ways of using it,
//! and the order of the log says who came first.

use crate::scene::{Dice, Scene, assign, good_for, key_id, log};
use crate::world::{AgentClient, Answer, Api, text};
use kernel::SecretString;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ROUNDS: usize = 50;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taking {
    Role,
    Suspension,
    Kill,
    Agent,
    Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    Issue,
    Dispatch,
}

/// One agent with everything it needs to ask, while rounds take from it and give back.
struct Racer<'w> {
    scene: &'w Scene<'w>,
    agent: AgentClient,
    control: Api,
    writing: String,
}

impl Racer<'_> {
    fn switch(&self, round: usize) -> String {
        format!(
            "/kill-switches/{}",
            if round.is_multiple_of(2) {
                self.agent.id.as_str()
            } else {
                "org"
            }
        )
    }

    async fn take(&self, taking: Taking, round: usize) -> Answer {
        let (owner, id) = (&self.scene.world.owner.api, &self.agent.id);
        match taking {
            Taking::Role => {
                owner
                    .delete(&format!("/role-assignments/{}", self.writing))
                    .await
            }
            Taking::Suspension => {
                owner
                    .post(
                        &format!("/users/{}/suspend", self.scene.human.id),
                        json!({}),
                    )
                    .await
            }
            Taking::Kill => {
                owner
                    .put(&self.switch(round), json!({ "on": true, "reason": "race" }))
                    .await
            }
            Taking::Agent => owner.post(&format!("/agents/{id}/revoke"), json!({})).await,
            Taking::Secret => {
                let path = format!("/agents/{id}/secrets/{}/revoke", key_id(&self.agent.secret));
                owner.post(&path, json!({})).await
            }
        }
    }

    async fn give_back(&mut self, taking: Taking, round: usize) {
        let (scene, owner) = (self.scene, &self.scene.world.owner.api);
        match taking {
            Taking::Role => self.writing = assign(owner, &scene.human.id, &scene.writer).await,
            Taking::Suspension => {
                owner
                    .post(&format!("/users/{}/resume", scene.human.id), json!({}))
                    .await
                    .ok();
            }
            Taking::Kill => {
                owner
                    .put(
                        &self.switch(round),
                        json!({ "on": false, "reason": "race" }),
                    )
                    .await
                    .ok();
            }
            Taking::Agent => self.agent = scene.agent("racer").await,
            Taking::Secret => {
                let path = format!("/agents/{}/secret-rotations", self.agent.id);
                let made = owner
                    .post(&path, json!({ "overlap_seconds": 0 }))
                    .await
                    .ok();
                self.agent.secret = SecretString::from(text(&made, "client_secret"));
            }
        }
        if matches!(taking, Taking::Agent | Taking::Secret) {
            self.control = scene.world.control(&self.agent).await;
        }
    }

    async fn ask(&self, asking: Asking) -> Answer {
        match asking {
            Asking::Issue => self.scene.issue(&self.agent, &[]).await,
            Asking::Dispatch => {
                self.scene
                    .dispatch(&self.control, &self.agent, "write", None)
                    .await
            }
        }
    }

    /// One round; says whether something with `write` was given.
    async fn race(&self, (taking, asking): (Taking, Asking), round: usize, dice: &Dice) -> bool {
        let write = self.scene.write();
        let (taken, asked) = match round {
            0 => {
                let asked = self.ask(asking).await;
                (self.take(taking, round).await, asked)
            }
            1 => {
                let taken = self.take(taking, round).await;
                (taken, self.ask(asking).await)
            }
            _ => {
                let take = async {
                    dice.pause().await;
                    self.take(taking, round).await
                };
                let ask = async {
                    dice.pause().await;
                    self.ask(asking).await
                };
                tokio::join!(take, ask)
            }
        };
        taken.ok();
        let at = format!("{taking:?} and {asking:?}, round {round}");
        assert!(
            matches!(asked.status, 200 | 400 | 401),
            "{at}: {} {}",
            asked.status,
            asked.response.text()
        );
        let Some(token) = asked.body["access_token"]
            .as_str()
            .or(asked.body["capability_token"].as_str())
        else {
            return false;
        };
        let now = self.scene.world.introspect(token).await;
        assert!(!good_for(&now, &write), "{at}: {now}");
        asked.body["scope"]
            .as_str()
            .unwrap()
            .split(' ')
            .any(|scope| scope == write)
    }
}

/// What is taken at each point of the log.
#[derive(Default)]
struct Taken {
    write: bool,
    human: bool,
    stopped: BTreeSet<String>,
}

impl Taken {
    /// Takes one entry; an entry that gives what is taken is an error.
    fn read(&mut self, entry: &Value, scene: &Scene<'_>) -> Result<(), String> {
        let (details, resource) = (
            &entry["action"]["details"],
            entry["action"]["resource"].as_str().unwrap_or_default(),
        );
        let ours = |side: &str| details[side]["role"] == json!(scene.writer);
        match entry["type"].as_str().unwrap() {
            "role_assignment.deleted" if ours("before") => self.write = true,
            "role_assignment.created" if ours("after") => self.write = false,
            "user.suspended" if resource == scene.human.id => self.human = true,
            "user.resumed" if resource == scene.human.id => self.human = false,
            "kill_switch.set" | "agent.revoked" | "agent.secret_revoked" => {
                self.stopped.insert(resource.into());
            }
            "kill_switch.lifted" | "agent.secret_rotation_started" => {
                self.stopped.remove(resource);
            }
            "token.issued" => return self.given(&details["after"], "scope", scene),
            "dispatch.allowed" => return self.given(&details["after"], "scopes", scene),
            _ => {}
        }
        Ok(())
    }

    fn given(&self, after: &Value, scopes: &str, scene: &Scene<'_>) -> Result<(), String> {
        let agent = after["agent"].as_str().unwrap();
        let writes = after[scopes].to_string().contains(&scene.write());
        let stopped = self.human || self.stopped.contains("org") || self.stopped.contains(agent);
        if stopped || (self.write && writes) {
            Err(format!("{after}"))
        } else {
            Ok(())
        }
    }
}

on_both_engines!(neg_g6_authority_rev, world => {
    let (scene, dice) = (Scene::new(&world, "race").await, Dice::new(11));
    let agent = scene.agent("racer").await;
    let control = world.control(&agent).await;
    let mut racer = Racer { scene: &scene, agent, control, writing: scene.writing.clone() };
    for taking in [Taking::Role, Taking::Suspension, Taking::Kill, Taking::Secret, Taking::Agent] {
        for asking in [Asking::Issue, Asking::Dispatch] {
            let mut given = Vec::new();
            for round in 0..ROUNDS {
                given.push(racer.race((taking, asking), round, &dice).await);
                racer.give_back(taking, round).await;
            }
            assert!(given[0] && !given[1], "{taking:?} {asking:?}: asked first is given, asked second is not");
        }
    }
    let (mut taken, mut takings) = (Taken::default(), 0);
    for entry in log(&world).await {
        let before = (taken.write, taken.human, taken.stopped.len());
        if let Err(given) = taken.read(&entry, &scene) {
            panic!("entry {} gives what was taken before it: {given}", entry["sequence"]);
        }
        takings += usize::from(before < (taken.write, taken.human, taken.stopped.len()));
    }
    assert_eq!(takings, 10 * ROUNDS, "the log shows every taking");
});
