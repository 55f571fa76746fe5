//! Shapes an operation's schemas as tools need them: one closed object with its definitions inside.
//! Nothing here comes from an organization's data.

use serde_json::{Map, Value, json};

/// A JSON object.
pub type Object = Map<String, Value>;

/// The field that holds an answer which is no object by itself.
pub const RESULT: &str = "result";

const COMBINING: [&str; 5] = ["$ref", "allOf", "anyOf", "oneOf", "if"];

/// An input: always an object, and closed, so that a client finds out about a misspelt argument by itself.
pub fn input(schema: Value) -> Object {
    closed(tidied(schema))
}

/// An output: an object; what is no object lies in the field `result`, as `answer` puts it.
pub fn output(schema: Value) -> Object {
    let mut schema = tidied(schema);
    if is_object(&schema) || is_null(&schema) {
        return closed(schema);
    }
    let definitions = schema.remove("$defs");
    let mut outer = closed(Object::new());
    outer.insert("properties".into(), json!({ RESULT: schema }));
    outer.insert("required".into(), json!([RESULT]));
    outer.extend(definitions.map(|inside| ("$defs".to_owned(), inside)));
    outer
}

/// Whether the fields of this object are all in its `properties`, so that more may be added there.
pub fn is_plain(schema: &Object) -> bool {
    !COMBINING.iter().any(|word| schema.contains_key(*word))
}

fn closed(mut schema: Object) -> Object {
    if is_null(&schema) {
        schema.clear();
    }
    schema.insert("type".into(), json!("object"));
    if is_plain(&schema) {
        schema.entry("properties").or_insert_with(|| json!({}));
        schema.insert("additionalProperties".into(), json!(false));
    }
    schema
}

/// Without what only the source means: its types' names and notes, and formats of integers, at which validators
/// complain. What the tool is for is said once, in its description.
fn tidied(schema: Value) -> Object {
    let mut object = match schema {
        Value::Object(object) => object,
        _ => Object::new(),
    };
    for word in ["$schema", "description", "title"] {
        object.remove(word);
    }
    object.values_mut().for_each(drop_formats);
    object
}

fn drop_formats(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let rusts = |format: &str| format.starts_with("int") || format.starts_with("uint");
            if object
                .get("format")
                .and_then(Value::as_str)
                .is_some_and(rusts)
            {
                object.remove("format");
            }
            object.values_mut().for_each(drop_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_formats),
        _ => {}
    }
}

fn is_object(schema: &Object) -> bool {
    let of_objects = |word| {
        let branches = schema.get(word).and_then(Value::as_array);
        branches.is_some_and(|all: &Vec<Value>| {
            all.iter().all(|one| one.as_object().is_some_and(is_object))
        })
    };
    schema.get("type").is_some_and(|kind| kind == "object")
        || of_objects("oneOf")
        || of_objects("anyOf")
}

fn is_null(schema: &Object) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_a_closed_object_without_rust_words() {
        let shaped = input(json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Input", "description": "What it takes.", "type": "object",
            "properties": {"limit": {"type": ["integer", "null"], "format": "uint", "minimum": 0},
                           "format": {"type": "string", "format": "date-time"}}}));
        let expected = json!({
            "type": "object", "additionalProperties": false,
            "properties": {"limit": {"type": ["integer", "null"], "minimum": 0},
                           "format": {"type": "string", "format": "date-time"}}});
        assert_eq!(Value::Object(shaped), expected);
    }

    #[test]
    fn nothing_is_an_empty_object() {
        let empty = json!({"type": "object", "properties": {}, "additionalProperties": false});
        assert_eq!(
            Value::Object(input(json!({"type": "null", "title": "null"}))),
            empty
        );
        assert_eq!(Value::Object(output(json!({"type": "null"}))), empty);
    }

    #[test]
    fn a_choice_of_objects_stays_open_at_its_root() {
        let shaped =
            output(json!({"oneOf": [{"type": "object", "properties": {"a": {"type": "string"}}}]}));
        assert_eq!(shaped.get("type"), Some(&json!("object")));
        assert!(!shaped.contains_key("additionalProperties") && !is_plain(&shaped));
    }

    #[test]
    fn a_list_lies_in_result_with_its_definitions_at_the_root() {
        let shaped = output(
            json!({"type": "array", "items": {"$ref": "#/$defs/A"}, "$defs": {"A": {"type": "string"}}}),
        );
        let expected = json!({
            "type": "object", "additionalProperties": false, "required": ["result"],
            "properties": {"result": {"type": "array", "items": {"$ref": "#/$defs/A"}}},
            "$defs": {"A": {"type": "string"}}});
        assert_eq!(Value::Object(shaped), expected);
    }
}
