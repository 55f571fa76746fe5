//! Revocation by lineage (NEG G5): in random trees of runs, revoking any ancestor kills exactly what stands below it,
//! the answer counts it, and one write is enough for a thousand tokens.

use crate::scene::{Dice, Scene, key_id, start, token_of};
use crate::world::{AgentClient, Answer, Api, text};
use futures::future::join_all;
use kernel::{ExposeSecret, limits};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A node of the grant graph by the test's own account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grant {
    Run(usize),
    Agent(usize),
    Secret(usize),
    /// The human's API token.
    Human,
}

type Grants = BTreeSet<Grant>;
/// A grant of one kind, given a random run and a random agent.
type Choice = fn(usize, usize) -> Grant;

struct Run {
    id: String,
    api: Api,
    agent: usize,
    depth: usize,
    above: Grants,
    /// Whether the human stands behind it.
    human: bool,
}

struct Issued {
    token: String,
    agent: usize,
    above: Grants,
}

struct Tree<'w> {
    scene: &'w Scene<'w>,
    human: (String, Api),
    agents: Vec<(AgentClient, Api)>,
    runs: Vec<Run>,
    issued: Vec<Issued>,
    dice: Dice,
}

impl<'w> Tree<'w> {
    async fn grow(scene: &'w Scene<'w>, name: &str, seed: u64, runs: usize) -> Self {
        let world = scene.world;
        let human = token_of(world, &scene.human.id, &[&scene.read(), &scene.write()]).await;
        let mut tree = Self {
            scene,
            human,
            agents: vec![],
            runs: vec![],
            issued: vec![],
            dice: Dice::new(seed),
        };
        for n in 0..3 {
            let agent = scene.agent(&format!("{name} {n}")).await;
            let control = world.control(&agent).await;
            tree.keep(
                control.token.expose_secret(),
                n,
                [Grant::Agent(n), Grant::Secret(n)].into(),
            );
            tree.agents.push((agent, control));
        }
        for _ in 0..runs {
            tree.start().await;
        }
        for n in 0..tree.runs.len() {
            tree.fill(n).await;
        }
        let plain = tree.scene.issue(&tree.agents[0].0, &[]).await.ok();
        tree.keep(
            &text(&plain, "access_token"),
            0,
            [Grant::Agent(0), Grant::Secret(0)].into(),
        );
        tree
    }

    fn keep(&mut self, token: &str, agent: usize, above: Grants) {
        self.issued.push(Issued {
            token: token.into(),
            agent,
            above,
        });
    }

    /// The grants of the credential somebody calls with.
    fn credential(agent: usize) -> Grants {
        [Grant::Agent(agent), Grant::Secret(agent)].into()
    }

    /// One more run: a root by an agent or the human, or a child by its parent's own token, another agent or the human.
    async fn start(&mut self) {
        let n = self.runs.len();
        let parents: Vec<usize> = (0..n)
            .filter(|p| self.runs[*p].depth < limits::RUN_DEPTH)
            .collect();
        let parent = (n > 2 && !self.dice.one_in(12)).then(|| *self.dice.pick(&parents));
        let above_it = parent.map(|p| &self.runs[p]);
        let mut agent = self.dice.below(3);
        let how = self.dice.below(3);
        let (by, credential) = match (how, above_it) {
            (0, Some(run)) => {
                agent = run.agent;
                (&run.api, run.above.clone())
            }
            (1, _) => (&self.human.1, Grants::from([Grant::Human])),
            _ => (&self.agents[agent].1, Self::credential(agent)),
        };
        let human = how == 1 || above_it.is_some_and(|run| run.human);
        let more = above_it.map_or(json!({}), |run| json!({ "parent": run.id }));
        let made = start(by, &self.agents[agent].0, more).await.ok();
        let mut above: Grants = above_it.map(|run| run.above.clone()).unwrap_or_default();
        above.extend(credential);
        above.extend([Grant::Agent(agent), Grant::Run(n)]);
        let depth = above_it.map_or(1, |run| run.depth + 1);
        assert_eq!(made["depth"], json!(depth));
        let token = text(&made, "run_token");
        self.keep(&token, agent, above.clone());
        self.runs.push(Run {
            id: text(&made, "id"),
            api: self.scene.api(&token),
            agent,
            depth,
            above,
            human,
        });
    }

    /// A token by dispatch with the run and one by the token endpoint.
    async fn fill(&mut self, n: usize) {
        let run = &self.runs[n];
        let (client, control) = &self.agents[run.agent];
        let how = self.dice.below(3);
        let (by, credential) = match how {
            0 => (control, Self::credential(run.agent)),
            // A human gets one only for a run under their own name.
            1 if run.human => (&self.human.1, [Grant::Human].into()),
            _ => (&run.api, run.above.clone()),
        };
        let dispatched = self
            .scene
            .dispatch(by, client, "write", Some(&run.id))
            .await
            .ok();
        let issued = self.scene.issue(client, &[("run_id", &run.id)]).await.ok();
        let (agent, above) = (run.agent, run.above.clone());
        let with = |more: Grants| above.union(&more).copied().collect::<Grants>();
        self.keep(
            &text(&dispatched, "capability_token"),
            agent,
            with(credential),
        );
        self.keep(
            &text(&issued, "access_token"),
            agent,
            with(Self::credential(agent)),
        );
    }

    /// Revokes one grant; the answer.
    async fn revoke(&self, grant: Grant) -> Value {
        let owner = &self.scene.world.owner.api;
        let path = match grant {
            Grant::Run(n) => format!("/runs/{}/terminate", self.runs[n].id),
            Grant::Agent(n) => format!("/agents/{}/revoke", self.agents[n].0.id),
            Grant::Secret(n) => {
                let agent = &self.agents[n].0;
                format!(
                    "/agents/{}/secrets/{}/revoke",
                    agent.id,
                    key_id(&agent.secret)
                )
            }
            Grant::Human => format!("/tokens/{}/revoke", self.human.0),
        };
        owner.post(&path, json!({})).await.ok()
    }

    /// Asks about every token and compares with who is expected to live.
    async fn compare(&self, at: &str, lives: impl Fn(&Issued) -> bool) {
        let answers = join_all(
            self.issued
                .iter()
                .map(|issued| self.scene.world.introspect(&issued.token)),
        )
        .await;
        for (issued, answer) in self.issued.iter().zip(answers) {
            assert_eq!(
                answer["active"],
                json!(lives(issued)),
                "{at}: agent {} under {:?}",
                issued.agent,
                issued.above
            );
        }
    }

    /// Revokes a random node of this kind in a whole tree: exactly what is below it dies and is counted.
    async fn fall(self, at: &str, kind: Choice) {
        self.compare(at, |_| true).await;
        let grant = kind(self.dice.below(self.runs.len()), self.dice.below(3));
        if let Grant::Secret(n) = grant {
            // With another secret it keeps its trust, so that only the lineage of the revoked one speaks.
            let path = format!("/agents/{}/secret-rotations", self.agents[n].0.id);
            self.scene
                .world
                .owner
                .api
                .post(&path, json!({ "overlap_seconds": 3600 }))
                .await
                .ok();
        }
        let below = |above: &Grants| above.contains(&grant);
        let tokens = self
            .issued
            .iter()
            .filter(|issued| below(&issued.above))
            .count();
        let runs = self.runs.iter().filter(|run| below(&run.above)).count();
        let cascaded = self.revoke(grant).await["cascaded"].clone();
        assert_eq!(
            (&cascaded["tokens"], &cascaded["runs"]),
            (&json!(tokens), &json!(runs)),
            "{at}: {grant:?}"
        );
        self.compare(at, |issued| !below(&issued.above)).await;
        for run in self.runs.iter().filter(|run| below(&run.above)) {
            let (client, _) = &self.agents[run.agent];
            let answer = self.scene.issue(client, &[("run_id", &run.id)]).await;
            assert!(answer.status >= 400, "{at}: a dead run gives nothing");
        }
    }
}

on_both_engines!(neg_g5_exactly_the_descendants_die, world => {
    let scene = Scene::new(&world, "tree").await;
    let kinds: [(&str, Choice); 4] = [
        ("run", |run, _| Grant::Run(run)),
        ("agent", |_, agent| Grant::Agent(agent)),
        ("secret", |_, agent| Grant::Secret(agent)),
        ("API token", |_, _| Grant::Human),
    ];
    let sizes: &[usize] = if world.engine == Engine::Sqlite { &[60, 25, 10] } else { &[25] };
    for (n, runs) in sizes.iter().enumerate() {
        for (k, (kind, grant)) in kinds.iter().enumerate() {
            let seed = 10 * n as u64 + k as u64;
            let at = format!("{kind} {n}");
            Tree::grow(&scene, &at, seed, *runs).await.fall(&format!("{at}, seed {seed}"), *grant).await;
        }
    }
});

on_both_engines!(neg_g5_a_token_given_back_takes_nothing_with_it, world => {
    let scene = Scene::new(&world, "single").await;
    let tree = Tree::grow(&scene, "single", 77, 8).await;
    let dead = tree.issued.iter().position(|issued| issued.agent == tree.runs[0].agent && issued.above.contains(&Grant::Run(0)));
    let dead = &tree.issued[dead.unwrap()];
    let client = &tree.agents[dead.agent].0;
    let form = [("client_id", client.id.as_str()), ("client_secret", client.secret.expose_secret()), ("token", &dead.token)];
    assert_eq!(world.form("/o/acme/oauth2/revoke", &form).await.status, 200);
    tree.compare("one token", |issued| issued.token != dead.token).await;
});

on_both_engines!(neg_g5_a_thousand_tokens_die_with_their_root, world => {
    let scene = Scene::new(&world, "many").await;
    let agent = scene.agent("many").await;
    let control = world.control(&agent).await;
    let (run, api) = scene.run(&control, &agent, json!({})).await;
    let mut tokens = vec![api.token.expose_secret().to_owned()];
    for batch in [50; 19].into_iter().chain([49]) {
        let within = [("run_id", run.as_str())];
        let ask = || scene.issue(&agent, &within);
        let answers: Vec<Answer> = join_all(std::iter::repeat_with(ask).take(batch)).await;
        tokens.extend(answers.into_iter().map(|answer| text(&answer.ok(), "access_token")));
    }
    let outside = text(&scene.issue(&agent, &[]).await.ok(), "access_token");
    assert_eq!(tokens.len(), 1_000);
    let ended = world.owner.api.post(&format!("/runs/{run}/terminate"), json!({})).await.ok();
    assert_eq!(ended["cascaded"], json!({ "tokens": 1_000, "runs": 1, "delegations": 0 }));
    let sample = join_all(tokens.iter().step_by(20).map(|token| world.introspect(token))).await;
    assert_eq!(sample, vec![json!({ "active": false }); 50]);
    assert_eq!(world.introspect(&outside).await["active"], true, "what is not below it lives");
});
