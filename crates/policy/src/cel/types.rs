//! The types that an expression is checked against before it is ever evaluated.

use authz::model::ParameterType;
use std::fmt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// Known only when it is evaluated.
    Dyn,
    Null,
    Bool,
    Int,
    Uint,
    Double,
    Text,
    Bytes,
    Duration,
    Time,
    Address,
    /// A type as a value.
    Kind,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
}

impl Type {
    /// The type of a parameter.
    pub(super) fn of(parameter: &ParameterType) -> Option<Self> {
        let inner = || parameter.of.as_deref().and_then(Self::of).map(Box::new);
        Some(match parameter.name {
            "any" => Self::Dyn,
            "bool" => Self::Bool,
            "double" => Self::Double,
            "duration" => Self::Duration,
            "int" => Self::Int,
            "ipaddress" => Self::Address,
            "list" => Self::List(inner()?),
            "map" => Self::Map(Box::new(Self::Text), inner()?),
            "string" => Self::Text,
            "timestamp" => Self::Time,
            "uint" => Self::Uint,
            _ => return None,
        })
    }

    pub(super) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    /// Whether a value of one may stand where the other is wanted.
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Dyn, _) | (_, Self::Dyn) => true,
            (Self::Null, one) | (one, Self::Null) => one.nullable(),
            (Self::List(a), Self::List(b)) => a.fits(b),
            (Self::Map(a, c), Self::Map(b, d)) => a.fits(b) && c.fits(d),
            _ => self == other,
        }
    }

    const fn nullable(&self) -> bool {
        matches!(
            self,
            Self::Null | Self::Duration | Self::Time | Self::Address
        )
    }

    /// The type of two things together: the more general of two that fit.
    pub(super) fn joined(self, other: Self) -> Self {
        match (self, other) {
            (Self::List(a), Self::List(b)) => Self::list(a.joined(*b)),
            (Self::Map(a, c), Self::Map(b, d)) => {
                Self::Map(Box::new(a.joined(*b)), Box::new(c.joined(*d)))
            }
            (Self::Null, one) | (one, Self::Null) if one.nullable() => one,
            (a, b) if a == b => a,
            _ => Self::Dyn,
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Dyn => "dyn",
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Uint => "uint",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bytes => "bytes",
            Self::Duration => "duration",
            Self::Time => "timestamp",
            Self::Address => "ipaddress",
            Self::Kind => "type",
            Self::List(of) => return write!(f, "list<{of}>"),
            Self::Map(key, value) => return write!(f, "map<{key}, {value}>"),
        };
        f.write_str(name)
    }
}
