//! Bad input at every door: each refusal is a problem that names the field, and nothing is written. What is tried is
//! worked out from the operations' own schemas, so that a new field is tried without anybody thinking of it.

mod bodies;
mod forms;
mod lists;
mod repeats;
mod wire;

use crate::{
    calls::{self, Stage},
    raw::{self, Reply},
    world::World,
};
use kernel::ExposeSecret;
use serde_json::{Map, Value, json};
use service::{Guard, Meta, Method, OPERATIONS};

/// A good request of every operation that writes, and its schema.
struct Write {
    meta: &'static Meta,
    input: Value,
    schema: Value,
}

impl Write {
    /// Every operation that takes a body, with an input that it would take.
    async fn all(world: &World, stage: &Stage) -> Vec<Self> {
        let mut writes = Vec::new();
        for operation in OPERATIONS
            .iter()
            .filter(|operation| operation.meta().method.has_body())
        {
            let (meta, schema) = (operation.meta(), operation.input_schema().to_value());
            writes.push(Self {
                meta,
                input: stage.input(world, meta.name).await,
                schema,
            });
        }
        assert!(writes.len() > 20, "{} operations write", writes.len());
        writes
    }

    fn takes_a_caller(&self) -> bool {
        self.meta.guard != Guard::Public
    }

    /// Fields of the body, with their shapes.
    fn fields(&self) -> impl Iterator<Item = (&String, &Value)> {
        let placed = |name: &str| self.meta.path.contains(&format!("{{{name}}}"));
        self.schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(move |(name, _)| !placed(name))
    }

    fn requires(&self, name: &str) -> bool {
        self.schema["required"]
            .as_array()
            .is_some_and(|required| required.iter().any(|field| field == name))
    }

    /// The shape behind references and choices; none when anything goes.
    fn shape<'a>(&'a self, shape: &'a Value) -> Option<&'a Value> {
        if let Some(target) = shape["$ref"].as_str() {
            return self.shape(self.schema.pointer(target.strip_prefix('#')?)?);
        }
        let choices = ["anyOf", "oneOf", "allOf"]
            .iter()
            .find_map(|word| shape[*word].as_array());
        match choices {
            Some(choices) => choices
                .iter()
                .filter(|choice| choice["type"] != "null")
                .find_map(|choice| self.shape(choice)),
            None => shape.is_object().then_some(shape),
        }
    }

    /// The JSON types that a field takes; none when it takes any.
    fn types(&self, shape: &Value) -> Vec<String> {
        let Some(shape) = self.shape(shape) else {
            return Vec::new();
        };
        match &shape["type"] {
            Value::String(name) => vec![name.clone()],
            Value::Array(names) => names
                .iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            _ if shape.get("enum").is_some() || shape.get("const").is_some() => {
                vec!["string".into()]
            }
            _ => Vec::new(),
        }
    }

    /// The same input with one field changed, or taken out.
    fn with(&self, field: &str, value: Option<Value>) -> Value {
        let mut input: Map<String, Value> = self.input.as_object().unwrap().clone();
        match value {
            Some(value) => input.insert(field.to_owned(), value),
            None => input.remove(field),
        };
        Value::Object(input)
    }

    /// The request line for an input, and the body that goes with it.
    fn line(&self, slug: &str, input: &Value) -> (String, Vec<u8>) {
        let (path, body) = calls::address(self.meta, slug, input);
        (
            format!("{} {path}", self.meta.method.as_str()),
            body.map(|body| body.to_string().into_bytes())
                .unwrap_or_default(),
        )
    }

    async fn send(&self, world: &World, input: &Value) -> Reply {
        let (line, body) = self.line("acme", input);
        raw::send(
            port(world),
            &line,
            &[
                ("Content-Type", "application/json"),
                ("Authorization", &bearer(world)),
            ],
            &body,
        )
        .await
    }
}

fn port(world: &World) -> u16 {
    world.server.address().port()
}

fn bearer(world: &World) -> String {
    format!("Bearer {}", world.owner.api.token.expose_secret())
}

/// A refusal in the form of a problem (RFC 9457), with this status and code.
#[track_caller]
fn assert_problem(reply: &Reply, status: u16, code: &str, what: &str) {
    let body = reply.json();
    assert_eq!(
        (reply.status, reply.code().as_str()),
        (status, code),
        "{what}: {body}"
    );
    assert_eq!(
        reply.header("content-type"),
        Some("application/problem+json"),
        "{what}"
    );
    assert_eq!(body["status"], json!(status), "{what}");
    for member in ["type", "title", "detail", "request_id"] {
        assert!(
            body[member].as_str().is_some_and(|text| !text.is_empty()),
            "{what}: no `{member}` in {body}"
        );
    }
    assert_eq!(
        body["request_id"].as_str(),
        reply.header("x-request-id"),
        "{what}"
    );
}

/// A refusal that names this field, or something within it.
#[track_caller]
fn assert_names(reply: &Reply, field: &str, what: &str) {
    assert_problem(reply, 400, "invalid_input", what);
    let named = reply.json()["errors"][0]["field"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        named == field || named.starts_with(&format!("{field}.")),
        "{what}: names `{named}` instead of `{field}`"
    );
}

/// Whether the method has a body, for tables by method.
const fn reads(method: Method) -> bool {
    !method.has_body()
}
