//! Every tool as clients read it: legal and unlike names, closed schemas that need nothing from elsewhere.

use crate::world::World;
use serde_json::{Value, json};
use std::collections::HashSet;

async fn tools() -> Vec<Value> {
    let world = World::new().await;
    let (_, answer) = world.ask(Some(&world.owner), "tools/list", json!({})).await;
    answer["result"]["tools"].as_array().expect("tools").clone()
}

fn references<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
    match schema {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str));
            object.values().for_each(|inner| references(inner, found));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_sees_every_tool_once_in_the_order_of_the_registry() {
    let listed: Vec<String> = tools()
        .await
        .iter()
        .map(|tool| tool["name"].as_str().unwrap().to_owned())
        .collect();
    let known = service::OPERATIONS
        .iter()
        .filter_map(|operation| operation.meta().tool);
    assert_eq!(listed, known.collect::<Vec<_>>());
    assert_eq!(listed.iter().collect::<HashSet<_>>().len(), listed.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_descriptions_are_what_clients_accept() {
    for tool in tools().await {
        let name = tool["name"].as_str().unwrap();
        assert!(
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
            "{name}"
        );
        assert!(
            tool["description"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{name}"
        );
        assert_eq!(tool["annotations"]["openWorldHint"], false, "{name}");
        let reads = tool["annotations"]["readOnlyHint"] == true;
        assert!(
            !(reads && tool["annotations"]["destructiveHint"] == true),
            "{name}"
        );
        assert_eq!(
            tool["inputSchema"]["properties"].get("dry_run").is_none(),
            reads,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_are_objects_with_their_definitions_inside() {
    for tool in tools().await {
        assert_eq!(
            tool["inputSchema"]["additionalProperties"], false,
            "{}",
            tool["name"]
        );
        for schema in [&tool["inputSchema"], &tool["outputSchema"]] {
            assert_eq!(schema["type"], "object", "{}", tool["name"]);
            let mut found = Vec::new();
            references(schema, &mut found);
            for reference in found {
                let pointer = reference
                    .strip_prefix('#')
                    .expect("a reference within the schema");
                assert!(
                    schema.pointer(pointer).is_some(),
                    "{} {reference}",
                    tool["name"]
                );
            }
        }
    }
}
