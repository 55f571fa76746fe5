//! Requests that come again and requests about an older version: once is once, secrets are shown once, and nobody
//! writes over what they have not read.

use super::Write;
use crate::{
    calls::{self, Stage, unique},
    heads::heads,
    world::text,
};
use serde_json::json;

on_both_engines!(a_repeated_request_happens_once_and_its_secret_is_not_shown_again, world => {
    let stage = Stage::acme(&world, "sam").await;
    let agent = text(&stage.registered(&[]).await, "id");
    let run = json!({ "agent": agent, "purpose": "a test", "deadline_seconds": 600 });
    let registration = stage.input(&world, "agents.register").await;
    let mut introspecting = stage.input(&world, "connections.create").await;
    introspecting["introspection"] = json!(true);
    for (path, body, secret) in [
        ("/users", stage.input(&world, "users.create").await, ""),
        ("/roles", stage.input(&world, "roles.create").await, ""),
        ("/tokens", json!({ "name": "t", "permissions": [] }), "token"),
        ("/agents", registration, "client_secret"),
        ("/connections", introspecting, "client_secret"),
        ("/runs", run, "run_token"),
    ] {
        let key = unique("key");
        let post = async |body: &serde_json::Value, key: &str| {
            world.owner.api.send("POST", path, Some(body), &[("idempotency-key", key)]).await
        };
        let first = post(&body, &key).await.ok();
        let after_first = heads(&world.owner.api).await;
        let again = post(&body, &key).await;
        assert_eq!(again.status, 201, "{path}: the answer is the same");
        assert_eq!(again.body["id"], first["id"], "{path}: the same thing");
        if !secret.is_empty() {
            assert!(first[secret].is_string(), "{path}: {first}");
            assert!(again.body.get(secret).is_none(), "{path}: the secret came twice");
            assert_eq!(again.body["secret_already_delivered"], true, "{path}");
            assert!(!again.response.text().contains(first[secret].as_str().unwrap()), "{path}");
        }
        let mut other = body.clone();
        other[if path == "/runs" { "purpose" } else { "name" }] = json!(unique("other"));
        assert_eq!(post(&other, &key).await.refused(422), "idempotency_mismatch", "{path}");
        assert_eq!(heads(&world.owner.api).await, after_first, "{path}: something was written");
        let theirs = stage.holder.api.send("POST", path, Some(&body), &[("idempotency-key", &key)]).await;
        assert_ne!(theirs.body["id"], first["id"], "{path}: a key is its caller's own");
    }
    for wrong in ["", "a b", &"k".repeat(201)] {
        let answer = world.owner.api.send("POST", "/roles", Some(&json!({ "name": "never" })), &[("idempotency-key", wrong)]).await;
        assert_eq!(answer.refused(400), "invalid_input", "{wrong:?}");
        assert_eq!(answer.body["errors"][0]["field"], "Idempotency-Key");
    }
});

on_both_engines!(a_stale_version_is_not_written_over, world => {
    let stage = Stage::acme(&world, "sam").await;
    let agent = text(&stage.registered(&[]).await, "id");
    world.owner.api.put("/settings/security", json!({ "agents": { "trust_floor": 20 } })).await.ok();
    for (method, path, body) in [
        ("PATCH", format!("/users/{}", stage.holder.id), json!({ "name": "Ada" })),
        ("PATCH", format!("/agents/{agent}"), json!({ "version": "2" })),
        ("PATCH", format!("/connections/{}", stage.connection), json!({ "name": unique("renamed") })),
        ("PUT", "/settings/security".to_owned(), json!({ "agents": { "trust_floor": 21 } })),
    ] {
        let send = async |version: &str, body: &serde_json::Value| world.owner.api.send(method, &path, Some(body), &[("if-match", version)]).await;
        let read = world.owner.api.get(&path).await;
        let tag = read.response.header("etag").unwrap_or_else(|| panic!("{path}: no ETag")).to_owned();
        let written = send(&tag, &body).await;
        assert_eq!(written.status, 200, "{path}: {}", written.response.text());
        assert_ne!(written.response.header("etag"), Some(tag.as_str()), "{path}: a new version");
        let before = heads(&world.owner.api).await;
        assert_eq!(send(&tag, &body).await.refused(412), "version_mismatch", "{path}");
        for wrong in ["*", "W/\"1\"", "\"x\"", "-1"] {
            let answer = send(wrong, &body).await;
            assert_eq!((answer.refused(400), &answer.body["errors"][0]["field"]), ("invalid_input", &json!("If-Match")), "{path} {wrong}");
        }
        assert_eq!(heads(&world.owner.api).await, before, "{path}: something was written");
    }
});

on_both_engines!(every_write_takes_an_idempotency_key, world => {
    let stage = Stage::acme(&world, "sam").await;
    let mut twice = Vec::new();
    for write in Write::all(&world, &stage).await.iter().filter(|write| write.takes_a_caller()) {
        if write.meta.name.starts_with("kill_switches.") || write.meta.name == "agents.accept" {
            continue;
        }
        let (name, key) = (write.meta.name, unique("key"));
        let (path, body) = calls::address(write.meta, "acme", &write.input);
        let send = async || {
            world.owner.api.send(write.meta.method.as_str(), &format!("!{path}"), body.as_ref(), &[("idempotency-key", &key)]).await
        };
        let first = send().await;
        assert!((200..300).contains(&first.status), "{name}: {}", first.response.text());
        let before = heads(&world.owner.api).await;
        let again = send().await;
        if name == "orgs.create" {
            // Its slug makes it happen once; the answer with the set-up secret is kept nowhere.
            assert_eq!(again.refused(409), "already_exists");
            assert_eq!(heads(&world.owner.api).await, before, "{name}");
            continue;
        }
        if again.status != first.status || heads(&world.owner.api).await != before {
            twice.push(format!("{name}: {} {}", again.status, again.body));
        }
    }
    assert_eq!(twice, Vec::<String>::new(), "these happened twice, or not again");
});
