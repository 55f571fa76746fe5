//! The OpenAPI 3.1 document of the management API, written from the registry's schemas, so that it cannot say
//! anything else than what the doors do.

mod operation;
mod schemas;

use crate::api::PREFIX;
use kernel::Code;
use schemas::Schemas;
use serde_json::{Map, Value, json};
use service::{Erased, OPERATIONS};
use std::collections::BTreeSet;

/// The document for the API at this origin.
pub fn openapi(public_url: &str) -> Value {
    document(public_url, OPERATIONS)
}

fn document(public_url: &str, operations: &[&dyn Erased]) -> Value {
    let mut schemas = Schemas::default();
    schemas.put("Problem", problem());
    let mut paths = Map::new();
    let mut tags = BTreeSet::new();
    for operation in operations {
        let meta = operation.meta();
        tags.insert(operation::tag(meta.name));
        let described = operation::describe(*operation, &mut schemas);
        let path = paths
            .entry(format!("{PREFIX}{}", meta.path))
            .or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(meta.method.as_str().to_ascii_lowercase(), described);
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cardea management API",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{ "url": public_url }],
        "security": [{ "bearer": [] }],
        "tags": tags.into_iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas.done(),
            "parameters": parameters(),
            "headers": headers(),
            "responses": { "Problem": refusal() },
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "an API token (`cdt_…`) or a control-plane token, in the header only",
            } },
        },
    })
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    let text = json!({ "type": "string" });
    json!({
        "type": "object",
        "description": "A refusal (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": { "type": "string", "format": "uri-reference" },
            "title": text, "status": { "type": "integer" }, "detail": text, "request_id": text,
            "code": { "type": "string", "description": "Stable; more may be added.", "examples": codes },
            "errors": { "type": "array", "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": { "field": text, "code": text, "detail": text },
            } },
        },
    })
}

fn refusal() -> Value {
    json!({
        "description": "Refused; `code` says why and `detail` what to do.",
        "headers": { "X-Request-Id": { "$ref": "#/components/headers/RequestId" } },
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

fn parameters() -> Value {
    let header = |name: &str, schema: Value, text: &str| json!({ "name": name, "in": "header", "required": false, "schema": schema, "description": text });
    let count = json!({ "type": "integer", "minimum": 0 });
    let key = json!({ "type": "string", "minLength": 1, "maxLength": kernel::limits::IDEMPOTENCY_KEY_CHARS });
    json!({
        "Org": {
            "name": "org", "in": "path", "required": true, "schema": { "type": "string" },
            "description": "slug or id of the organization",
        },
        "AtLeast": header("Cardea-At-Least", count, "answer only from a state at this revision or later"),
        "IdempotencyKey": header("Idempotency-Key", key, "a request with this key happens once"),
        "IfMatch": header("If-Match", json!({ "type": "string" }), "the version that was read, such as `\"7\"`"),
    })
}

fn headers() -> Value {
    let header =
        |kind: &str, text: &str| json!({ "schema": { "type": kind }, "description": text });
    json!({
        "RequestId": header("string", "names the request in logs and entries"),
        "Revision": header("integer", "the revision of the organization's state after the request"),
        "ETag": header("string", "the version of the answered thing"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every reference in a value.
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_operation_is_described_and_every_reference_leads_somewhere() {
        let document = openapi("http://localhost:8080");
        let methods = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .map(|path| path.as_object().unwrap().len());
        assert_eq!(methods.sum::<usize>(), OPERATIONS.len());
        let mut found = Vec::new();
        references(&document, &mut found);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(
                document.pointer(pointer).is_some(),
                "{reference} leads nowhere"
            );
        }
        assert!(!document.to_string().contains("$defs"));
    }

    #[test]
    fn every_path_parameter_is_declared() {
        let document = openapi("http://localhost:8080");
        for (path, methods) in document["paths"].as_object().unwrap() {
            for operation in methods.as_object().unwrap().values() {
                let declared = operation["parameters"].as_array().unwrap();
                let in_path = declared
                    .iter()
                    .filter(|p| p["in"] == "path" || p["$ref"] == "#/components/parameters/Org");
                assert_eq!(in_path.count(), path.matches('{').count(), "{path}");
            }
        }
    }
}
