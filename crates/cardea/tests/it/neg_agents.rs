//! Attacks on the authority of agents that must fail (NEG G1 to G3, H2): no factor can be left out, nobody acts for
//! an agent who may not, nobody takes control of one who holds less, and no wildcard reaches one.

use crate::scene::{Scene, assign, beta, connection, good_for, neighbour, secret, start, token_of};
use crate::world::{AgentClient, Api, text};
use kernel::ExposeSecret;
use serde_json::{Value, json};

/// Everything an agent could try for `write`, outside a run and within one.
struct Tries<'w> {
    scene: &'w Scene<'w>,
    agent: AgentClient,
    control: Api,
    run: String,
    access: String,
    capability: String,
}

impl<'w> Tries<'w> {
    /// An agent with a run that `starter` began, and a token of each sort that is good for `write`.
    async fn new(scene: &'w Scene<'w>, agent: AgentClient, starter: &Api) -> Self {
        let control = scene.world.control(&agent).await;
        let (run, _) = scene.run(starter, &agent, json!({})).await;
        let access = text(&scene.issue(&agent, &[]).await.ok(), "access_token");
        let capability = text(
            &scene.issue(&agent, &[("run_id", &run)]).await.ok(),
            "access_token",
        );
        Self {
            scene,
            agent,
            control,
            run,
            access,
            capability,
        }
    }

    /// Token, dispatch and earlier token, each good for `write` or not; outside a run, or within the run.
    async fn have(&self, within: bool) -> [bool; 3] {
        let (scene, write) = (self.scene, self.scene.write());
        let run = within.then_some(self.run.as_str());
        let more: Vec<(&str, &str)> = run
            .map(|run| ("run_id", run))
            .into_iter()
            .chain([("scope", write.as_str())])
            .collect();
        let issued = scene.issue(&self.agent, &more).await.status == 200;
        let dispatched = scene
            .dispatch(&self.control, &self.agent, "write", run)
            .await;
        let dispatched = dispatched.body["scope"]
            .as_str()
            .unwrap_or_default()
            .contains(&write);
        let earlier = scene
            .world
            .introspect(if within {
                &self.capability
            } else {
                &self.access
            })
            .await;
        [issued, dispatched, good_for(&earlier, &write)]
    }

    async fn both(&self) -> (bool, bool) {
        let (direct, within) = (self.have(false).await, self.have(true).await);
        for three in [direct, within] {
            assert!(
                three.iter().all(|one| *one == three[0]),
                "all three agree: {direct:?} {within:?}"
            );
        }
        (direct[0], within[0])
    }
}

on_both_engines!(neg_g1_each_factor_removed_alone_denies, world => {
    let scene = Scene::new(&world, "factor").await;
    let (read, write) = (scene.read(), scene.write());
    let other = connection(&world, "elsewhere", "https://elsewhere.example", &["elsewhere:read"]).await;
    // The run is begun by somebody else, who holds both scopes and may act for the agent.
    let may = ["agents.read", "agents.act_for", "runs.create", "runs.read", "dispatch.evaluate"];
    let may = json!({ "name": "acts", "permissions": may });
    let may = text(&world.owner.api.post("/roles", may).await.ok(), "id");
    let lead = world.role("lead", &[&read, &write]).await;
    let starter = world.member("lead@acme.example", &["member"]).await;
    let (acting, leading) = (assign(&world.owner.api, &starter.id, &may).await, assign(&world.owner.api, &starter.id, &lead).await);
    let (_, starting) = token_of(&world, &starter.id, &[&read, &write]).await;
    let tries = Tries::new(&scene, scene.agent("factor").await, &starting).await;
    let (owner, human) = (&world.owner.api, &scene.human);
    let (agent, at) = (format!("/agents/{}", tries.agent.id), format!("/connections/{}", scene.connection));
    assert_eq!(tries.both().await, (true, true), "with every factor");

    human.api.patch(&agent, json!({ "scope_ceiling": [read] })).await.ok();
    assert_eq!(tries.both().await, (false, false), "ceiling");
    human.api.patch(&agent, json!({ "scope_ceiling": [read, write] })).await.ok();

    owner.delete(&format!("/role-assignments/{}", scene.writing)).await.ok();
    assert_eq!(tries.both().await, (false, false), "owner");
    assign(owner, &human.id, &scene.writer).await;

    owner.patch(&at, json!({ "scopes": [read] })).await.ok();
    assert_eq!(tries.both().await, (false, false), "connection");
    owner.patch(&at, json!({ "scopes": [read, write] })).await.ok();

    human.api.patch(&agent, json!({ "connections": [other] })).await.ok();
    assert_eq!(tries.both().await, (false, false), "connections the agent may use");
    human.api.patch(&agent, json!({ "connections": [scene.connection] })).await.ok();

    owner.delete(&format!("/role-assignments/{leading}")).await.ok();
    assert_eq!(tries.both().await, (true, false), "whoever began the run");
    assign(owner, &starter.id, &lead).await;

    owner.delete(&format!("/role-assignments/{acting}")).await.ok();
    assert_eq!(tries.both().await, (true, false), "whoever began the run may not act for the agent any more");
    assign(owner, &starter.id, &may).await;
    assert_eq!(tries.both().await, (true, true), "all given back");

    owner.post(&format!("/users/{}/suspend", starter.id), json!({})).await.ok();
    assert_eq!(tries.both().await, (true, false), "whoever began the run is suspended");
    owner.post(&format!("/users/{}/resume", starter.id), json!({})).await.ok();

    let narrow = Tries { run: scene.run(&starting, &tries.agent, json!({ "scopes": [read] })).await.0, ..tries };
    assert_eq!(narrow.have(false).await, [true, true, true]);
    assert_eq!(narrow.have(true).await[..2], [false, false], "run");
    let (_, bare) = token_of(&world, &starter.id, &[&read]).await;
    let bare = Tries { run: scene.run(&bare, &narrow.agent, json!({})).await.0, ..narrow };
    assert_eq!(bare.have(true).await[..2], [false, false], "the token by which the run was begun");
});

on_both_engines!(neg_g2_a_foreign_agent_yields_nothing, world => {
    let scene = Scene::new(&world, "foreign").await;
    let agent = scene.agent("victim").await;
    let (person, other) = neighbour(&world, &scene).await;
    let control = world.control(&other).await;
    for (who, api) in [("another member", &person.api), ("another agent", &control)] {
        assert_eq!(start(api, &agent, json!({})).await.refused(404), "not_found", "{who}");
        assert_eq!(scene.dispatch(api, &agent, "read", None).await.refused(404), "not_found", "{who}");
        assert_eq!(api.get(&format!("/agents/{}/trust", agent.id)).await.refused(404), "not_found", "{who}");
    }
    let stolen = AgentClient { id: agent.id.clone(), secret: other.secret.clone() };
    assert_eq!(scene.issue(&stolen, &[]).await.refused(401), "invalid_client", "one's own secret under another id");
    let (run, _) = scene.run(&scene.human.api, &agent, json!({})).await;
    assert_eq!(scene.issue(&other, &[("run_id", &run)]).await.refused(400), "invalid_request", "another agent's run");
    let asked = scene.dispatch(&control, &other, "read", Some(&run)).await.ok();
    assert_eq!((&asked["outcome"], &asked["capability_token"]), (&json!("block"), &Value::Null));

    let beta = beta(&world).await;
    for api in [&beta, &beta.at(&world.url, "acme")] {
        assert!(matches!(start(api, &agent, json!({})).await.status, 401 | 404));
        assert!(matches!(scene.dispatch(api, &agent, "read", None).await.status, 401 | 404));
    }
    let form = [("grant_type", "client_credentials"), ("client_id", agent.id.as_str()), ("client_secret", agent.secret.expose_secret())];
    assert_eq!(world.form("/o/beta/oauth2/token", &form).await.refused(401), "invalid_client", "at another organization");
});

on_both_engines!(neg_g2_who_only_asks_gets_the_decision_alone, world => {
    let scene = Scene::new(&world, "asks").await;
    let agent = scene.agent("asked").await;
    let may = json!({ "name": "dispatcher", "permissions": ["agents.read", "connections.read", "dispatch.evaluate", "runs.create"] });
    let role = text(&world.owner.api.post("/roles", may).await.ok(), "id");
    let dispatcher = world.member("dispatcher@acme.example", &["viewer", &role]).await;
    let asked = scene.dispatch(&dispatcher.api, &agent, "read", None).await.ok();
    assert_eq!(asked["outcome"], "allow");
    for absent in ["capability_token", "run", "approval", "scope"] {
        assert!(asked[absent].is_null(), "{absent}: {asked}");
    }
    assert_eq!(start(&dispatcher.api, &agent, json!({})).await.refused(403), "permission_denied", "no `agents.act_for`");
    // A run somebody else began holds what this human's authority does not bound.
    let (run, _) = scene.run(&scene.human.api, &agent, json!({})).await;
    let asked = scene.dispatch(&world.owner.api, &agent, "write", Some(&run)).await.ok();
    assert_eq!((&asked["outcome"], &asked["capability_token"]), (&json!("allow"), &Value::Null));
    let viewer = world.member("viewer@acme.example", &["viewer"]).await;
    assert_eq!(scene.dispatch(&viewer.api, &agent, "read", None).await.refused(403), "permission_denied");
    let logged = world.owner.api.get("/runs?limit=200").await.ok();
    assert_eq!(logged["items"].as_array().unwrap().len(), 1, "asking made no run");
});

on_both_engines!(neg_g3_only_a_person_owns_and_only_they_accept, world => {
    let scene = Scene::new(&world, "owns").await;
    let agent = scene.agent("thing").await;
    let register = |owner: &str, name: &str| {
        json!({ "name": name, "owner": owner, "scope_ceiling": [scene.read()], "auth": { "method": "client_secret" } })
    };
    let team = "team_0123456789abcdefghjkmnpqrs";
    for wrong in [agent.id.as_str(), scene.token.as_str(), team, "", "*"] {
        let answer = world.owner.api.post("/agents", register(wrong, "wrong")).await;
        assert_eq!(answer.refused(400), "invalid_input", "{wrong}");
        assert_eq!(answer.body["errors"][0]["field"], "owner", "{wrong}");
    }
    let administrator = world.member("admin@acme.example", &["administrator"]).await;
    let made = administrator.api.post("/agents", register(&scene.human.id, "imposed")).await.ok();
    assert_eq!(made["state"], "draft");
    let draft = AgentClient { id: text(&made, "id"), secret: secret(&text(&made, "client_secret")) };
    assert_eq!(scene.issue(&draft, &[]).await.refused(401), "invalid_client");
    assert_eq!(world.token(&draft, &[("resource", &format!("{}/o/acme", world.url))]).await.refused(401), "invalid_client");
    let asked = scene.dispatch(&administrator.api, &draft, "read", None).await.ok();
    assert_eq!((&asked["outcome"], &asked["reasons"][0]), (&json!("block"), &json!("agent_suspended")));
    assert_eq!(start(&administrator.api, &draft, json!({})).await.refused(409), "invalid_state");
    let accept = format!("/agents/{}/accept", draft.id);
    for not_owner in [&administrator.api, &world.owner.api] {
        assert_eq!(not_owner.post(&accept, json!({})).await.refused(403), "permission_denied");
    }
    scene.human.api.post(&accept, json!({})).await.ok();
    assert_eq!(text(&scene.issue(&draft, &[]).await.ok(), "scope"), scene.read());
    // Whoever registers with an owner above themselves gets nothing either.
    let person = world.member("climber@acme.example", &["member"]).await;
    assert_eq!(person.api.post("/agents", register(&world.owner.id, "climber")).await.refused(404), "not_found");
});

on_both_engines!(neg_g3_who_holds_less_takes_no_control, world => {
    let scene = Scene::new(&world, "control").await;
    let agent = scene.agent("kept").await;
    let administrator = world.member("admin@acme.example", &["administrator"]).await;
    let (person, _) = neighbour(&world, &scene).await;
    let rotate = format!("/agents/{}/secret-rotations", agent.id);
    assert_eq!(person.api.post(&rotate, json!({})).await.refused(404), "not_found");
    assert_eq!(administrator.api.post(&rotate, json!({})).await.refused(403), "beyond_own_permissions");
    let path = format!("/agents/{}", agent.id);
    assert_eq!(person.api.patch(&path, json!({ "version": "2" })).await.refused(404), "not_found");
    // The administrator may take away, and may not give back.
    administrator.api.patch(&path, json!({ "scope_ceiling": [scene.read()] })).await.ok();
    let grow = json!({ "scope_ceiling": [scene.read(), scene.write()] });
    assert_eq!(administrator.api.patch(&path, grow.clone()).await.refused(403), "beyond_own_permissions");
    for swap in [json!({ "owner": administrator.id }), json!({ "state": "active" }), json!({ "trust": 100 })] {
        assert_eq!(administrator.api.patch(&path, swap.clone()).await.refused(400), "invalid_input", "{swap}");
    }
    let control = world.control(&agent).await;
    assert_eq!(control.patch(&path, grow.clone()).await.refused(403), "permission_denied", "nor does the agent itself");
    assert_eq!(control.post(&rotate, json!({})).await.refused(403), "permission_denied");
    scene.human.api.patch(&path, grow).await.ok();
    scene.human.api.post(&rotate, json!({})).await.ok();
});

on_both_engines!(neg_h2_no_wildcard_reaches_an_agent, world => {
    let scene = Scene::new(&world, "wild").await;
    let agent = scene.agent("tame").await;
    for wild in ["*", "wild:*", "*:read", "*:*", "wild:re*", "read:*"] {
        let body = json!({ "name": "wild", "owner": scene.human.id, "scope_ceiling": [wild], "auth": { "method": "client_secret" } });
        let answer = scene.human.api.post("/agents", body).await;
        assert_eq!((answer.refused(400), &answer.body["errors"][0]["field"]), ("invalid_input", &json!("scope_ceiling.0")), "{wild}");
        let path = format!("/agents/{}", agent.id);
        assert_eq!(scene.human.api.patch(&path, json!({ "scope_ceiling": [wild] })).await.refused(400), "invalid_input", "{wild}");
        assert_eq!(scene.issue(&agent, &[("scope", wild)]).await.refused(400), "invalid_scope", "{wild}");
        let run = start(&scene.human.api, &agent, json!({ "scopes": [wild] })).await;
        assert_eq!(run.refused(400), "invalid_input", "{wild}");
        let declared = json!({ "name": "wilder", "audience": "https://wilder.example", "min_trust": 20, "scopes": [wild] });
        assert_eq!(world.owner.api.post("/connections", declared).await.refused(400), "invalid_input", "{wild}");
        let token = json!({ "name": "wild", "permissions": [], "scopes": [wild] });
        assert_eq!(scene.human.api.post("/tokens", token).await.refused(400), "invalid_input", "{wild}");
    }
});

on_both_engines!(neg_h2_a_pattern_is_given_only_by_who_holds_it, world => {
    let scene = Scene::new(&world, "pattern").await;
    let (read, write) = (scene.read(), scene.write());
    let maker = json!({ "name": "maker", "permissions": ["roles.create", "roles.read", "roles.assign", "users.read"], "scopes": [read, write] });
    let maker = text(&world.owner.api.post("/roles", maker).await.ok(), "id");
    let person = world.member("maker@acme.example", &["member", &maker]).await;
    let (_, api) = token_of(&world, &person.id, &[&read, &write]).await;
    // They hold every scope that is declared now, and still not those that will be.
    for wild in ["pattern:*", "*:read", "pattern:*"] {
        let answer = api.post("/roles", json!({ "name": "wide", "scopes": [wild] })).await;
        assert_eq!(answer.refused(403), "beyond_own_permissions", "{wild}");
    }
    api.post("/roles", json!({ "name": "narrow", "scopes": [read, write] })).await.ok();
    let wide = world.role("wide", &["pattern:*"]).await;
    let give = json!({ "subject": person.id, "role": wide });
    assert_eq!(api.post("/role-assignments", give).await.refused(403), "beyond_own_permissions");

    // A scope declared later is held by pattern and enters no ceiling that was written before.
    assign(&world.owner.api, &scene.human.id, &wide).await;
    let agent = scene.agent("before").await;
    let path = format!("/connections/{}", scene.connection);
    world.owner.api.patch(&path, json!({ "scopes": [read, write, "pattern:list"] })).await.ok();
    assert_eq!(text(&scene.issue(&agent, &[]).await.ok(), "scope"), format!("{read} {write}"));
    assert_eq!(scene.issue(&agent, &[("scope", "pattern:list")]).await.refused(400), "invalid_scope");
    let after = world.agent(&scene.widely().await, "after", &["pattern:list"]).await;
    assert_eq!(text(&scene.issue(&after, &[]).await.ok(), "scope"), "pattern:list");
});
