//! What an entry is found by: its type, actor, resource and agent, and the words of its clear values, each as 64 bits
//! of a digest. Sealed values have no words, and neither have times. Two values with one term are told apart by the rows.

use crate::log::digest;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// One word or value of one field.
pub(super) type Term = u64;

/// Words are compared by this many characters.
const WORD_CHARS: usize = 64;

/// What a value is a value of; each has terms of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    Kind = b't',
    Actor = b'a',
    Resource = b'r',
    Agent = b'g',
    Word = b'w',
}

/// The term of a value.
pub(super) fn term(field: Field, value: &[u8]) -> Term {
    let mut bytes = Vec::with_capacity(value.len() + 1);
    bytes.push(field as u8);
    bytes.extend_from_slice(value);
    let [a, b, c, d, e, f, g, h, ..] = digest(&bytes);
    Term::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Words that all must occur in an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words(BTreeSet<String>);

impl Words {
    /// The words of a text; none when it has no letter and no digit.
    pub fn of(text: &str) -> Option<Self> {
        let mut words = BTreeSet::new();
        split(text, &mut words);
        (!words.is_empty()).then_some(Self(words))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Whether each occurs in an entry with this body.
    pub(super) fn occur(&self, body: &[u8]) -> bool {
        // Most entries are passed over without being taken apart.
        if let Ok(text) = str::from_utf8(body)
            && text.is_ascii()
        {
            let text = text.to_ascii_lowercase();
            if !text.contains("\\u") && self.0.iter().any(|word| !text.contains(word.as_str())) {
                return false;
            }
        }
        self.0.is_subset(&words(body))
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    pub(super) fn terms(&self) -> impl Iterator<Item = Term> {
        let word = |word: &String| term(Field::Word, word.as_bytes());
        self.0.iter().map(word)
    }
}

/// The words of an entry's clear values.
pub(super) fn words(body: &[u8]) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    if let Ok(body) = serde_json::from_slice(body) {
        gather(&body, &mut words);
    }
    words
}

fn gather(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => split(text, words),
        Value::Array(items) => items.iter().for_each(|item| gather(item, words)),
        Value::Object(members) if !is_sealed(members) => {
            let clear = members.iter().filter(|(name, _)| !is_time(name));
            clear.for_each(|(_, value)| gather(value, words));
        }
        _ => {}
    }
}

/// As `domain::entry::Sealed` is written.
fn is_sealed(members: &Map<String, Value>) -> bool {
    let text = |name| members.get(name).is_some_and(Value::is_string);
    members.len() == 2 && text("c") && text("k")
}

fn is_time(name: &str) -> bool {
    name == "timestamp" || name.ends_with("_at")
}

/// A word is letters, digits and `_`, in lower case, so that an identifier is one.
fn split(text: &str, words: &mut BTreeSet<String>) {
    let words_of = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    for word in words_of.filter(|word| !word.is_empty()) {
        let lower = word.chars().flat_map(char::to_lowercase);
        let word: String = lower.take(WORD_CHARS).collect();
        if word.chars().any(char::is_alphanumeric) && !words.contains(&word) {
            words.insert(word);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_values_have_words_and_sealed_ones_and_times_have_none() {
        let body = br#"{"action":{"details":{"after":{"scope":"orders:read Stra\u00dfe","expires_at":"2026-01-01T00:00:00Z"}}},
            "actor":{"ip_address":{"c":"QUJD","k":"usr_secret"},"user_id":"agt_01AB"},"v":1,"timestamp":"2025-01-01T00:00:00Z"}"#;
        let found: Vec<_> = words(body).into_iter().collect();
        assert_eq!(found, ["agt_01ab", "orders", "read", "straße"]);
        let all = |text: &str| Words::of(text).unwrap().occur(body);
        assert!(all("READ, agt_01ab!") && !all("read write") && !all("QUJD") && !all("2026"));
        let plain = br#"{"a":"One two","b":{"c":"x","k":"seal"}}"#;
        let in_plain = |text: &str| Words::of(text).unwrap().occur(plain);
        assert!(in_plain("TWO one") && !in_plain("wo") && !in_plain("seal") && !in_plain("zwei"));
        // A letter that is none of ASCII and is written so in lower case.
        let kelvin = "{\"a\":\"\u{212a}elvin\"}".as_bytes();
        assert!(Words::of("kelvin").unwrap().occur(kelvin));
        assert!(Words::of(" -_./ ").is_none());
        assert!(words(b"not json").is_empty());
    }

    #[test]
    fn a_field_has_terms_of_its_own_and_long_words_are_cut_alike() {
        assert_ne!(term(Field::Kind, b"a"), term(Field::Word, b"a"));
        let long = "x".repeat(100);
        assert_eq!(Words::of(&long), Words::of(&"X".repeat(64)));
    }
}
