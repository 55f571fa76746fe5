//! What an expression computes with, and when two values are equal or one comes before the other. Copies share what
//! is large.

use super::fault::{Fault, Meter};
use super::moment::Moment;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Text(Arc<str>),
    Bytes(Arc<[u8]>),
    /// Nanoseconds.
    Duration(i64),
    Time(Moment),
    Address(IpAddr),
    List(Arc<[Value]>),
    Map(Arc<BTreeMap<Key, Value>>),
    /// A type, by its name.
    Type(&'static str),
}

/// What a map may be asked for. Numbers are the same key when they are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Bool(bool),
    Number(i128),
    Text(Arc<str>),
}

impl Value {
    pub(super) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Time(_) => "google.protobuf.Timestamp",
            Self::Address(_) => "IPAddress",
            Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Type(_) => "type",
        }
    }

    /// As the key of a map; nothing for what cannot be one.
    pub(super) fn key(&self) -> Option<Key> {
        Some(match self {
            Self::Bool(value) => Key::Bool(*value),
            Self::Int(value) => Key::Number((*value).into()),
            Self::Uint(value) => Key::Number((*value).into()),
            Self::Text(value) => Key::Text(Arc::clone(value)),
            Self::Double(value) => Key::Number(whole(*value)?),
            _ => return None,
        })
    }

    /// Whether two values are equal; numbers are whatever their types. Values of different kinds are not, but an address
    /// can be compared with nothing else.
    pub(super) fn same(&self, other: &Self, meter: &mut Meter) -> Result<bool, Fault> {
        meter.pay(1)?;
        Ok(match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Text(a), Self::Text(b)) => {
                meter.pay_bytes(a.len().min(b.len()))?;
                a == b
            }
            (Self::Bytes(a), Self::Bytes(b)) => {
                meter.pay_bytes(a.len().min(b.len()))?;
                a == b
            }
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a == b,
            (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Address(a), Self::Address(b)) => a == b,
            (Self::Address(_), Self::Null) => false,
            (Self::Address(_), _) => return Err(no_overload("==", &[self, other])),
            (Self::List(a), Self::List(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for (a, b) in a.iter().zip(b.iter()) {
                    if !a.same(b, meter)? {
                        return Ok(false);
                    }
                }
                true
            }
            (Self::Map(a), Self::Map(b)) => {
                if a.len() != b.len() {
                    return Ok(false);
                }
                for ((a, one), (b, other)) in a.iter().zip(b.iter()) {
                    meter.pay(1)?;
                    if a != b || !one.same(other, meter)? {
                        return Ok(false);
                    }
                }
                true
            }
            _ => number_order(self, other) == Some(Some(Ordering::Equal)),
        })
    }

    /// Which comes first, nothing beside what is not a number; an error for values that have no order.
    pub(super) fn order(&self, other: &Self, meter: &mut Meter) -> Result<Option<Ordering>, Fault> {
        Ok(Some(match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => {
                meter.pay_bytes(a.len().min(b.len()))?;
                a.cmp(b)
            }
            (Self::Bytes(a), Self::Bytes(b)) => {
                meter.pay_bytes(a.len().min(b.len()))?;
                a.cmp(b)
            }
            (Self::Duration(a), Self::Duration(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            _ => return number_order(self, other).ok_or_else(|| no_overload("<", &[self, other])),
        }))
    }
}

impl Key {
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Bool(value) => Value::Bool(*value),
            Self::Text(value) => Value::Text(Arc::clone(value)),
            Self::Number(value) => match (i64::try_from(*value), u64::try_from(*value)) {
                (Ok(value), _) => Value::Int(value),
                (_, Ok(value)) => Value::Uint(value),
                // Keys are made of one or the other.
                _ => Value::Null,
            },
        }
    }
}

/// The order of two numbers of any types, none when one of them is not a number; nothing when one is of another kind.
fn number_order(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    use Value::{Double, Int, Uint};
    #[expect(
        clippy::cast_precision_loss,
        reason = "numbers of two types are compared as doubles"
    )]
    Some(match (a, b) {
        (Int(a), Int(b)) => Some(a.cmp(b)),
        (Uint(a), Uint(b)) => Some(a.cmp(b)),
        (Int(a), Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Uint(a), Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
        (Double(a), Double(b)) => a.partial_cmp(b),
        (Double(a), Int(b)) => a.partial_cmp(&(*b as f64)),
        (Int(a), Double(b)) => (*a as f64).partial_cmp(b),
        (Double(a), Uint(b)) => a.partial_cmp(&(*b as f64)),
        (Uint(a), Double(b)) => (*a as f64).partial_cmp(b),
        _ => return None,
    })
}

/// A double that is a whole number of a size that maps have keys of.
pub(super) fn whole(value: f64) -> Option<i128> {
    const BEYOND: f64 = 18_446_744_073_709_551_616.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    (value.fract() == 0.0 && value.abs() < BEYOND).then_some(value as i128)
}

pub(super) fn no_overload(name: &str, all: &[&Value]) -> Fault {
    let types: Vec<_> = all.iter().map(|one| one.type_name()).collect();
    Fault::of(format!("`{name}` takes no ({})", types.join(", ")))
}
