//! Reads a flag's text as the kind of value that an operation's schema names. What an operation takes is decided
//! by the operation; this only saves people from writing JSON for plain values.

use serde_json::Value;

/// What a flag's text is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text itself.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Flag,
    /// One value a flag, repeated.
    List(Box<Kind>),
    /// JSON text.
    Json,
}

/// A field of an operation's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the input.
    pub name: String,
    /// What its flag's text is read as.
    pub kind: Kind,
    /// What it means.
    pub help: String,
    /// Whether it must be given, here or in `--input`.
    pub required: bool,
}

impl Field {
    /// The flag, without dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

/// The top-level fields of a schema.
pub fn fields(schema: &Value) -> Vec<Field> {
    let required = schema.get("required").and_then(Value::as_array);
    let is_required =
        |name: &str| required.is_some_and(|all| all.iter().any(|known| known == name));
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let field = |(name, property): (&String, &Value)| Field {
        name: name.clone(),
        kind: kind(schema, property, 0),
        help: property
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .trim_end_matches('.')
            .to_owned(),
        required: is_required(name),
    };
    properties.map(field).collect()
}

fn kind(root: &Value, schema: &Value, depth: usize) -> Kind {
    if depth > 8 {
        return Kind::Json;
    }
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        let target = pointer
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return target.map_or(Kind::Json, |target| kind(root, target, depth + 1));
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        let choices = schema
            .get(word)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let kinds: Vec<Kind> = choices
            .filter(|choice| choice.get("type") != Some(&Value::from("null")))
            .map(|choice| kind(root, choice, depth + 1))
            .collect();
        if let Some(first) = kinds.first() {
            return if kinds.iter().all(|kind| kind == first) {
                first.clone()
            } else {
                Kind::Json
            };
        }
    }
    let text = schema.get("const").is_some_and(Value::is_string) || schema.get("enum").is_some();
    match type_of(schema) {
        Some("string") => Kind::Text,
        Some("integer" | "number") => Kind::Number,
        Some("boolean") => Kind::Flag,
        Some("array") => Kind::List(Box::new(
            schema
                .get("items")
                .map_or(Kind::Json, |items| kind(root, items, depth + 1)),
        )),
        None if text => Kind::Text,
        _ => Kind::Json,
    }
}

fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null"),
        _ => None,
    }
}

/// Reads the texts of one field's flags.
///
/// # Errors
/// When a text is not of the field's kind.
pub fn read(field: &Field, texts: &[&str]) -> Result<Value, String> {
    let wrong = |wanted: &str| format!("`--{}` must be {wanted}", field.flag());
    match (&field.kind, texts) {
        (Kind::List(items), texts) => {
            let values: Option<Vec<Value>> = texts.iter().map(|text| one(items, text)).collect();
            values
                .map(Value::Array)
                .ok_or_else(|| wrong("repeated, each time with one value"))
        }
        (kind, [text]) => one(kind, text).ok_or_else(|| {
            wrong(match kind {
                Kind::Number => "a number",
                Kind::Flag => "`true` or `false`",
                _ => "JSON text",
            })
        }),
        _ => Err(wrong("given once")),
    }
}

fn one(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text => Some(text.into()),
        Kind::Number => serde_json::from_str(text).ok().filter(Value::is_number),
        Kind::Flag => text.parse().ok().map(Value::Bool),
        // A bare word where JSON is possible is meant as text.
        Kind::Json | Kind::List(_) => {
            let looks_like_json = text.trim_start().starts_with(['{', '[', '"']);
            serde_json::from_str(text)
                .ok()
                .or_else(|| (!looks_like_json).then(|| text.into()))
        }
    }
}

/// A value as a query parameter; lists are divided by commas.
pub fn query_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(query_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "description": "What people call it." },
                "scopes": { "type": "array", "items": { "$ref": "#/$defs/Scope" } },
                "min_trust": { "type": ["integer", "null"] },
                "introspection": { "type": ["boolean", "null"] },
                "auth": { "$ref": "#/$defs/Auth" },
                "class": { "anyOf": [{ "$ref": "#/$defs/Class" }, { "type": "null" }] },
                "owner": { "anyOf": [{ "type": "string" }, { "type": "object" }] },
            },
            "$defs": {
                "Scope": { "type": "string" }, "Auth": { "type": "object" },
                "Class": { "oneOf": [{ "const": "read" }, { "const": "write" }] },
            },
        })
    }

    #[test]
    fn kinds_follow_the_schema() {
        let all = fields(&schema());
        let kind = |name: &str| {
            all.iter()
                .find(|field| field.name == name)
                .unwrap()
                .kind
                .clone()
        };
        assert_eq!(kind("name"), Kind::Text);
        assert_eq!(kind("scopes"), Kind::List(Box::new(Kind::Text)));
        assert_eq!(kind("min_trust"), Kind::Number);
        assert_eq!(kind("introspection"), Kind::Flag);
        assert_eq!(kind("auth"), Kind::Json);
        assert_eq!(kind("class"), Kind::Text);
        assert_eq!(kind("owner"), Kind::Json);
        assert!(
            all.iter()
                .all(|field| field.required == (field.name == "name"))
        );
    }

    #[test]
    fn text_becomes_the_value_it_stands_for() {
        let all = fields(&schema());
        let value = |name: &str, texts: &[&str]| {
            read(all.iter().find(|field| field.name == name).unwrap(), texts)
        };
        assert_eq!(value("name", &["12"]), Ok(json!("12")));
        assert_eq!(value("scopes", &["a", "b"]), Ok(json!(["a", "b"])));
        assert_eq!(value("min_trust", &["30"]), Ok(json!(30)));
        assert_eq!(
            value("auth", &["{\"method\":\"client_secret\"}"]),
            Ok(json!({ "method": "client_secret" }))
        );
        assert_eq!(value("owner", &["usr_1"]), Ok(json!("usr_1")));
        assert!(value("min_trust", &["many"]).is_err());
        assert!(value("introspection", &["yes"]).is_err());
        assert!(value("auth", &["{method}"]).is_err());
    }
}
