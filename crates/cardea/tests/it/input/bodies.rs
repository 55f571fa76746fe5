//! Bodies: every field of every operation with every kind of wrong value, and bodies that are no objects at all.

use super::{Write, assert_names, assert_problem, bearer, port};
use crate::{calls::Stage, heads::heads, raw};
use serde_json::{Value, json};

/// A value that none of these types takes.
fn mistyped(types: &[String]) -> Option<Value> {
    let takes = |name: &str| types.iter().any(|known| known == name);
    if types.is_empty() {
        return None;
    }
    let others = [
        ("boolean", json!(true)),
        ("string", json!("no number")),
        ("object", json!({ "x": 1 })),
    ];
    others
        .into_iter()
        .find(|(name, _)| !takes(name))
        .map(|(_, value)| value)
}

on_both_engines!(neg_f1_every_field_of_every_write_refuses_what_it_cannot_take, world => {
    let stage = Stage::acme(&world, "sam").await;
    let writes = Write::all(&world, &stage).await;
    let before = heads(&world.owner.api).await;
    for write in &writes {
        let name = write.meta.name;
        let surprised = write.send(&world, &write.with("surprise", Some(json!(1)))).await;
        assert_names(&surprised, "surprise", &format!("{name}: an unknown field"));
        assert_eq!(surprised.json()["errors"][0]["code"], "unknown", "{name}");
        for (field, shape) in write.fields() {
            let what = format!("{name} `{field}`");
            if write.requires(field) {
                let without = write.send(&world, &write.with(field, None)).await;
                assert_names(&without, field, &format!("{what} left out"));
                assert_eq!(without.json()["errors"][0]["code"], "missing", "{what}");
                assert_names(&write.send(&world, &write.with(field, Some(Value::Null))).await, field, &format!("{what} null"));
            }
            let types = write.types(shape);
            if let Some(wrong) = mistyped(&types) {
                assert_names(&write.send(&world, &write.with(field, Some(wrong))).await, field, &format!("{what} mistyped"));
            }
            if types.iter().any(|kind| kind == "array") {
                assert_names(&write.send(&world, &write.with(field, Some(json!([{ "x": [] }])))).await, field, &format!("{what} odd items"));
            }
            if types.iter().any(|kind| kind == "integer") {
                for number in [json!(-9_000_000_000_000_000_000_i64), json!(u64::MAX), json!(1e300), json!(0.5)] {
                    let reply = write.send(&world, &write.with(field, Some(number.clone()))).await;
                    assert_names(&reply, field, &format!("{what} as {number}"));
                }
            }
        }
    }
    assert_eq!(heads(&world.owner.api).await, before, "something was written");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_e4_what_the_server_decides_is_no_field_of_any_request() {
    let world = crate::world::World::start(crate::world::Engine::Sqlite)
        .await
        .unwrap();
    let stage = Stage::acme(&world, "sam").await;
    let before = |api| heads(api);
    let writes = Write::all(&world, &stage).await;
    let head = before(&world.owner.api).await;
    for write in &writes {
        for field in [
            "org_id",
            "tenant_id",
            "is_admin",
            "instance_administrator",
            "trust_score",
            "email_verified",
            "created_at",
            "version",
            "__proto__",
            "constructor",
        ] {
            if write.fields().any(|(known, _)| known == field) {
                // An agent's version is what its owner calls it.
                assert_eq!(field, "version");
                continue;
            }
            let reply = write
                .send(&world, &write.with(field, Some(json!(true))))
                .await;
            assert_names(
                &reply,
                field,
                &format!("{} with `{field}`", write.meta.name),
            );
        }
    }
    assert_eq!(
        before(&world.owner.api).await,
        head,
        "something was written"
    );
}

on_both_engines!(neg_f1_texts_and_identifiers_are_bounded_and_plain, world => {
    let stage = Stage::acme(&world, "sam").await;
    let writes = Write::all(&world, &stage).await;
    let before = heads(&world.owner.api).await;
    for write in &writes {
        let name = write.meta.name;
        for (field, shape) in write.schema["properties"].as_object().into_iter().flatten() {
            let what = format!("{name} `{field}`");
            let Some(pattern) = write.shape(shape).and_then(|shape| shape["pattern"].as_str()) else { continue };
            let Some((prefix, _)) = pattern.trim_start_matches('^').split_once('_').filter(|(prefix, _)| prefix.len() <= 4) else { continue };
            let good = format!("{prefix}_01m81h5ka6fwsv1rskbrpgxhs5");
            let (upper, short, other) = (good.to_uppercase(), good[..good.len() - 1].to_owned(), good.replacen(prefix, "zzz", 1));
            for wrong in [upper, short, other, format!("{good}0"), format!("{prefix}_iiiiiiiiiiiiiiiiiiiiiiiiii"), "1".into(), "..".into()] {
                if wrong == ".." && write.meta.path.contains(&format!("{{{field}}}")) {
                    continue;
                }
                let reply = write.send(&world, &write.with(field, Some(json!(wrong)))).await;
                assert_names(&reply, field, &format!("{what} as {wrong}"));
            }
        }
        for (field, shape) in write.fields() {
            let what = format!("{name} `{field}`");
            if write.types(shape).first().map(String::as_str) != Some("string") {
                continue;
            }
            let reply = write.send(&world, &write.with(field, Some(json!("a\u{0}b")))).await;
            assert_names(&reply, field, &format!("{what} with NUL"));
            let long = write.send(&world, &write.with(field, Some(json!("x".repeat(3_000))))).await;
            assert!((400..500).contains(&long.status), "{what} of 3,000 characters: {} {}", long.status, long.json());
            if ["name", "email", "slug"].contains(&field.as_str()) {
                for wrong in ["", "   ", "ad\u{202e}min@x.example", "a\u{200b}b@x.example", "\u{430}dmin@x.example", "\u{7}bell@x.example"] {
                    let reply = write.send(&world, &write.with(field, Some(json!(wrong)))).await;
                    assert_names(&reply, field, &format!("{what} as {wrong:?}"));
                }
            }
        }
    }
    assert_eq!(heads(&world.owner.api).await, before, "something was written");
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f1_a_body_is_one_small_json_object_without_repeats() {
    let world = crate::world::World::start(crate::world::Engine::Sqlite)
        .await
        .unwrap();
    let stage = Stage::acme(&world, "sam").await;
    let writes = Write::all(&world, &stage).await;
    let head = heads(&world.owner.api).await;
    let (auth, json_type) = (bearer(&world), ("Content-Type", "application/json"));
    let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(kernel::limits::BODY_BYTES));
    for write in &writes {
        let name = write.meta.name;
        let (line, body) = write.line("acme", &write.input);
        let good = String::from_utf8(body).unwrap();
        let auth = if write.takes_a_caller() {
            auth.as_str()
        } else {
            ""
        };
        let send = |body: String, kind: (&'static str, &'static str)| {
            let line = line.clone();
            let world = &world;
            async move {
                raw::send(
                    port(world),
                    &line,
                    &[kind, ("Authorization", auth)],
                    body.as_bytes(),
                )
                .await
            }
        };
        for body in [
            "{\"a\":",
            "[]",
            "\"text\"",
            "1",
            "null",
            "{} {}",
            "{'a':1}",
            "{\"a\":1e999}",
            "\u{feff}{}",
        ] {
            assert_problem(
                &send(body.into(), json_type).await,
                400,
                "malformed_body",
                &format!("{name}: {body}"),
            );
        }
        assert_names(
            &send("{\"a\":1,\"a\":1}".into(), json_type).await,
            "a",
            &format!("{name}: a repeated key"),
        );
        assert_names(
            &send(deep.clone(), json_type).await,
            "a",
            &format!("{name}: deep nesting"),
        );
        assert_problem(
            &send(large.clone(), json_type).await,
            413,
            "body_too_large",
            &format!("{name}: a large body"),
        );
        let sent = if good.is_empty() || good == "{}" {
            "{\"a\":1}".to_owned()
        } else {
            good
        };
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=utf-16",
            "application/jsonp",
        ] {
            let reply = send(sent.clone(), ("Content-Type", kind)).await;
            assert_problem(
                &reply,
                415,
                "unsupported_media_type",
                &format!("{name}: {kind}"),
            );
        }
        let reply = raw::send(
            port(&world),
            &format!("{line}?dry=1"),
            &[json_type, ("Authorization", auth)],
            sent.as_bytes(),
        )
        .await;
        assert_names(&reply, "dry", &format!("{name}: a query"));
    }
    assert_eq!(heads(&world.owner.api).await, head, "something was written");
}
