//! Attacks on client authentication that must fail (NEG C5): two methods at once, doubled parameters, secrets in the
//! address or rotated out, and assertions that say the wrong thing or come twice.

use crate::scene::{Scene, Signer, key_id, secret};
use crate::world::{AgentClient, Answer, World, client, text};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use egress::Request;
use kernel::{Clock, ExposeSecret, SecretString, ambient::SystemClock};
use serde_json::{Value, json};

const TOKEN: &str = "/o/acme/oauth2/token";

/// Posts a form with basic authentication.
async fn basic(
    world: &World,
    path: &str,
    (id, secret): (&str, &SecretString),
    form: &[(&str, &str)],
) -> Answer {
    let request = Request::post(&format!("{}{path}", world.url))
        .unwrap()
        .form(&form)
        .unwrap();
    client()
        .send(request.basic(id, secret).unwrap())
        .await
        .unwrap()
        .into()
}

on_both_engines!(neg_c5_one_client_authentication_at_a_time, world => {
    let scene = Scene::new(&world, "client").await;
    let agent = scene.agent("client").await;
    let signer = Signer::register(&scene, "signer").await;
    let hidden = agent.secret.expose_secret();
    let grant = [("grant_type", "client_credentials"), ("resource", scene.audience.as_str())];
    let with = |more: &[(&'static str, &str)]| -> Vec<(&'static str, String)> {
        let known = [("grant_type", "client_credentials".to_owned()), ("resource", scene.audience.clone())];
        known.into_iter().chain(more.iter().map(|(name, value)| (*name, (*value).to_owned()))).collect()
    };
    basic(&world, TOKEN, (&agent.id, &agent.secret), &grant).await.ok();
    // Basic and post; basic for one client and the body for another.
    for twice in [with(&[("client_id", &agent.id), ("client_secret", hidden)]), with(&[("client_secret", hidden)]), with(&[("client_id", &signer.id)])] {
        let form: Vec<(&str, &str)> = twice.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(basic(&world, TOKEN, (&agent.id, &agent.secret), &form).await.refused(400), "invalid_request");
    }
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let assertion = signer.sign(&signer.claims());
    let both = with(&[("client_id", &signer.id), ("client_secret", hidden), ("client_assertion_type", kind), ("client_assertion", &assertion)]);
    let both: Vec<(&str, &str)> = both.iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(world.form(TOKEN, &both).await.refused(400), "invalid_request", "post and assertion");
    signer.issue(&scene, &assertion).await.ok();

    let post = with(&[("client_id", &agent.id), ("client_secret", hidden)]);
    let post: Vec<(&str, &str)> = post.iter().map(|(n, v)| (*n, v.as_str())).collect();
    for doubled in ["grant_type", "resource", "client_id", "client_secret", "scope"] {
        let value = post.iter().find(|(name, _)| *name == doubled).map_or("client:read", |(_, value)| *value);
        let twice: Vec<(&str, &str)> = post.iter().copied().chain([(doubled, value); 2]).collect();
        assert_eq!(world.form(TOKEN, &twice).await.refused(400), "invalid_request", "{doubled} twice");
    }
    let address = format!("{TOKEN}?client_id={}&client_secret={hidden}", agent.id);
    assert_eq!(world.form(&address, &grant).await.refused(400), "invalid_request", "a secret in the address");
    let swapped = AgentClient { id: signer.id.clone(), secret: agent.secret.clone() };
    assert_eq!(scene.issue(&swapped, &[]).await.refused(401), "invalid_client", "a secret for one who signs");
    world.form(TOKEN, &post).await.ok();
});

on_both_engines!(neg_c5_a_rotated_out_secret_is_dead, world => {
    let scene = Scene::new(&world, "rotated").await;
    let agent = scene.agent("rotated").await;
    let token = text(&scene.issue(&agent, &[]).await.ok(), "access_token");
    let control = world.control(&agent).await;
    let rotations = format!("/agents/{}/secret-rotations", agent.id);
    let made = scene.human.api.post(&rotations, json!({ "overlap_seconds": 0 })).await.ok();
    let new = AgentClient { id: agent.id.clone(), secret: secret(&text(&made, "client_secret")) };
    assert_eq!(scene.issue(&agent, &[]).await.refused(401), "invalid_client");
    assert_eq!(world.introspect(&token).await, json!({ "active": false }), "what was got with it is dead");
    assert_eq!(control.get(&format!("/agents/{}", agent.id)).await.refused(401), "unauthenticated");
    scene.issue(&new, &[]).await.ok();
    // With an overlap both work, the old one says so, and promoting ends it.
    let made = scene.human.api.post(&rotations, json!({ "overlap_seconds": 600 })).await.ok();
    let newest = AgentClient { id: agent.id.clone(), secret: secret(&text(&made, "client_secret")) };
    let retiring = scene.issue(&new, &[]).await;
    assert!(retiring.response.header("x-credential-rotation").is_some() && retiring.status == 200);
    assert!(scene.issue(&newest, &[]).await.response.header("x-credential-rotation").is_none());
    scene.human.api.post(&format!("/secret-rotations/{}/promote", text(&made, "id")), json!({})).await.ok();
    assert_eq!(scene.issue(&new, &[]).await.refused(401), "invalid_client");
    scene.issue(&newest, &[]).await.ok();
    let revoke = format!("/agents/{}/secrets/{}/revoke", agent.id, key_id(&newest.secret));
    scene.human.api.post(&revoke, json!({})).await.ok();
    assert_eq!(scene.issue(&newest, &[]).await.refused(401), "invalid_client");
});

on_both_engines!(neg_c5_an_assertion_says_who_for_whom_and_when, world => {
    let scene = Scene::new(&world, "assertion").await;
    let (signer, other) = (Signer::register(&scene, "signer").await, Signer::register(&scene, "other").await);
    let now = SystemClock.now().seconds();
    let endpoint = format!("{}{TOKEN}", world.url);
    let issuer = format!("{}/o/acme", world.url);
    let with = |more: Value| {
        let mut claims = signer.claims();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        claims
    };
    let wrong = [
        ("audience of another server", json!({ "aud": "https://elsewhere.example" })),
        ("audience of another organization", json!({ "aud": format!("{}/o/beta", world.url) })),
        ("audience among others", json!({ "aud": [issuer, "https://elsewhere.example"] })),
        ("no audience", json!({ "aud": null })),
        ("expired", json!({ "exp": now - 61, "iat": now - 120 })),
        ("no end", json!({ "exp": null })),
        ("an end too far", json!({ "exp": now + 7_200 })),
        ("not yet valid", json!({ "nbf": now + 300 })),
        ("made in the future", json!({ "iat": now + 300 })),
        ("another subject", json!({ "sub": other.id })),
        ("another issuer", json!({ "iss": other.id })),
        ("no identifier", json!({ "jti": null })),
        ("an empty identifier", json!({ "jti": "" })),
    ];
    for (what, more) in wrong {
        assert_eq!(signer.issue(&scene, &signer.sign(&with(more))).await.refused(401), "invalid_client", "{what}");
    }
    let foreign = other.sign(&signer.claims());
    assert_eq!(signer.issue(&scene, &foreign).await.refused(401), "invalid_client", "another's key");
    let payload = B64URL.encode(signer.claims().to_string());
    let unsigned = format!("{}.{payload}.", B64URL.encode(json!({ "alg": "none", "kid": signer.key.kid() }).to_string()));
    assert_eq!(signer.issue(&scene, &unsigned).await.refused(401), "invalid_client", "unsigned");
    for right in [json!({ "aud": endpoint }), json!({ "aud": [issuer] }), json!({ "exp": now + 600 })] {
        let assertion = signer.sign(&with(right));
        signer.issue(&scene, &assertion).await.ok();
        assert_eq!(signer.issue(&scene, &assertion).await.refused(401), "invalid_client", "a second time");
    }
    // Used at any endpoint it is used.
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for path in ["introspect", "revoke"] {
        let assertion = signer.sign(&signer.claims());
        let form = [("client_id", signer.id.as_str()), ("client_assertion_type", kind), ("client_assertion", &assertion), ("token", "x")];
        let path = format!("/o/acme/oauth2/{path}");
        assert_eq!(world.form(&path, &form).await.status, 200, "{path}");
        assert_eq!(world.form(&path, &form).await.refused(401), "invalid_client", "{path} a second time");
        assert_eq!(signer.issue(&scene, &assertion).await.refused(401), "invalid_client", "{path} and then a token");
    }
});
