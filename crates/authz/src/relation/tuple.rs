//! Relation tuples and their parts as text: `document:1`, `group:eng#member`, `user:*`. Names are compared byte by
//! byte; nothing is folded, trimmed or normalized. Whether a model allows a tuple is decided elsewhere.

use super::Context;
use kernel::Timestamp;
use kernel::limits::{RELATION_NAME_CHARS, TUPLE_OBJECT_BYTES};
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

/// One object: its type and its id within the type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object<'a> {
    /// The type, without a colon.
    pub type_name: &'a str,
    /// The id. `*` is no id.
    pub id: &'a str,
}

/// Who is in a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject<'a> {
    /// One object.
    Object(Object<'a>),
    /// Every object of a type.
    Wildcard(&'a str),
    /// Whoever is in a relation of an object.
    Userset(Object<'a>, &'a str),
}

/// What makes a tuple the same tuple: `object#relation@subject`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TupleKey<'a> {
    /// The object.
    pub object: Object<'a>,
    /// Its relation.
    pub relation: &'a str,
    /// Who is in it.
    pub subject: Subject<'a>,
}

/// A tuple: a key, and what limits it.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuple<'a> {
    /// The key.
    pub key: TupleKey<'a>,
    /// The condition under which it counts, by name.
    pub condition: Option<&'a str>,
    /// Values for the condition.
    pub context: Option<Arc<Context>>,
    /// The moment from which it counts.
    pub valid_from: Option<Timestamp>,
    /// The moment from which it no longer counts.
    pub valid_until: Option<Timestamp>,
}

/// Why a text is no part of a tuple, or a tuple is not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TupleError {
    /// Not the form of an object.
    #[error("`{0}` is not an object: write `type:id`")]
    Object(String),
    /// Not the form of a subject.
    #[error("`{0}` is not a subject: write `type:id`, `type:*` or `type:id#relation`")]
    Subject(String),
    /// Not the form of a relation.
    #[error("`{0}` is not the name of a relation")]
    Relation(String),
    /// The model has no such type.
    #[error("type `{0}` is not in the model")]
    UnknownType(String),
    /// The type has no such relation.
    #[error("type `{0}` has no relation `{1}` in the model")]
    UnknownRelation(String, String),
    /// The relation does not allow such a subject, or not with this condition.
    #[error("`{0}` is not among the types that relation `{1}` may name")]
    Restricted(String, String),
    /// It would never count.
    #[error("the tuple ends before it begins")]
    Empty,
    /// The store knows too many names.
    #[error("the store has no room for another name or object")]
    Full,
}

fn clean(part: &str) -> bool {
    let good = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '#' | ':');
    let plain = |b: u8| b.is_ascii_graphic() && !matches!(b, b'#' | b':');
    !part.is_empty() && (part.bytes().all(plain) || part.chars().all(good))
}

/// What a refusal may repeat of a text that somebody sent.
fn quoted(text: &str) -> String {
    let start = text.chars().take(80);
    start.flat_map(char::escape_debug).collect()
}

impl<'a> Object<'a> {
    /// Reads `type:id`.
    pub fn parse(text: &'a str) -> Result<Self, TupleError> {
        let wrong = || TupleError::Object(quoted(text));
        let (type_name, id) = text.split_once(':').ok_or_else(wrong)?;
        let good = text.len() <= TUPLE_OBJECT_BYTES && clean(type_name) && clean(id) && id != "*";
        good.then_some(Self { type_name, id }).ok_or_else(wrong)
    }
}

impl<'a> Subject<'a> {
    /// Reads `type:id`, `type:*` or `type:id#relation`.
    pub fn parse(text: &'a str) -> Result<Self, TupleError> {
        let wrong = |_| TupleError::Subject(quoted(text));
        if let Some((object, relation)) = text.split_once('#') {
            let object = Object::parse(object).map_err(wrong)?;
            relation_name(relation).map_err(wrong)?;
            return Ok(Self::Userset(object, relation));
        }
        match text.strip_suffix(":*") {
            Some(of) if clean(of) && text.len() <= TUPLE_OBJECT_BYTES => Ok(Self::Wildcard(of)),
            _ => Ok(Self::Object(Object::parse(text).map_err(wrong)?)),
        }
    }

    /// The type that it is of.
    pub const fn type_name(&self) -> &'a str {
        match self {
            Self::Object(object) | Self::Userset(object, _) => object.type_name,
            Self::Wildcard(type_name) => type_name,
        }
    }
}

fn relation_name(text: &str) -> Result<&str, TupleError> {
    let good = clean(text) && text.chars().count() <= RELATION_NAME_CHARS;
    good.then_some(text)
        .ok_or_else(|| TupleError::Relation(quoted(text)))
}

impl<'a> TupleKey<'a> {
    /// Reads the three parts.
    pub fn parse(object: &'a str, relation: &'a str, subject: &'a str) -> Result<Self, TupleError> {
        Ok(Self {
            object: Object::parse(object)?,
            relation: relation_name(relation)?,
            subject: Subject::parse(subject)?,
        })
    }

    /// The tuple of this key that always counts.
    pub const fn always(self) -> Tuple<'a> {
        Tuple {
            key: self,
            condition: None,
            context: None,
            valid_from: None,
            valid_until: None,
        }
    }
}

impl Display for Object<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.type_name, self.id)
    }
}

impl Display for Subject<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => object.fmt(f),
            Self::Wildcard(type_name) => write!(f, "{type_name}:*"),
            Self::Userset(object, relation) => write!(f, "{object}#{relation}"),
        }
    }
}

impl Display for TupleKey<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}@{}", self.object, self.relation, self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_and_written() {
        for text in [
            "user:anne",
            "user:*",
            "group:eng#member",
            "user:a@b.c",
            "user:日本",
        ] {
            assert_eq!(Subject::parse(text).unwrap().to_string(), text);
        }
        let key = TupleKey::parse("document:1", "viewer", "group:eng#member").unwrap();
        assert_eq!(key.to_string(), "document:1#viewer@group:eng#member");
    }

    #[test]
    fn hostile_parts_are_refused() {
        let long = format!("user:{}", "x".repeat(TUPLE_OBJECT_BYTES));
        for text in [
            "",
            ":",
            "user",
            "user:",
            ":anne",
            "a:b:c",
            "user:a b",
            "user:a\0",
            "user:a\u{7f}",
            "user:*#x",
            "user:a#",
            "user:a#b#c",
            "user:a\n",
            "*:*:*",
            &long,
        ] {
            assert!(Subject::parse(text).is_err(), "{text:?}");
        }
        assert!(Object::parse("user:*").is_err());
        assert!(Object::parse("group:eng#member").is_err());
        assert!(TupleKey::parse("document:1", "view er", "user:anne").is_err());
    }
}
