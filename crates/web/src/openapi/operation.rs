//! One operation as OpenAPI describes it: parameters from path and query, the body, answers and refusals.

use super::schemas::Schemas;
use crate::api::parameters;
use serde_json::{Map, Value, json};
use service::{Erased, Guard, Meta};

/// Refusals that any operation may answer.
const REFUSALS: [&str; 11] = [
    "400", "401", "403", "404", "405", "409", "412", "413", "415", "422", "429",
];

/// The noun of an operation's name.
pub(super) fn tag(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// `agents.register` as a schema's name begins: `AgentsRegister`.
fn pascal(name: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    };
    name.split(['.', '_', '-']).map(capital).collect()
}

/// The description of one operation; its schemas go to the components.
pub(super) fn describe(operation: &dyn Erased, schemas: &mut Schemas) -> Value {
    let meta = operation.meta();
    let stem = pascal(meta.name);
    let input = schemas.take(operation.input_schema().to_value(), &stem);
    let output = schemas.take(operation.output_schema().to_value(), &stem);
    let answer = schemas.put(&format!("{stem}Answer"), output);
    let (declared, body) = taken(meta, input);
    let mut described = json!({
        "operationId": meta.name,
        "summary": meta.summary,
        "tags": [tag(meta.name)],
        "parameters": declared,
        "responses": responses(meta, &answer),
    });
    let mut add = |name: &str, value: Value| {
        if let Some(fields) = described.as_object_mut() {
            fields.insert(name.into(), value);
        }
    };
    if let Some((body, required)) = body {
        let body = schemas.put(&format!("{stem}Request"), body);
        add(
            "requestBody",
            json!({ "required": required, "content": { "application/json": { "schema": body } } }),
        );
    }
    match meta.guard {
        Guard::Public => add("security", json!([])),
        Guard::Anyone => {}
        Guard::Permission(permission) => add("x-permission", permission.as_str().into()),
    }
    if let Some(tool) = meta.tool {
        add("x-tool", tool.into());
    }
    if !meta.command.is_empty() {
        add("x-command", format!("cardea {}", meta.command).into());
    }
    if meta.sudo {
        add("x-sudo", true.into());
    }
    described
}

/// Parameters, and what is left for the body with whether it must be sent.
fn taken(meta: &Meta, mut input: Value) -> (Vec<Value>, Option<(Value, bool)>) {
    let mut properties = match input.get_mut("properties").map(Value::take) {
        Some(Value::Object(properties)) => properties,
        _ => Map::new(),
    };
    let required: Vec<String> = input
        .get("required")
        .and_then(Value::as_array)
        .map(|names| {
            names
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default();
    let mut declared = Vec::new();
    for name in parameters(meta.path) {
        declared.push(match name {
            "org" => shared("Org"),
            name => parameter(
                name,
                "path",
                properties
                    .remove(name)
                    .unwrap_or_else(|| json!({ "type": "string" })),
                true,
            ),
        });
    }
    let left: Vec<String> = required
        .into_iter()
        .filter(|name| properties.contains_key(name))
        .collect();
    declared.extend(in_headers(meta));
    if !meta.method.has_body() {
        let query = properties.into_iter().map(|(name, schema)| {
            let must = left.contains(&name);
            parameter(&name, "query", schema, must)
        });
        declared.extend(query);
        return (declared, None);
    }
    if properties.is_empty() {
        return (declared, None);
    }
    let must = !left.is_empty();
    if let Some(fields) = input.as_object_mut() {
        fields.insert("properties".into(), Value::Object(properties));
        fields.insert("required".into(), left.into());
    }
    (declared, Some((input, must)))
}

fn shared(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

fn in_headers(meta: &Meta) -> Vec<Value> {
    let write = ["IdempotencyKey", "IfMatch"]
        .into_iter()
        .filter(|_| !meta.is_read());
    let names = ["AtLeast"].into_iter().chain(write);
    if meta.guard == Guard::Public {
        Vec::new()
    } else {
        names.map(shared).collect()
    }
}

/// Lists in a query are one text divided by commas.
fn parameter(name: &str, place: &str, mut schema: Value, required: bool) -> Value {
    let text = schema
        .as_object_mut()
        .and_then(|fields| fields.remove("description"));
    let mut declared = json!({ "name": name, "in": place, "required": required, "schema": schema });
    if let Some(fields) = declared.as_object_mut() {
        if let Some(text) = text {
            fields.insert("description".into(), text);
        }
        if place == "query" {
            fields.insert("style".into(), "form".into());
            fields.insert("explode".into(), false.into());
        }
    }
    declared
}

fn responses(meta: &Meta, answer: &Value) -> Value {
    let refused = json!({ "$ref": "#/components/responses/Problem" });
    let mut responses: Map<String, Value> = REFUSALS
        .iter()
        .chain(&["503", "default"])
        .map(|status| ((*status).to_owned(), refused.clone()))
        .collect();
    let headers = json!({
        "X-Request-Id": { "$ref": "#/components/headers/RequestId" },
        "Cardea-Revision": { "$ref": "#/components/headers/Revision" },
        "ETag": { "$ref": "#/components/headers/ETag" },
    });
    let content = json!({ "application/json": { "schema": answer } });
    let done = json!({ "description": "Done.", "headers": headers, "content": content });
    responses.insert(meta.status.to_string(), done);
    Value::Object(responses)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Permission;
    use service::Method;

    const META: Meta = Meta::write(
        "agents.change",
        Method::Patch,
        "/orgs/{org}/agents/{id}",
        Permission::AgentsCreate,
    );

    #[test]
    fn path_parameters_leave_the_body() {
        let input =
            json!({ "type": "object", "required": ["id"], "properties": { "id": {}, "name": {} } });
        let (declared, body) = taken(&META, input);
        let (body, required) = body.unwrap();
        assert_eq!(declared[1]["name"], "id");
        assert!(body["properties"].get("id").is_none() && body["properties"].get("name").is_some());
        assert!(!required, "nothing in it must be sent");
    }

    #[test]
    fn a_write_with_nothing_but_path_parameters_has_no_body() {
        let input = json!({ "type": "object", "required": ["id"], "properties": { "id": {} } });
        assert!(taken(&META, input).1.is_none());
    }

    #[test]
    fn reads_take_the_rest_from_the_query() {
        let meta = Meta {
            method: Method::Get,
            ..META
        };
        let input =
            json!({ "type": "object", "properties": { "id": {}, "limit": { "type": "integer" } } });
        let (declared, body) = taken(&meta, input);
        assert!(body.is_none());
        assert!(
            declared
                .iter()
                .any(|parameter| parameter["name"] == "limit" && parameter["in"] == "query")
        );
    }

    #[test]
    fn names_are_stable() {
        assert_eq!(pascal("agents.register"), "AgentsRegister");
        assert_eq!(pascal("role_assignments.create"), "RoleAssignmentsCreate");
    }
}
