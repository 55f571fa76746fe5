//! Values of a request or a tuple as the types of a condition's parameters, as OpenFGA takes them: numbers also from
//! text, times and addresses only from text. What does not fit is an error and never another value.

use super::fault::{Fault, Meter};
use super::types::Type;
use super::value::{Key, Value};
use super::{address, moment, quantity};
use serde_json::{Number, Value as Json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A value of that type.
pub(super) fn value(of: &Type, given: &Json, meter: &mut Meter) -> Result<Value, Fault> {
    meter.pay(1)?;
    if let Json::String(text) = given {
        meter.pay_bytes(text.len())?;
    }
    let found = match (of, given) {
        (Type::Dyn, _) => return anything(given, meter),
        (Type::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (Type::Text, Json::String(text)) => Some(Value::Text(text.as_str().into())),
        (Type::Int, _) => whole(given)
            .and_then(|n| i64::try_from(n).ok())
            .map(Value::Int),
        (Type::Uint, _) => whole(given)
            .and_then(|n| u64::try_from(n).ok())
            .map(Value::Uint),
        (Type::Double, Json::Number(number)) => number.as_f64().map(Value::Double),
        (Type::Double, Json::String(text)) => quantity::exact(text).map(Value::Double),
        (Type::Duration, Json::String(text)) => moment::length(text).map(Value::Duration),
        (Type::Time, Json::String(text)) => moment::read(text).map(Value::Time),
        (Type::Address, Json::String(text)) => address::read(text).map(Value::Address),
        (Type::List(of), Json::Array(all)) => {
            let values: Result<Arc<[Value]>, _> =
                all.iter().map(|one| value(of, one, meter)).collect();
            return Ok(Value::List(values?));
        }
        (Type::Map(_, of), Json::Object(all)) => {
            let mut map = BTreeMap::new();
            for (key, one) in all {
                map.insert(Key::Text(key.as_str().into()), value(of, one, meter)?);
            }
            return Ok(Value::Map(Arc::new(map)));
        }
        _ => None,
    };
    found.ok_or_else(|| Fault::of(format!("takes {}", wanted(of))))
}

/// What JSON says itself; every number is a double, as in the API that this follows.
fn anything(given: &Json, meter: &mut Meter) -> Result<Value, Fault> {
    Ok(match given {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        Json::String(text) => Value::Text(text.as_str().into()),
        Json::Array(_) => return value(&Type::list(Type::Dyn), given, meter),
        Json::Object(_) => {
            let of = Type::Map(Box::new(Type::Text), Box::new(Type::Dyn));
            return value(&of, given, meter);
        }
    })
}

fn whole(given: &Json) -> Option<i128> {
    let number = |number: &Number| {
        let signed = number.as_i64().map(i128::from);
        let whole = signed.or_else(|| number.as_u64().map(i128::from));
        whole.or_else(|| number.as_f64().and_then(super::value::whole))
    };
    match given {
        Json::Number(given) => number(given),
        Json::String(text) => quantity::whole(text),
        _ => None,
    }
}

fn wanted(of: &Type) -> &'static str {
    match of {
        Type::Bool => "true or false",
        Type::Int => "a whole number, or one as text",
        Type::Uint => "a whole number that is not negative, or one as text",
        Type::Double => "a number, or one as text that is exact in binary",
        Type::Text => "text",
        Type::Duration => "a length of time such as `1h30m`",
        Type::Time => "a time such as `2026-01-31T12:00:00Z`",
        Type::Address => "an IP address",
        Type::List(_) => "a list",
        Type::Map(..) => "an object",
        _ => "another value",
    }
}
