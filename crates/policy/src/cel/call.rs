//! What the functions and operators do. Arithmetic that does not fit is an error, never another number.

use super::fault::{Fault, Meter};
use super::moment::{self, Moment};
use super::overload::Function;
use super::pattern::Pattern;
use super::value::{Key, Value, no_overload};
use super::{address, quantity, text};
use std::cmp::Ordering;
use std::sync::Arc;

type Found = Result<Value, Fault>;

const OVERFLOW: Fault = Fault::new("a number is out of range");

/// Calls a function with its arguments.
pub(super) fn call(function: Function, given: &[Value], meter: &mut Meter) -> Found {
    use Function as F;
    let found = match (function, given) {
        (F::Not, [Value::Bool(a)]) => Value::Bool(!a),
        (F::Negate, [Value::Int(a)]) => Value::Int(a.checked_neg().ok_or(OVERFLOW)?),
        (F::Negate, [Value::Double(a)]) => Value::Double(-a),
        (F::Equal, [a, b]) => Value::Bool(a.same(b, meter)?),
        (F::NotEqual, [a, b]) => Value::Bool(!a.same(b, meter)?),
        (F::Less, [a, b]) => Value::Bool(a.order(b, meter)? == Some(Ordering::Less)),
        (F::LessOrEqual, [a, b]) => Value::Bool(a.order(b, meter)?.is_some_and(Ordering::is_le)),
        (F::Greater, [a, b]) => Value::Bool(a.order(b, meter)? == Some(Ordering::Greater)),
        (F::GreaterOrEqual, [a, b]) => Value::Bool(a.order(b, meter)?.is_some_and(Ordering::is_ge)),
        (F::Add, [a, b]) => add(a, b, meter)?,
        (F::Subtract, [a, b]) => subtract(a, b)?,
        (F::Multiply, [a, b]) => multiply(a, b)?,
        (F::Divide | F::Remainder, [a, b]) => divide(function, a, b)?,
        (F::In, [one, among]) => Value::Bool(within(one, among, meter)?),
        (F::Index, [of, by]) => index(of, by, meter)?,
        (F::Size, [of]) => size(of, meter)?,
        (F::Contains | F::StartsWith | F::EndsWith, [Value::Text(a), Value::Text(b)]) => {
            meter.pay_bytes(a.len().saturating_add(b.len()))?;
            Value::Bool(match function {
                F::Contains => a.contains(&**b),
                F::StartsWith => a.starts_with(&**b),
                _ => a.ends_with(&**b),
            })
        }
        (F::Matches, [Value::Text(of), Value::Text(pattern)]) => {
            let pattern = Pattern::paid(pattern, meter)?;
            Value::Bool(pattern.found(of, meter)?)
        }
        (F::InCidr, [Value::Address(of), Value::Text(range)]) => {
            Value::Bool(address::within(*of, range)?)
        }
        (F::ToAddress, [Value::Text(of)]) => {
            Value::Address(address::read(of).ok_or(Fault::new("the text is not an address"))?)
        }
        (F::Part(part), [Value::Duration(of)]) => {
            Value::Int(moment::part_of_length(*of, part).ok_or_else(|| wrong(function, given))?)
        }
        (F::Part(part), [Value::Time(of)]) => Value::Int(of.part(part, None)?),
        (F::Part(part), [Value::Time(of), Value::Text(zone)]) => {
            meter.pay(ZONE)?;
            Value::Int(of.part(part, Some(zone))?)
        }
        (F::ToDyn, [of]) => of.clone(),
        (F::TypeOf, [of]) => Value::Type(of.type_name()),
        (_, [of]) => convert(function, of, meter)?,
        _ => return Err(wrong(function, given)),
    };
    Ok(found)
}

/// Steps for a look at the rules of a time zone.
const ZONE: usize = 50;

fn wrong(function: Function, given: &[Value]) -> Fault {
    let given: Vec<_> = given.iter().collect();
    no_overload(function.name(), &given)
}

fn add(a: &Value, b: &Value, meter: &mut Meter) -> Found {
    use Value::{Bytes, Double, Duration, Int, List, Text, Time, Uint};
    Ok(match (a, b) {
        (Int(a), Int(b)) => Int(a.checked_add(*b).ok_or(OVERFLOW)?),
        (Uint(a), Uint(b)) => Uint(a.checked_add(*b).ok_or(OVERFLOW)?),
        (Double(a), Double(b)) => Double(a + b),
        (Text(a), Text(b)) => {
            meter.pay_bytes(a.len().saturating_add(b.len()))?;
            Text([&**a, &**b].concat().into())
        }
        (Bytes(a), Bytes(b)) => {
            meter.pay_bytes(a.len().saturating_add(b.len()))?;
            Bytes([&**a, &**b].concat().into())
        }
        (List(a), List(b)) => {
            meter.pay(a.len().saturating_add(b.len()))?;
            List(a.iter().chain(b.iter()).cloned().collect())
        }
        (Duration(a), Duration(b)) => Duration(a.checked_add(*b).ok_or(OVERFLOW)?),
        (Time(at), Duration(by)) | (Duration(by), Time(at)) => {
            Time(at.later(i128::from(*by)).ok_or(OVERFLOW)?)
        }
        _ => return Err(no_overload("+", &[a, b])),
    })
}

fn subtract(a: &Value, b: &Value) -> Found {
    use Value::{Double, Duration, Int, Time, Uint};
    Ok(match (a, b) {
        (Int(a), Int(b)) => Int(a.checked_sub(*b).ok_or(OVERFLOW)?),
        (Uint(a), Uint(b)) => Uint(a.checked_sub(*b).ok_or(OVERFLOW)?),
        (Double(a), Double(b)) => Double(a - b),
        (Duration(a), Duration(b)) => Duration(a.checked_sub(*b).ok_or(OVERFLOW)?),
        (Time(at), Duration(by)) => Time(at.later(-i128::from(*by)).ok_or(OVERFLOW)?),
        (Time(a), Time(b)) => Duration(a.since(*b).ok_or(OVERFLOW)?),
        _ => return Err(no_overload("-", &[a, b])),
    })
}

fn multiply(a: &Value, b: &Value) -> Found {
    use Value::{Double, Int, Uint};
    Ok(match (a, b) {
        (Int(a), Int(b)) => Int(a.checked_mul(*b).ok_or(OVERFLOW)?),
        (Uint(a), Uint(b)) => Uint(a.checked_mul(*b).ok_or(OVERFLOW)?),
        (Double(a), Double(b)) => Double(a * b),
        _ => return Err(no_overload("*", &[a, b])),
    })
}

fn divide(function: Function, a: &Value, b: &Value) -> Found {
    use Value::{Double, Int, Uint};
    let whole = function == Function::Divide;
    Ok(match (a, b) {
        (Int(_), Int(0)) | (Uint(_), Uint(0)) => return Err(Fault::new("division by zero")),
        (Int(a), Int(b)) if whole => Int(a.checked_div(*b).ok_or(OVERFLOW)?),
        (Uint(a), Uint(b)) if whole => Uint(a.checked_div(*b).ok_or(OVERFLOW)?),
        (Double(a), Double(b)) if whole => Double(a / b),
        (Int(a), Int(b)) => Int(a.checked_rem(*b).ok_or(OVERFLOW)?),
        (Uint(a), Uint(b)) => Uint(a.checked_rem(*b).ok_or(OVERFLOW)?),
        _ => return Err(no_overload(if whole { "/" } else { "%" }, &[a, b])),
    })
}

fn within(one: &Value, among: &Value, meter: &mut Meter) -> Result<bool, Fault> {
    match among {
        Value::List(list) => {
            for element in list.iter() {
                if element.same(one, meter)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Value::Map(map) => {
            meter.pay(1)?;
            Ok(one.key().is_some_and(|key| map.contains_key(&key)))
        }
        other => Err(no_overload("in", &[one, other])),
    }
}

fn index(of: &Value, by: &Value, meter: &mut Meter) -> Found {
    match of {
        Value::List(list) => {
            let Some(Key::Number(at)) = by.key() else {
                return Err(no_overload("[]", &[of, by]));
            };
            let found = usize::try_from(at).ok().and_then(|at| list.get(at));
            found
                .cloned()
                .ok_or(Fault::new("the list has no element there"))
        }
        Value::Map(map) => {
            meter.pay(1)?;
            let key = by.key().ok_or_else(|| no_overload("[]", &[of, by]))?;
            let found = map.get(&key).cloned();
            found.ok_or(Fault::new("the map has no such key"))
        }
        other => Err(no_overload("[]", &[other, by])),
    }
}

fn size(of: &Value, meter: &mut Meter) -> Found {
    let size = match of {
        Value::Text(text) => {
            meter.pay_bytes(text.len())?;
            text.chars().count()
        }
        Value::Bytes(bytes) => bytes.len(),
        Value::List(list) => list.len(),
        Value::Map(map) => map.len(),
        other => return Err(no_overload("size", &[other])),
    };
    Ok(Value::Int(i64::try_from(size).map_err(|_| OVERFLOW)?))
}

fn convert(function: Function, of: &Value, meter: &mut Meter) -> Found {
    use Function as F;
    use Value::{Bool, Bytes, Double, Duration, Int, Text, Time, Uint};
    if let Text(text) = of {
        meter.pay_bytes(text.len())?;
    }
    if let Bytes(bytes) = of {
        meter.pay_bytes(bytes.len())?;
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "a double is the nearest there is"
    )]
    let found = match (function, of) {
        (F::ToBool, Bool(_))
        | (F::ToBytes, Bytes(_))
        | (F::ToDouble, Double(_))
        | (F::ToDuration, Duration(_))
        | (F::ToInt, Int(_))
        | (F::ToString, Text(_))
        | (F::ToTime, Time(_))
        | (F::ToUint, Uint(_)) => Some(of.clone()),
        (F::ToBool, Text(text)) => quantity::truth(text).map(Bool),
        (F::ToBytes, Text(text)) => Some(Bytes(text.as_bytes().into())),
        (F::ToDouble, Int(number)) => Some(Double(*number as f64)),
        (F::ToDouble, Uint(number)) => Some(Double(*number as f64)),
        (F::ToDouble, Text(text)) => quantity::double(text).map(Double),
        (F::ToDuration, Text(text)) => moment::length(text).map(Duration),
        (F::ToInt, Uint(number)) => i64::try_from(*number).ok().map(Int),
        (F::ToInt, Double(number)) => quantity::truncated(*number).map(Int),
        (F::ToInt, Text(text)) => quantity::int(text).map(Int),
        (F::ToInt, Time(at)) => Some(Int(at.seconds())),
        (F::ToInt, Duration(nanoseconds)) => Some(Int(*nanoseconds)),
        (F::ToUint, Int(number)) => u64::try_from(*number).ok().map(Uint),
        (F::ToUint, Double(number)) => quantity::truncated_unsigned(*number).map(Uint),
        (F::ToUint, Text(text)) => quantity::uint(text).map(Uint),
        (F::ToTime, Int(seconds)) => Moment::new(*seconds, 0).map(Time),
        (F::ToTime, Text(text)) => moment::read(text).map(Time),
        (F::ToString, of) => text::written(of).map(|text| Text(Arc::from(text))),
        _ => return Err(wrong(function, std::slice::from_ref(of))),
    };
    found.ok_or_else(|| {
        let from = of.type_name();
        Fault::of(format!(
            "`{}` has no value for that {from}",
            function.name()
        ))
    })
}
