//! Arguments that every tool which changes something takes beside its own: what a request says in headers at the
//! other doors. They are taken out before the operation sees its input.

use crate::schema::{self, Object};
use serde_json::{Value, json};
use service::{Envelope, Error, Meta, Method, Result};

const DRY_RUN: &str = "dry_run";
const IDEMPOTENCY_KEY: &str = "idempotency_key";
const EXPECTED_VERSION: &str = "expected_version";

/// Longest idempotency key, in bytes.
const KEY_BYTES: usize = 255;

/// Adds to an input schema what this operation takes; the names added. A field of the operation's own goes first.
pub fn offer(meta: &Meta, input: &mut Object) -> Vec<&'static str> {
    if meta.is_read() || !schema::is_plain(input) {
        return Vec::new();
    }
    let Some(Value::Object(properties)) = input.get_mut("properties") else {
        return Vec::new();
    };
    let mut offered = Vec::new();
    for (name, schema) in common(meta.method) {
        if !properties.contains_key(name) {
            properties.insert(name.into(), schema);
            offered.push(name);
        }
    }
    offered
}

fn common(method: Method) -> Vec<(&'static str, Value)> {
    let dry_run = json!({"type": "boolean", "description": "Check and decide everything, and change nothing."});
    let key = json!({"type": "string", "minLength": 1, "maxLength": KEY_BYTES,
        "description": "A key of your choice under which this happens once, however often it is sent."});
    let version = json!({"type": "integer", "minimum": 0,
        "description": "The version you have read; refused when the thing changed since."});
    let mut all = vec![(DRY_RUN, dry_run), (IDEMPOTENCY_KEY, key)];
    if matches!(method, Method::Put | Method::Patch | Method::Delete) {
        all.push((EXPECTED_VERSION, version));
    }
    all
}

/// Takes the offered arguments out of what was sent.
///
/// # Errors
/// `invalid_input` with the field that is of the wrong type.
pub fn take(offered: &[&str], sent: &mut Object) -> Result<Envelope> {
    let mut envelope = Envelope::default();
    for name in offered {
        let Some(value) = sent.remove(*name).filter(|value| !value.is_null()) else {
            continue;
        };
        match *name {
            DRY_RUN => {
                envelope.dry_run = value
                    .as_bool()
                    .ok_or_else(|| wrong(name, "must be true or false"))?
            }
            IDEMPOTENCY_KEY => envelope.idempotency_key = Some(key(&value)?),
            _ => {
                envelope.if_match = Some(
                    value
                        .as_u64()
                        .ok_or_else(|| wrong(name, "must be a whole number"))?,
                )
            }
        }
    }
    Ok(envelope)
}

fn key(value: &Value) -> Result<String> {
    let key = value
        .as_str()
        .filter(|key| (1..=KEY_BYTES).contains(&key.len()));
    key.map(str::to_owned)
        .ok_or_else(|| wrong(IDEMPOTENCY_KEY, "must be a text of 1 to 255 bytes"))
}

fn wrong(field: &str, detail: &str) -> Error {
    Error::field(field, "wrong_type", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Code;

    fn object(value: Value) -> Object {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_was_offered_is_taken_out_and_nothing_else() {
        let mut sent = object(
            json!({"name": "a", "dry_run": true, "idempotency_key": "k", "expected_version": 7}),
        );
        let envelope = take(&[DRY_RUN, IDEMPOTENCY_KEY], &mut sent).unwrap();
        assert!(envelope.dry_run && envelope.if_match.is_none());
        assert_eq!(envelope.idempotency_key.as_deref(), Some("k"));
        assert_eq!(sent, object(json!({"name": "a", "expected_version": 7})));
    }

    #[test]
    fn a_wrong_type_names_its_field() {
        for (field, value) in [
            (DRY_RUN, json!("yes")),
            (IDEMPOTENCY_KEY, json!("")),
            (EXPECTED_VERSION, json!(-1)),
        ] {
            let refusal = take(&[field], &mut object(json!({ field: value }))).unwrap_err();
            assert_eq!(
                (refusal.code, refusal.errors[0].field.as_str()),
                (Code::InvalidInput, field)
            );
        }
    }
}
