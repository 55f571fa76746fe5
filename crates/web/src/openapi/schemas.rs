//! Component schemas with stable names: a definition keeps its type's name unless another of that name differs,
//! in which case all definitions of that operation carry the operation's name before theirs.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The document's schemas so far.
#[derive(Default)]
pub(super) struct Schemas {
    known: BTreeMap<String, Value>,
}

impl Schemas {
    /// Stores a schema and gives the reference to it.
    pub(super) fn put(&mut self, name: &str, schema: Value) -> Value {
        self.known.insert(name.to_owned(), schema);
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }

    /// Takes a schema's own definitions in and gives it back with references into the document.
    pub(super) fn take(&mut self, mut schema: Value, stem: &str) -> Value {
        let own = schema.as_object_mut().map(|fields| {
            fields.remove("$schema");
            fields.remove("$defs")
        });
        let own = match own.flatten() {
            Some(Value::Object(own)) => own,
            _ => Map::new(),
        };
        let plain = |name: &str| tidy(name);
        let marked = |name: &str| format!("{stem}{}", tidy(name));
        let clash = own.iter().any(|(name, schema)| {
            let mut schema = schema.clone();
            point(&mut schema, &plain);
            self.known
                .get(&tidy(name))
                .is_some_and(|known| *known != schema)
        });
        let naming: &dyn Fn(&str) -> String = if clash { &marked } else { &plain };
        for (name, mut definition) in own {
            point(&mut definition, naming);
            self.known.insert(naming(&name), definition);
        }
        point(&mut schema, naming);
        schema
    }

    /// The finished components.
    pub(super) fn done(self) -> Value {
        Value::Object(self.known.into_iter().collect())
    }
}

/// A name with nothing but what component names may hold.
fn tidy(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    name.chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect()
}

/// Turns references to own definitions into references to components.
fn point(schema: &mut Value, naming: &dyn Fn(&str) -> String) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(target)) = fields.get_mut("$ref")
                && let Some(name) = target.strip_prefix("#/$defs/")
            {
                *target = format!("#/components/schemas/{}", naming(name));
            }
            fields.values_mut().for_each(|field| point(field, naming));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| point(item, naming)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: &str) -> Value {
        json!({
            "type": "object",
            "properties": { "a": { "$ref": "#/$defs/State" } },
            "$defs": { "State": { "type": kind } },
        })
    }

    #[test]
    fn equal_definitions_are_shared_and_others_marked() {
        let mut schemas = Schemas::default();
        let first = schemas.take(of("string"), "One");
        let second = schemas.take(of("string"), "Two");
        let third = schemas.take(of("integer"), "Three");
        assert_eq!(first, second);
        assert_eq!(
            first["properties"]["a"]["$ref"],
            "#/components/schemas/State"
        );
        assert_eq!(
            third["properties"]["a"]["$ref"],
            "#/components/schemas/ThreeState"
        );
        let done = schemas.done();
        assert_eq!(
            done.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["State", "ThreeState"]
        );
        assert!(!done.to_string().contains("$defs"));
    }

    #[test]
    fn generic_names_are_tidied() {
        assert_eq!(tidy("Page<Agent>"), "Page_Agent_");
    }
}
