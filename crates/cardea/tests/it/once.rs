//! What may be done once is done once (NEG F5), whoever asks at the same moment: names, idempotency keys, versions,
//! rotations, assertions, and the last owner.

use crate::scene::{Dice, Scene, Signer};
use crate::world::{AgentClient, Answer, Api, World, text};
use futures::future::join_all;
use kernel::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const ROUNDS: usize = 50;

/// The answers of `n` who do the same at once: how many won, and the codes of the others.
fn outcome(answers: &[Answer]) -> (usize, BTreeSet<(u16, String)>) {
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status < 300);
    (
        won.len(),
        lost.iter()
            .map(|answer| (answer.status, answer.refused(answer.status).to_owned()))
            .collect(),
    )
}

async fn at_once<F: Future<Output = Answer>>(one: impl Fn(usize) -> F) -> Vec<Answer> {
    join_all((0..ROUNDS).map(one)).await
}

fn code(status: u16, code: &str) -> BTreeSet<(u16, String)> {
    [(status, code.to_owned())].into()
}

on_both_engines!(neg_f5_names_are_claimed_once, world => {
    let (owner, scene) = (&world.owner.api, Scene::new(&world, "names").await);
    let agent = json!({ "name": "twin", "owner": world.owner.id, "scope_ceiling": [scene.read()], "auth": { "method": "client_secret" } });
    let user = json!({ "email": "twin@acme.example", "name": "Twin" });
    let role = json!({ "name": "twin", "scopes": [scene.read()] });
    let claims = [("/agents", agent), ("/users", user), ("/roles", role)];
    for (path, body) in claims {
        let answers = at_once(|_| owner.post(path, &body)).await;
        assert_eq!(outcome(&answers), (1, code(409, "already_exists")), "{path}");
    }
    let answers = at_once(|n| {
        let spelling = if n % 2 == 0 { "https://twin.example" } else { "HTTPS://TWIN.example:443" };
        let body = json!({ "name": format!("twin {n}"), "audience": spelling, "min_trust": 20, "scopes": ["twin:read"] });
        owner.post("/connections", body)
    })
    .await;
    assert_eq!(outcome(&answers), (1, code(409, "already_exists")), "audience");
    let connections = owner.get("/connections?limit=200").await.ok();
    let twins = connections["items"].as_array().unwrap().iter().filter(|c| c["name"].as_str().unwrap().starts_with("twin"));
    assert_eq!(twins.count(), 1, "the losers left nothing");
});

on_both_engines!(neg_f5_an_idempotency_key_makes_one_object, world => {
    let owner = &world.owner.api;
    let body = json!({ "name": "once", "owner": world.owner.id, "scope_ceiling": [], "auth": { "method": "client_secret" } });
    let headers = [("idempotency-key", "the-same")];
    let answers = at_once(|_| owner.send("POST", "/agents", Some(&body), &headers)).await;
    let made: Vec<Value> = answers.into_iter().map(Answer::ok).collect();
    let ids: BTreeSet<&str> = made.iter().map(|answer| answer["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1, "one agent");
    let shown = made.iter().filter(|answer| answer["client_secret"].is_string());
    assert_eq!(shown.count(), 1, "its secret is in one answer");
    let agents = owner.get("/agents").await.ok();
    assert_eq!(agents["items"].as_array().unwrap().len(), 1);
    let other = json!({ "name": "another", "owner": world.owner.id, "scope_ceiling": [], "auth": { "method": "client_secret" } });
    assert_eq!(owner.send("POST", "/agents", Some(&other), &headers).await.refused(422), "idempotency_mismatch");
});

on_both_engines!(neg_f5_of_updates_on_one_version_one_wins, world => {
    let scene = Scene::new(&world, "version").await;
    let agent = scene.agent("versioned").await;
    let path = format!("/agents/{}", agent.id);
    let etag = scene.human.api.get(&path).await.ok()["etag"].to_string();
    let answers = at_once(|n| {
        let (api, path, etag) = (&scene.human.api, &path, &etag);
        async move { api.send("PATCH", path, Some(&json!({ "version": format!("{n}") })), &[("if-match", etag)]).await }
    })
    .await;
    assert_eq!(outcome(&answers), (1, code(412, "version_mismatch")));
});

on_both_engines!(neg_f5_one_rotation_is_open, world => {
    let scene = Scene::new(&world, "rotate").await;
    let agent = scene.agent("rotated").await;
    let path = format!("/agents/{}/secret-rotations", agent.id);
    let answers = at_once(|_| scene.human.api.post(&path, json!({ "overlap_seconds": 600 }))).await;
    assert_eq!(outcome(&answers), (1, code(409, "invalid_state")));
    let won = answers.iter().find(|answer| answer.status == 201).unwrap();
    let new = AgentClient { id: agent.id.clone(), secret: SecretString::from(text(&won.body, "client_secret")) };
    scene.issue(&agent, &[]).await.ok();
    scene.issue(&new, &[]).await.ok();
    let secrets = scene.human.api.get(&format!("/agents/{}/secrets", agent.id)).await.ok();
    assert_eq!(secrets["items"].as_array().unwrap().len(), 2, "the losers left none: {secrets}");
});

on_both_engines!(neg_c5_an_assertion_is_good_for_one_token, world => {
    let scene = Scene::new(&world, "assert").await;
    let signer = Signer::register(&scene, "signer").await;
    for round in 0..4 {
        let assertion = signer.sign(&signer.claims());
        let answers = at_once(|_| signer.issue(&scene, &assertion)).await;
        assert_eq!(outcome(&answers), (1, code(401, "invalid_client")), "round {round}");
    }
});

/// A second owner with a token of their own that counts as a recent sign-in: recovery gives it to the only active owner.
async fn second_owner(world: &World) -> (String, Api) {
    let member = world.member("second@acme.example", &["owner"]).await;
    world
        .owner
        .api
        .post(&format!("/users/{}/suspend", world.owner.id), json!({}))
        .await
        .ok();
    let (_, recovered, secret) = service::setup::recover(world.server.platform(), Some("acme"))
        .await
        .unwrap();
    assert_eq!(recovered.to_string(), member.id);
    let made = member
        .api
        .post(
            "!/api/v1/setup",
            json!({ "secret": secret.expose_secret() }),
        )
        .await
        .ok();
    let api = member.api.with(SecretString::from(text(&made, "token")));
    api.post(&format!("/users/{}/resume", world.owner.id), json!({}))
        .await
        .ok();
    (member.id, api)
}

/// The assignments of the owner role: who, and which.
async fn owners(api: &Api) -> Vec<(String, String)> {
    let all = api.get("/role-assignments?limit=200").await.ok();
    let given = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|given| given["role_name"] == "owner");
    given
        .map(|given| (text(given, "subject"), text(given, "id")))
        .collect()
}

on_both_engines!(neg_f5_two_owners_removing_each_other_leave_one, world => {
    let dice = Dice::new(5);
    let (first, second) = ((world.owner.id.clone(), world.owner.api.clone()), second_owner(&world).await);
    for round in 0..ROUNDS {
        let given = owners(&first.1).await;
        let of = |user: &str| given.iter().find(|(subject, _)| subject == user).unwrap().1.clone();
        let remove = async |by: &Api, whose: &str| {
            dice.pause().await;
            by.delete(&format!("/role-assignments/{}", of(whose))).await
        };
        let (a, b) = tokio::join!(remove(&first.1, &second.0), remove(&second.1, &first.0));
        assert_eq!([&a, &b].iter().filter(|answer| answer.status == 200).count(), 1, "round {round}: {a:?} {b:?}");
        let (winner, loser) = if a.status == 200 { (&first, &second) } else { (&second, &first) };
        let left = owners(&winner.1).await;
        assert_eq!(left.iter().map(|(subject, _)| subject).collect::<Vec<_>>(), [&winner.0], "round {round}");
        winner.1.post("/role-assignments", json!({ "subject": loser.0, "role": "owner" })).await.ok();
    }
});

on_both_engines!(neg_f5_two_owners_leaving_at_once_leave_one, world => {
    let dice = Dice::new(7);
    let (first, second) = ((world.owner.id.clone(), world.owner.api.clone()), second_owner(&world).await);
    for round in 0..ROUNDS {
        let given = owners(&first.1).await;
        let of = |user: &str| given.iter().find(|(subject, _)| subject == user).unwrap().1.clone();
        let leave = async |who: &(String, Api)| {
            dice.pause().await;
            who.1.delete(&format!("/role-assignments/{}", of(&who.0))).await
        };
        let (a, b) = tokio::join!(leave(&first), leave(&second));
        let ((left, stayed), refused) = if a.status == 200 { ((&first, &second), b) } else { ((&second, &first), a) };
        assert_eq!(refused.refused(409), "last_owner", "round {round}");
        assert_eq!(owners(&stayed.1).await.len(), 1, "round {round}");
        stayed.1.post("/role-assignments", json!({ "subject": left.0, "role": "owner" })).await.ok();
    }
});

on_both_engines!(neg_f5_two_owners_suspending_each_other_leave_one, world => {
    let dice = Dice::new(6);
    let (first, second) = ((world.owner.id.clone(), world.owner.api.clone()), second_owner(&world).await);
    for round in 0..ROUNDS {
        let stop = async |by: &Api, whose: &str| {
            dice.pause().await;
            by.post(&format!("/users/{whose}/suspend"), json!({})).await
        };
        let (a, b) = tokio::join!(stop(&first.1, &second.0), stop(&second.1, &first.0));
        assert_eq!([&a, &b].iter().filter(|answer| answer.status == 200).count(), 1, "round {round}: {a:?} {b:?}");
        let (winner, loser) = if a.status == 200 { (&first, &second) } else { (&second, &first) };
        winner.1.post(&format!("/users/{}/resume", loser.0), json!({})).await.ok();
    }
});

on_both_engines!(neg_f5_a_slug_and_a_set_up_secret_are_taken_once, world => {
    let owner = &world.owner.api;
    let answers = at_once(|_| owner.post("!/api/v1/orgs", json!({ "slug": "twin" }))).await;
    assert_eq!(outcome(&answers), (1, code(409, "already_exists")), "slug");
    let made = answers.iter().find(|answer| answer.status == 201).unwrap();
    let secret = json!({ "secret": text(&made.body, "setup_secret") });
    let answers = at_once(|_| owner.post("!/api/v1/setup", &secret)).await;
    assert_eq!(outcome(&answers), (1, code(401, "unauthenticated")), "set-up secret");
});
