//! Lists: limits and cursors are what they claim to be, for that list, with those filters, in that organization.

use super::{assert_names, bearer, port, reads};
use crate::{
    calls::{self, Stage},
    raw,
    world::{Engine, World},
};
use serde_json::{Value, json};
use service::{Meta, OPERATIONS};

/// Every list: its facts and whether it pages by cursor.
fn lists() -> Vec<(&'static Meta, bool)> {
    let mut found = Vec::new();
    for operation in OPERATIONS
        .iter()
        .filter(|operation| reads(operation.meta().method))
    {
        let schema = operation.input_schema().to_value();
        if schema["properties"]["limit"].is_object() {
            found.push((operation.meta(), schema["properties"]["cursor"].is_object()));
        }
    }
    found
}

fn with(input: &Value, field: &str, value: &str) -> Value {
    let mut input = input.clone();
    input[field] = json!(value);
    input
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neg_f1_limits_are_one_to_two_hundred() {
    let world = World::start(Engine::Sqlite).await.unwrap();
    let stage = Stage::acme(&world, "sam").await;
    for (meta, _) in lists() {
        let input = stage.input(&world, meta.name).await;
        for limit in [
            "0",
            "-1",
            "201",
            "18446744073709551615",
            "99999999999999999999",
            "1.5",
            "ten",
            "0x10",
            "%201",
        ] {
            let (path, _) = calls::address(meta, "acme", &with(&input, "limit", limit));
            let reply = raw::send(
                port(&world),
                &format!("GET {path}"),
                &[("Authorization", &bearer(&world))],
                b"",
            )
            .await;
            assert_names(&reply, "limit", &format!("{} limit={limit}", meta.name));
        }
        for (query, field) in [
            ("surprise=1", "surprise"),
            ("limit=1&limit=2", "limit"),
            ("limit=1&surprise", "surprise"),
        ] {
            let (path, _) = calls::address(meta, "acme", &input);
            let path = format!(
                "{path}{}{query}",
                if path.contains('?') { "&" } else { "?" }
            );
            let reply = raw::send(
                port(&world),
                &format!("GET {path}"),
                &[("Authorization", &bearer(&world))],
                b"",
            )
            .await;
            assert_names(&reply, field, &format!("{} {query}", meta.name));
        }
        let full = calls::call(
            &world.url,
            Some(&world.owner.api),
            meta,
            "acme",
            &with(&input, "limit", "200"),
        )
        .await;
        assert_eq!(full.status, 200, "{}: {}", meta.name, full.response.text());
    }
}

on_both_engines!(neg_f1_a_cursor_serves_the_list_that_gave_it, world => {
    let (acme, beta) = (Stage::acme(&world, "sam").await, Stage::second(&world, "beta").await);
    let mut cursors = Vec::new();
    let paged: Vec<&'static Meta> = lists().into_iter().filter(|(_, by_cursor)| *by_cursor).map(|(meta, _)| meta).collect();
    for stage in [&acme, &beta] {
        for label in ["users.read", "agents.rotate_secret", "runs.read", "tokens.revoke", "connections.update (for less trust)", "kill_switches.set"] {
            for _ in 0..2 {
                stage.input(&world, label).await;
            }
        }
        for meta in &paged {
            let input = stage.input(&world, meta.name).await;
            let page = calls::call(&world.url, Some(&stage.owner.api), meta, &stage.slug, &with(&input, "limit", "1")).await.ok();
            if let Some(cursor) = page["next_cursor"].as_str() {
                let next = with(&with(&input, "limit", "1"), "cursor", cursor);
                let second = calls::call(&world.url, Some(&stage.owner.api), meta, &stage.slug, &next).await.ok();
                assert_ne!(second["items"], page["items"], "{}", meta.name);
                cursors.push((stage.slug.clone(), meta.name, cursor.to_owned()));
            }
        }
    }
    let of_acme = cursors.iter().filter(|(slug, ..)| slug == "acme").count();
    assert!(of_acme >= 6, "cursors were given: {cursors:?}");
    for meta in &paged {
        let input = acme.input(&world, meta.name).await;
        for (slug, list, cursor) in &cursors {
            if slug == "acme" && *list == meta.name {
                let half = &cursor[..cursor.len() / 2];
                let mut turned = cursor.clone().into_bytes();
                turned[3] = if turned[3] == b'A' { b'B' } else { b'A' };
                let turned = String::from_utf8(turned).unwrap();
                for wrong in [half, &turned, "", "AAAA", "not base64!"] {
                    let (path, _) = calls::address(meta, "acme", &with(&input, "cursor", &wrong.replace(' ', "%20")));
                    let reply = raw::send(port(&world), &format!("GET {path}"), &[("Authorization", &bearer(&world))], b"").await;
                    assert_names(&reply, "cursor", &format!("{} cursor {wrong:?}", meta.name));
                }
                continue;
            }
            let (path, _) = calls::address(meta, "acme", &with(&input, "cursor", cursor));
            let reply = raw::send(port(&world), &format!("GET {path}"), &[("Authorization", &bearer(&world))], b"").await;
            assert_names(&reply, "cursor", &format!("{} with the cursor of {list} of {slug}", meta.name));
        }
    }
    let (_, _, cursor) = cursors.iter().find(|(slug, list, _)| slug == "acme" && *list == "tokens.list").unwrap();
    let filtered = raw::send(
        port(&world),
        &format!("GET /api/v1/orgs/acme/tokens?revoked=false&cursor={cursor}"),
        &[("Authorization", &bearer(&world))],
        b"",
    ).await;
    assert_names(&filtered, "cursor", "the same list with another filter");
});
