//! A route of the management API, worked out once at start: the operation, its path's parameters and the kinds
//! of its fields, by which text from path and query is read.

use serde_json::Value;
use service::{Erased, Meta};
use std::collections::HashMap;

/// An operation at its path.
pub(crate) struct Route {
    pub operation: &'static dyn Erased,
    pub meta: &'static Meta,
    pub kinds: HashMap<String, Kind>,
    parameters: Vec<&'static str>,
}

/// What a field's text is read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    /// Items divided by commas.
    List(Box<Kind>),
}

/// The values of a path.
pub(crate) struct Placed<'a> {
    /// The organization.
    pub org: Option<&'a str>,
    /// The others, by the name of their field.
    pub fields: Vec<(&'static str, &'a str)>,
}

/// The names of a path's parameters, in order.
pub(crate) fn parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

impl Route {
    pub(crate) fn of(operation: &'static dyn Erased) -> Self {
        let meta = operation.meta();
        let schema = operation.input_schema().to_value();
        let parameters = parameters(meta.path).collect();
        Self {
            operation,
            meta,
            kinds: kinds(&schema),
            parameters,
        }
    }

    /// The path without its parameters' names: two operations of one shape share a place in the router.
    pub(crate) fn shape(&self) -> String {
        let segment = |segment: &str| {
            if segment.starts_with('{') {
                "{}".to_owned()
            } else {
                segment.to_owned()
            }
        };
        self.meta
            .path
            .split('/')
            .map(segment)
            .collect::<Vec<_>>()
            .join("/")
    }

    /// Gives the values of a path their names.
    pub(crate) fn placed<'a>(&self, values: impl Iterator<Item = &'a str>) -> Placed<'a> {
        let mut placed = Placed {
            org: None,
            fields: Vec::new(),
        };
        for (name, value) in self.parameters.iter().zip(values) {
            match *name {
                "org" => placed.org = Some(value),
                name => placed.fields.push((name, value)),
            }
        }
        placed
    }
}

fn kinds(schema: &Value) -> HashMap<String, Kind> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let kind = |(name, property): (&String, &Value)| (name.clone(), kind(schema, property, 0));
    properties.into_iter().flatten().map(kind).collect()
}

fn kind(root: &Value, schema: &Value, depth: usize) -> Kind {
    if depth > 8 {
        return Kind::Text;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = target
            .strip_prefix('#')
            .and_then(|pointer| root.pointer(pointer));
        return target.map_or(Kind::Text, |target| kind(root, target, depth + 1));
    }
    for word in ["anyOf", "oneOf", "allOf"] {
        let choices = schema
            .get(word)
            .and_then(Value::as_array)
            .into_iter()
            .flatten();
        let some = choices
            .into_iter()
            .find(|choice| choice.get("type") != Some(&Value::from("null")));
        if let Some(choice) = some {
            return kind(root, choice, depth + 1);
        }
    }
    match type_of(schema) {
        Some("integer") => Kind::Integer,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::Boolean,
        Some("array") => {
            let items = schema
                .get("items")
                .map_or(Kind::Text, |items| kind(root, items, depth + 1));
            Kind::List(Box::new(items))
        }
        _ => Kind::Text,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds_are_found_behind_references_and_choices() {
        let schema = json!({
            "properties": {
                "limit": { "type": ["integer", "null"] },
                "total": { "type": ["boolean", "null"] },
                "state": { "anyOf": [{ "$ref": "#/$defs/State" }, { "type": "null" }] },
                "ids": { "type": "array", "items": { "$ref": "#/$defs/Count" } },
                "loop": { "$ref": "#/$defs/Loop" },
            },
            "$defs": {
                "State": { "type": "string" }, "Count": { "type": "integer" }, "Loop": { "$ref": "#/$defs/Loop" },
            },
        });
        let kinds = kinds(&schema);
        assert_eq!(kinds["limit"], Kind::Integer);
        assert_eq!(kinds["total"], Kind::Boolean);
        assert_eq!(kinds["state"], Kind::Text);
        assert_eq!(kinds["ids"], Kind::List(Box::new(Kind::Integer)));
        assert_eq!(kinds["loop"], Kind::Text);
    }

    #[test]
    fn path_parameters_keep_their_order() {
        let names: Vec<_> = parameters("/orgs/{org}/agents/{id}/secrets/{key}/revoke").collect();
        assert_eq!(names, ["org", "id", "key"]);
    }
}
