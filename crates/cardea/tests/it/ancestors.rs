//! A leaf at the greatest depth dies with each kind of ancestor (NEG G5), a forged lineage changes nothing, and one
//! beyond the limit is refused.

use crate::scene::{Scene, claims, key_id, start, token_of};
use crate::world::{World, text};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::{GrantId, Lineage};
use kernel::{SecretString, limits};
use serde_json::{Value, json};

/// Each kind of ancestor of a leaf at the greatest depth, and what takes it away and back.
#[derive(Clone, Copy, Debug)]
enum Ancestor {
    Root,
    Middle,
    Leaf,
    Initiator,
    InitiatorSuspended,
    Owner,
    RootAgent,
    Secret,
    ApiToken,
}

async fn deepest(world: &World, n: usize, ancestor: Ancestor) {
    let scene = Scene::new(world, &format!("deep{n}")).await;
    let (upper, lower) = (
        scene.agent(&format!("upper {n}")).await,
        scene.agent(&format!("lower {n}")).await,
    );
    let lead = initiator(world, n, &[&scene.read(), &scene.write()]).await;
    let (token, api) = token_of(world, &lead, &[&scene.read(), &scene.write()]).await;
    let (first, run_api) = scene.run(&api, &upper, json!({})).await;
    let mut chain = vec![first];
    let mut by = run_api;
    for depth in 2..=limits::RUN_DEPTH {
        let parent = json!({ "parent": chain.last().unwrap() });
        // Half way down another agent of the same owner goes on with a token of its own.
        let (agent, with) = match depth {
            ..5 => (&upper, by),
            5 => (&lower, world.control(&lower).await),
            _ => (&lower, by),
        };
        let (id, next) = scene.run(&with, agent, parent).await;
        chain.push(id);
        by = next;
    }
    let deeper = start(&by, &lower, json!({})).await;
    assert_eq!(deeper.refused(400), "invalid_input", "one deeper");
    let leaf = scene
        .dispatch(&by, &lower, "write", chain.last().map(String::as_str))
        .await
        .ok();
    let leaf = text(&leaf, "capability_token");
    assert_eq!(world.introspect(&leaf).await["active"], true);
    let owner = &world.owner.api;
    let run = |n: usize| format!("/runs/{}/terminate", chain[n]);
    let path = match ancestor {
        Ancestor::Root => run(0),
        Ancestor::Middle => run(4),
        Ancestor::Leaf => run(limits::RUN_DEPTH - 1),
        Ancestor::Initiator => format!("/users/{lead}/deactivate"),
        Ancestor::InitiatorSuspended => format!("/users/{lead}/suspend"),
        Ancestor::Owner => format!("/users/{}/suspend", scene.human.id),
        Ancestor::RootAgent => format!("/agents/{}/revoke", upper.id),
        Ancestor::Secret => format!(
            "/agents/{}/secrets/{}/revoke",
            lower.id,
            key_id(&lower.secret)
        ),
        Ancestor::ApiToken => format!("/tokens/{token}/revoke"),
    };
    owner.post(&path, json!({})).await.ok();
    assert_eq!(
        world.introspect(&leaf).await,
        json!({ "active": false }),
        "{ancestor:?}"
    );
    let again = scene.dispatch(&by, &lower, "write", None).await;
    assert!(
        again.body["capability_token"].is_null(),
        "{ancestor:?}: {}",
        again.response.text()
    );
    let again = scene
        .issue(&lower, &[("run_id", chain.last().unwrap())])
        .await;
    assert!(
        again.status >= 400,
        "{ancestor:?}: {}",
        again.response.text()
    );
}

/// Somebody other than the owner who may act for any agent and holds these scopes.
async fn initiator(world: &World, n: usize, scopes: &[&str]) -> String {
    let may = [
        "agents.read",
        "agents.act_for",
        "runs.create",
        "runs.read",
        "dispatch.evaluate",
    ];
    let role = json!({ "name": format!("lead {n}"), "permissions": may, "scopes": scopes });
    let role = text(&world.owner.api.post("/roles", role).await.ok(), "id");
    world
        .member(&format!("lead{n}@acme.example"), &["member", &role])
        .await
        .id
}

on_both_engines!(neg_g5_each_ancestor_at_the_greatest_depth, world => {
    use Ancestor as A;
    let all = [A::Root, A::Middle, A::Leaf, A::Initiator, A::InitiatorSuspended, A::Owner, A::RootAgent, A::Secret, A::ApiToken];
    for (n, ancestor) in all.into_iter().enumerate() {
        deepest(&world, n, ancestor).await;
    }
});

on_both_engines!(neg_g5_a_forged_lineage_has_no_effect, world => {
    let scene = Scene::new(&world, "forge").await;
    let agent = scene.agent("forger").await;
    let control = world.control(&agent).await;
    let (run, api) = scene.run(&control, &agent, json!({})).await;
    let token = text(&scene.dispatch(&api, &agent, "write", None).await.ok(), "capability_token");
    let parts: Vec<&str> = token.split('.').collect();
    let claims = claims(&token);
    let lineage = claims["lin"].as_array().unwrap().clone();
    assert!(lineage.len() >= 3, "{claims}");
    let (mut shorter, mut turned, mut longer) = (lineage.clone(), lineage.clone(), lineage.clone());
    shorter.pop();
    turned.reverse();
    longer.push(json!("ffffffffffffffff"));
    let (own, _) = jose::SigningKey::generate(jose::Algorithm::EdDSA).unwrap();
    for forged in [shorter, turned, longer, vec![]] {
        let body = json!({ "lin": forged }).as_object().unwrap().clone();
        let body: Value = claims.as_object().unwrap().clone().into_iter().chain(body).collect::<serde_json::Map<_, _>>().into();
        let kept = format!("{}.{}.{}", parts[0], B64URL.encode(body.to_string()), parts[2]);
        let resigned = own.sign_jwt("at+jwt", body.to_string().as_bytes()).unwrap();
        for token in [kept, resigned] {
            assert_eq!(world.introspect(&token).await, json!({ "active": false }));
            let run_control = world.owner.api.with(SecretString::from(token));
            assert_eq!(run_control.get(&format!("/runs/{run}")).await.refused(401), "unauthenticated");
        }
    }
    assert_eq!(world.introspect(&token).await["active"], true, "the genuine one lives on");
});

/// Eight runs add at most three grants each, so no road over HTTP leads to the limit; the type refuses what is beyond.
#[test]
fn neg_g5_a_lineage_beyond_the_limit_is_refused_not_cut() {
    let ids = |n: u64| (0..n).map(GrantId::from_number);
    let full = Lineage::union(ids(limits::LINEAGE as u64)).unwrap();
    assert_eq!(full.len(), limits::LINEAGE);
    assert!(
        full.with([GrantId::from_number(7)]).is_ok(),
        "one that is there already"
    );
    let refused = full.with([GrantId::from_number(1_000)]).unwrap_err();
    assert!(
        refused.to_string().contains("more than 40 ids"),
        "{refused}"
    );
}
