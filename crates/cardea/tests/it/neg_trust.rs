//! Attacks on trust that must fail (NEG G8), and what too little of it refuses at issue (GATE-2): a score is moved by
//! nobody who may not move it, and a new registration leaves nothing behind.

use crate::scene::{Scene, Signer, assign, neighbour};
use crate::world::{AgentClient, World, text};
use serde_json::json;

async fn trust(world: &World, agent: &str) -> u64 {
    world
        .owner
        .api
        .get(&format!("/agents/{agent}/trust"))
        .await
        .ok()["score"]
        .as_u64()
        .unwrap()
}

on_both_engines!(neg_g8_trust_is_moved_by_nobody_who_may_not, world => {
    let scene = Scene::new(&world, "trust").await;
    let agent = scene.agent("victim").await;
    let (person, other) = neighbour(&world, &scene).await;
    let (control, foreign) = (world.control(&agent).await, world.control(&other).await);
    let before = trust(&world, &agent.id).await;
    let wrong = AgentClient { id: agent.id.clone(), secret: other.secret.clone() };
    for _ in 0..20 {
        scene.issue(&wrong, &[]).await.refused(401);
        scene.issue(&agent, &[("scope", "trust:never")]).await.refused(400);
        person.api.get(&format!("/agents/{}", agent.id)).await.refused(404);
        scene.dispatch(&control, &agent, "admin", None).await.ok();
    }
    assert_eq!(trust(&world, &agent.id).await, before, "failed sign-ins, refused tokens and blocked dispatches");
    let events = format!("/agents/{}/events", agent.id);
    let report = |severity: &str, run: Option<&str>| json!({ "type": "guardrail.blocked", "severity": severity, "run": run });
    for stranger in [&person.api, &foreign] {
        assert_eq!(stranger.post(&events, report("minor", None)).await.refused(404), "not_found");
    }
    for own in [&control, &scene.human.api] {
        assert_eq!(own.post(&events, report("minor", None)).await.refused(400), "invalid_input", "no run cited");
        for better in ["clean", "positive", "none"] {
            assert_eq!(own.post(&events, report(better, None)).await.refused(400), "invalid_input");
        }
    }
    let (elsewhere, _) = scene.run(&world.owner.api, &other, json!({})).await;
    assert_eq!(control.post(&events, report("minor", Some(&elsewhere))).await.refused(400), "invalid_input", "another agent's run");
    assert_eq!(trust(&world, &agent.id).await, before);
    let (run, _) = scene.run(&control, &agent, json!({})).await;
    let told = control.post(&events, report("major", Some(&run))).await.ok();
    assert!(told["trust"]["after"].as_u64() < told["trust"]["before"].as_u64(), "a report takes: {told}");
    assert_eq!(control.post(&events, report("major", Some(&run))).await.refused(409), "already_exists", "once of a run");
    // A run that no dispatch made gives nothing by ending well.
    let low = trust(&world, &agent.id).await;
    let (clean, within) = scene.run(&control, &agent, json!({})).await;
    within.post(&format!("/runs/{clean}/end"), json!({ "outcome": "completed" })).await.ok();
    assert_eq!(trust(&world, &agent.id).await, low);
});

on_both_engines!(neg_g8_registering_again_gains_nothing, world => {
    let scene = Scene::new(&world, "again").await;
    let (agent, signer) = (scene.agent("Phoenix").await, Signer::register(&scene, "signer").await);
    let (first, firm) = (trust(&world, &agent.id).await, trust(&world, &signer.id).await);
    let fall = async |id: &str| {
        for _ in 0..3 {
            let report = json!({ "type": "guardrail.blocked", "severity": "major" });
            world.owner.api.post(&format!("/agents/{id}/events"), report).await.ok();
        }
        let before = trust(&world, id).await;
        world.owner.api.post(&format!("/agents/{id}/revoke"), json!({})).await.ok();
        before
    };
    let before = fall(&agent.id).await;
    assert!(before < first);
    // The same name in another spelling, and once more under the same.
    for name in ["PHOENIX", "phoenix"] {
        let body = json!({ "name": name, "owner": scene.human.id, "scope_ceiling": [scene.read()], "auth": { "method": "client_secret" } });
        let again = scene.human.api.post("/agents", body).await.ok();
        assert_eq!(again["trust"]["score"], json!(before), "{name}: the answer says so");
        assert_eq!(trust(&world, &text(&again, "id")).await, before, "{name}: the name carries its history");
        world.owner.api.post(&format!("/agents/{}/revoke", text(&again, "id")), json!({})).await.ok();
    }
    let before = fall(&signer.id).await;
    assert!(before < firm);
    let auth = json!({ "method": "private_key_jwt", "jwks": { "keys": [signer.key.public_jwk()] } });
    let body = json!({ "name": "another name", "owner": scene.human.id, "scope_ceiling": [], "auth": auth });
    let again = scene.human.api.post("/agents", body).await.ok();
    assert_eq!(trust(&world, &text(&again, "id")).await, before, "the key carries its history");
    assert_eq!(trust(&world, &scene.agent("unrelated").await.id).await, first, "others start where everybody does");
});

on_both_engines!(gate_2_trust_at_issue_refuses_by_name_and_leaves_out_unnamed, world => {
    let scene = Scene::new(&world, "gate").await;
    let (read, write) = (scene.read(), scene.write());
    let path = format!("/connections/{}", scene.connection);
    let classes = json!({ "scopes": [read, write, "gate:pay"], "scope_classes": { "gate:pay": "spend" } });
    world.owner.api.patch(&path, classes).await.ok();
    let payer = world.role("payer", &["gate:pay"]).await;
    assign(&world.owner.api, &scene.human.id, &payer).await;
    let agent = world.agent(&scene.widely().await, "gate", &[&read, &write, "gate:pay"]).await;
    let given = async |scope: &[(&str, &str)]| scene.issue(&agent, scope).await;
    assert_eq!(text(&given(&[]).await.ok(), "scope"), format!("{read} {write}"), "48 is too little to spend");
    assert_eq!(given(&[("scope", "gate:pay")]).await.refused(400), "access_denied");
    assert_eq!(given(&[("scope", &format!("{read} gate:pay"))]).await.refused(400), "access_denied");
    let report = async |severity: &str| {
        let body = json!({ "type": "guardrail.blocked", "severity": severity });
        world.owner.api.post(&format!("/agents/{}/events", agent.id), body).await.ok()["trust"]["after"].as_u64().unwrap()
    };
    report("major").await;
    assert!((20..40).contains(&report("major").await));
    assert_eq!(text(&given(&[]).await.ok(), "scope"), read, "too little to write");
    assert_eq!(given(&[("scope", &write)]).await.refused(400), "access_denied");
    world.owner.api.patch(&path, json!({ "min_trust": 60 })).await.ok();
    for scope in [&[][..], &[("scope", read.as_str())]] {
        assert_eq!(given(scope).await.refused(400), "access_denied", "below the connection's minimum");
    }
    world.owner.api.patch(&path, json!({ "min_trust": 0 })).await.ok();
    assert_eq!(text(&given(&[]).await.ok(), "scope"), read);
    assert!(report("critical").await < 20);
    assert_eq!(given(&[]).await.refused(400), "access_denied", "below the floor");
    let issuer = format!("{}/o/acme", world.url);
    assert_eq!(world.token(&agent, &[("resource", &issuer)]).await.refused(400), "access_denied", "the floor is for every token");
    for target in ["org", agent.id.as_str(), scene.connection.as_str()] {
        let fresh = scene.agent(&format!("fresh {target}")).await;
        let target = if target.starts_with("agt") { fresh.id.as_str() } else { target };
        let switch = async |on: bool| {
            let path = format!("/kill-switches/{target}");
            world.owner.api.put(&path, json!({ "on": on, "reason": "test" })).await.ok();
        };
        switch(true).await;
        assert_eq!(scene.issue(&fresh, &[]).await.refused(400), "access_denied", "{target}");
        switch(false).await;
        scene.issue(&fresh, &[]).await.ok();
    }
    world.owner.api.post(&format!("/users/{}/suspend", scene.human.id), json!({})).await.ok();
    assert_eq!(given(&[]).await.refused(400), "invalid_scope", "an owner who does not stand holds nothing");
});
