//! Attacks with tokens that must fail (NEG C4, C10): forged ones, ones for another door or organization, and
//! questions about somebody else's.

use crate::scene::{Scene, assign, beta, secret, start};
use crate::world::{AgentClient, Answer, client, text};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use egress::Request;
use kernel::ExposeSecret;
use serde_json::{Value, json};

/// Tokens made out of a genuine one that nobody may believe, each with its name.
fn forgeries(genuine: &str, public: &Value) -> Vec<(&'static str, String)> {
    let payload = genuine.split('.').nth(1).unwrap();
    let signature = genuine.split('.').nth(2).unwrap();
    let kid = &public["kid"];
    let with = |header: Value, signature: &str| {
        format!(
            "{}.{payload}.{signature}",
            B64URL.encode(header.to_string())
        )
    };
    let mac = |header: Value, key: &[u8]| {
        let signed = format!("{}.{payload}", B64URL.encode(header.to_string()));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, key);
        format!(
            "{signed}.{}",
            B64URL.encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()))
        )
    };
    let x = B64URL.decode(public["x"].as_str().unwrap()).unwrap();
    let (own, _) = jose::SigningKey::generate(jose::Algorithm::EdDSA).unwrap();
    let jwk = serde_json::to_value(own.public_jwk()).unwrap();
    let signed = |header: Value| {
        let signed = format!("{}.{payload}", B64URL.encode(header.to_string()));
        format!(
            "{signed}.{}",
            B64URL.encode(own.sign(signed.as_bytes()).unwrap())
        )
    };
    let header = |more: Value| {
        let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        header
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        header
    };
    let zeros = B64URL.encode([0; 64]);
    vec![
        (
            "alg none, no signature",
            with(header(json!({ "alg": "none" })), ""),
        ),
        (
            "alg None",
            with(header(json!({ "alg": "None" })), signature),
        ),
        (
            "no alg",
            with(json!({ "typ": "at+jwt", "kid": kid }), signature),
        ),
        (
            "HS256 with the public key",
            mac(header(json!({ "alg": "HS256" })), &x),
        ),
        (
            "HS256 with the JWK",
            mac(
                header(json!({ "alg": "HS256" })),
                public.to_string().as_bytes(),
            ),
        ),
        ("own key under the same kid", signed(header(json!({})))),
        ("own key in jwk", signed(header(json!({ "jwk": jwk })))),
        (
            "own key at jku",
            signed(header(json!({ "jku": "https://evil.example/jwks" }))),
        ),
        (
            "own key at x5u",
            signed(header(json!({ "x5u": "https://evil.example/x" }))),
        ),
        (
            "kid is a path",
            signed(header(json!({ "kid": "../../../dev/null" }))),
        ),
        (
            "kid is SQL",
            signed(header(json!({ "kid": "' OR '1'='1" }))),
        ),
        (
            "kid is an address",
            signed(header(json!({ "kid": "https://evil.example/k" }))),
        ),
        (
            "no kid",
            with(json!({ "alg": "EdDSA", "typ": "at+jwt" }), signature),
        ),
        ("crit", signed(header(json!({ "crit": ["exp"] })))),
        (
            "another type",
            with(header(json!({ "typ": "JWT" })), signature),
        ),
        (
            "logout token",
            with(header(json!({ "typ": "logout+jwt" })), signature),
        ),
        ("zero signature", with(header(json!({})), &zeros)),
        ("no signature", with(header(json!({})), "")),
        (
            "signature cut",
            format!(
                "{}.{payload}.{}",
                genuine.split('.').next().unwrap(),
                &signature[..signature.len() - 4]
            ),
        ),
        ("a part too many", format!("{genuine}.{signature}")),
        ("padded", format!("{genuine}=")),
        ("encrypted form", format!("{genuine}.AA.AA")),
    ]
}

on_both_engines!(neg_c4_no_forged_token_is_believed, world => {
    let scene = Scene::new(&world, "jwt").await;
    let agent = scene.agent("jwt").await;
    let control = world.control(&agent).await;
    let path = format!("/agents/{}", agent.id);
    control.get(&path).await.ok();
    let keys = world.get("/o/acme/jwks.json").await.ok();
    let genuine = control.token.expose_secret();
    for (what, forged) in forgeries(genuine, &keys["keys"][0]) {
        assert_eq!(scene.api(&forged).get(&path).await.refused(401), "unauthenticated", "{what}");
        assert_eq!(world.introspect(&forged).await, json!({ "active": false }), "{what}");
    }
    assert_eq!(world.introspect(genuine).await["active"], true);
});

on_both_engines!(neg_c4_a_token_is_for_its_own_door_and_organization, world => {
    let scene = Scene::new(&world, "door").await;
    let agent = scene.agent("door").await;
    let control = world.control(&agent).await;
    let (_, within) = scene.run(&control, &agent, json!({})).await;
    let capability = text(&scene.dispatch(&within, &agent, "write", None).await.ok(), "capability_token");
    let access = text(&scene.issue(&agent, &[]).await.ok(), "access_token");
    let path = format!("/agents/{}", agent.id);
    for (what, token) in [("capability", &capability), ("access token", &access)] {
        let api = scene.api(token);
        assert_eq!(api.get(&path).await.refused(401), "unauthenticated", "{what}");
        assert_eq!(scene.dispatch(&api, &agent, "read", None).await.refused(401), "unauthenticated", "{what}");
        assert_eq!(start(&api, &agent, json!({})).await.refused(401), "unauthenticated", "{what}");
    }
    for query in ["access_token", "token"] {
        let address = format!("{path}?{query}={}", control.token.expose_secret());
        let anonymous = world.get(&format!("/api/v1/orgs/acme{address}")).await;
        assert_eq!(anonymous.refused(401), "unauthenticated", "a token in the address");
    }
    // A token of another organization, under the same names.
    let beta = beta(&world).await;
    let owner = beta.get("/users").await.ok()["items"][0]["id"].as_str().unwrap().to_owned();
    let body = json!({ "name": "twin", "audience": scene.audience, "min_trust": 20, "scopes": [scene.read()] });
    beta.post("/connections", body).await.ok();
    let body = json!({ "name": "door", "owner": owner, "scope_ceiling": [scene.read()], "auth": { "method": "client_secret" } });
    let twin = beta.post("/agents", body).await.ok();
    let (id, hidden) = (text(&twin, "client_id"), text(&twin, "client_secret"));
    let issuer = format!("{}/o/beta", world.url);
    for resource in [&scene.audience, &issuer] {
        let form = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &hidden), ("resource", resource)];
        let token = text(&world.form("/o/beta/oauth2/token", &form).await.ok(), "access_token");
        assert_eq!(world.introspect(&token).await, json!({ "active": false }), "{resource}");
        assert_eq!(scene.api(&token).get("/agents").await.refused(401), "unauthenticated", "{resource}");
    }
    assert_eq!(world.owner.api.at(&world.url, "beta").get("/agents").await.refused(401), "unauthenticated");
});

on_both_engines!(neg_c10_introspection_and_revocation_tell_nothing_foreign, world => {
    let scene = Scene::new(&world, "tell").await;
    let (agent, other) = (scene.agent("teller").await, scene.agent("asker").await);
    let token = text(&scene.issue(&agent, &[]).await.ok(), "access_token");
    let post = |agent: &AgentClient, token: &str| {
        vec![
            ("client_id".to_owned(), agent.id.clone()),
            ("client_secret".to_owned(), agent.secret.expose_secret().to_owned()),
            ("token".to_owned(), token.to_owned()),
        ]
    };
    let send = async |path: &str, form: Vec<(String, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        world.form(&format!("/o/acme/oauth2/{path}"), &form).await
    };
    assert_eq!(send("introspect", post(&agent, &token)).await.ok()["active"], true, "its own");
    assert_eq!(send("introspect", post(&other, &token)).await.ok(), json!({ "active": false }), "another agent's");
    for junk in ["x", "cdx_AAAA", "a.b.c", agent.secret.expose_secret()] {
        assert_eq!(send("introspect", post(&agent, junk)).await.ok(), json!({ "active": false }), "{junk}");
        assert_eq!(send("revoke", post(&agent, junk)).await.status, 200, "{junk}");
    }
    // A connection sees the tokens made for it and no others.
    let body = json!({ "name": "resource", "audience": "https://resource.example", "min_trust": 20, "scopes": ["resource:read"], "introspection": true });
    let made = world.owner.api.post("/connections", body).await.ok();
    let resource = AgentClient { id: text(&made, "client_id"), secret: secret(&text(&made, "client_secret")) };
    assert_eq!(send("introspect", post(&resource, &token)).await.ok(), json!({ "active": false }), "for another audience");
    assert_eq!(send("introspect", post(&AgentClient { secret: agent.secret.clone(), ..resource.clone() }, &token)).await.refused(401), "invalid_client");
    let holds = world.role("resource-reader", &["resource:read"]).await;
    assign(&world.owner.api, &scene.human.id, &holds).await;
    let reader = world.agent(&scene.widely().await, "reader", &["resource:read"]).await;
    let for_it = text(&world.token(&reader, &[]).await.ok(), "access_token");
    assert_eq!(send("introspect", post(&resource, &for_it)).await.ok()["active"], true);
    assert_eq!(world.token(&resource, &[]).await.refused(400), "unauthorized_client", "it gets no token");

    assert_eq!(send("revoke", post(&other, &token)).await.status, 200, "another's token is left alone");
    assert_eq!(world.introspect(&token).await["active"], true);
    assert_eq!(send("revoke", post(&agent, &token)).await.status, 200);
    for _ in 0..3 {
        assert_eq!(world.introspect(&token).await, json!({ "active": false }), "at once and for good");
        assert_eq!(send("introspect", post(&agent, &token)).await.ok(), json!({ "active": false }));
    }
    assert_eq!(send("revoke", post(&agent, &token)).await.status, 200, "once more");
    let viewer = world.member("viewer@acme.example", &["viewer"]).await;
    let request = Request::post(&format!("{}/o/acme/oauth2/introspect", world.url)).unwrap().form(&[("token", &token)]).unwrap();
    let asked: Answer = client().send(request.bearer(&viewer.api.token).unwrap()).await.unwrap().into();
    assert!(asked.status >= 400, "without `tokens.introspect`: {}", asked.response.text());
});
