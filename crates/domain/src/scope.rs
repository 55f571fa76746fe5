//! Application scopes: names declared by a connection, the pair (connection, name) that a ceiling holds,
//! and the patterns that a role may use. A wildcard never enters a ceiling or a token.

use crate::permission::CATEGORIES;
use kernel::{Connection, Id};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Borrow, fmt, sync::Arc};

/// A scope's name: two or more parts joined by colons, such as `orders:read`. Case is kept and compared exactly.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(Arc<str>);

/// Why a text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// Not two or more parts of letters, digits, `_`, `-`, `.` or `/`.
    #[error("`{0}` is not a scope; write two parts joined by a colon, such as `orders:read`")]
    Shape(String),
    /// A name the platform keeps for itself.
    #[error("`{0}` begins with a name that is reserved; choose another first part")]
    Reserved(String),
    /// A wildcard where only a plain name may stand.
    #[error("`{0}` holds a wildcard; name each scope")]
    Wildcard(String),
}

fn plain_part(part: &str) -> bool {
    !part.is_empty()
        && part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-./".contains(&b))
}

fn first(text: &str) -> &str {
    text.split(':').next().unwrap_or_default()
}

fn reserved(first: &str) -> bool {
    let first = first.to_ascii_lowercase();
    first.starts_with("mcp") || first.starts_with("openid") || CATEGORIES.contains(&first.as_str())
}

impl Scope {
    /// Reads a name that a connection is to declare.
    ///
    /// # Errors
    /// When it is no scope, holds a wildcard, or begins with a name that the platform keeps for itself. What was
    /// declared before the platform took a name stays declared.
    pub fn declare(text: &str) -> Result<Self, ScopeError> {
        let scope = Self::parse(text)?;
        if reserved(first(text)) {
            return Err(ScopeError::Reserved(text.into()));
        }
        Ok(scope)
    }
    /// Reads a plain scope name, at most 128 bytes.
    ///
    /// # Errors
    /// When it is no scope or holds a wildcard.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.contains('*') {
            return Err(ScopeError::Wildcard(text.into()));
        }
        let parts: Vec<&str> = text.split(':').collect();
        if text.len() > 128 || parts.len() < 2 || !parts.iter().all(|part| plain_part(part)) {
            return Err(ScopeError::Shape(text.chars().take(128).collect()));
        }
        Ok(Self(text.into()))
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether one of its parts says that it only reads.
    pub fn reads(&self) -> bool {
        self.0
            .split(':')
            .any(|part| part == "read" || part == "list")
    }
}

/// A scope is found by its text: both are compared and hashed as the same bytes.
impl Borrow<str> for Scope {
    fn borrow(&self) -> &str {
        &self.0
    }
}
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

/// What a ceiling holds: a scope of one connection (CAP-5). A later connection never widens it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeGrant {
    /// The connection that declares the scope.
    pub connection: Id<Connection>,
    /// The declared name.
    pub scope: Scope,
}

/// What a role may name: a scope, or a wildcard in place of its first or last part (`orders:*`, `*:orders`, `read:*`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopePattern(Arc<str>);

impl ScopePattern {
    /// Reads a scope or a pattern.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        let shape = || ScopeError::Shape(text.chars().take(128).collect());
        let parts: Vec<&str> = text.split(':').collect();
        let wild = parts.iter().filter(|part| **part == "*").count();
        let known = parts.iter().all(|part| *part == "*" || plain_part(part));
        if text.len() > 128 || parts.len() < 2 || wild > 1 || !known {
            return Err(shape());
        }
        Ok(Self(text.into()))
    }
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Whether a wildcard stands in it.
    pub fn is_wild(&self) -> bool {
        self.0.contains('*')
    }
    /// Whether it begins with a name that the platform keeps for itself, so that nothing new can be declared under it.
    pub fn is_reserved(&self) -> bool {
        reserved(first(&self.0))
    }
    /// Whether it covers this scope.
    pub fn covers(&self, scope: &Scope) -> bool {
        self.covers_text(scope.as_str())
    }
    /// Whether everything that `other` can cover is covered here.
    pub fn includes(&self, other: &ScopePattern) -> bool {
        self == other || (!other.is_wild() && self.covers_text(&other.0))
    }
    fn covers_text(&self, text: &str) -> bool {
        let (mut mine, mut theirs) = (self.0.split(':'), text.split(':'));
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => {}
                (Some(a), Some(b)) if a == b => {}
                _ => return false,
            }
        }
    }
}

impl Serialize for ScopePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}
impl<'de> Deserialize<'de> for ScopePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_not_the_platforms() {
        assert!(Scope::parse("orders:read").is_ok_and(|s| s.reads()));
        assert!(Scope::parse("read:orders").is_ok_and(|s| s.reads()));
        assert!(Scope::parse("orders:readonly").is_ok_and(|s| !s.reads()));
        for wrong in [
            "orders",
            "orders:",
            ":read",
            "or ders:read",
            "orders:re\nad",
            "",
            "orders::read",
        ] {
            assert!(
                matches!(Scope::parse(wrong), Err(ScopeError::Shape(_))),
                "{wrong}"
            );
        }
        for kept in [
            "mcp:read",
            "openid:x",
            "agents:read",
            "Agents:read",
            "mcp-x:read",
        ] {
            assert!(
                matches!(Scope::declare(kept), Err(ScopeError::Reserved(_))),
                "{kept}"
            );
            let stored: Scope = serde_json::from_value(kept.into()).unwrap();
            assert_eq!(
                stored.as_str(),
                kept,
                "what was declared before stays readable"
            );
        }
        assert!(matches!(
            Scope::parse("orders:*"),
            Err(ScopeError::Wildcard(_))
        ));
    }

    #[test]
    fn a_pattern_covers_by_part() {
        let orders = ScopePattern::parse("orders:*").unwrap();
        let scope = Scope::parse("orders:read").unwrap();
        assert!(
            orders.covers(&scope) && orders.includes(&ScopePattern::parse("orders:read").unwrap())
        );
        assert!(!orders.covers(&Scope::parse("invoices:read").unwrap()));
        assert!(!orders.includes(&ScopePattern::parse("*:read").unwrap()));
        assert!(ScopePattern::parse("*:*").is_err());
    }
}
