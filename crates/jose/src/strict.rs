//! The strict readings that JOSE asks for: canonical base64url and JSON without repeated members.
//! Never repairs its input; two readers of one token must not see two different things.

use crate::Error;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::cell::Cell;
use std::collections::HashSet;

/// Decodes base64url, refusing padding, white space and non-zero trailing bits.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::Encoding)
}

/// Encodes as base64url without padding (RFC 7515 section 2).
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends the base64url text of `bytes` to `out` without another allocation.
pub(crate) fn encode_into(bytes: &[u8], out: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, out);
}

/// Length in characters of `bytes` octets in base64url without padding.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.saturating_mul(4).div_ceil(3)
}

/// Checks that `json` is one object in which no object, at any depth, repeats a member.
/// Anything else that is wrong gives `otherwise`.
pub(crate) fn require_object(json: &[u8], otherwise: Error) -> Result<(), Error> {
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(otherwise);
    }
    let repeated = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let read = Node(&repeated).deserialize(&mut reader);
    match read.and_then(|()| reader.end()) {
        Ok(()) => Ok(()),
        Err(_) if repeated.get() => Err(Error::DuplicateMember),
        Err(_) => Err(otherwise),
    }
}

/// Walks any JSON value, keeping nothing but the member names of the objects it is inside of.
#[derive(Clone, Copy)]
struct Node<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("json without repeated members")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name) {
                self.0.set(true);
                return Err(A::Error::custom("repeated member"));
            }
            members.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_members_are_found_at_any_depth_and_in_any_spelling() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":[{"b":null,"c":1.5,"b":true}]}"#,
        ] {
            let read = require_object(json.as_bytes(), Error::ClaimsNotObject);
            assert_eq!(read, Err(Error::DuplicateMember), "{json}");
        }
    }

    #[test]
    fn objects_pass_and_all_else_does_not() {
        let read = |json: &str| require_object(json.as_bytes(), Error::ClaimsNotObject);
        assert_eq!(read(r#" {"a":{"a":[-1,2,{"a":"x"}]},"A":1} "#), Ok(()));
        for json in [
            "",
            "[]",
            "1",
            "null",
            "{",
            "{} {}",
            r#"{"a":01}"#,
            "{\"a\":\"\u{1}\"}",
        ] {
            assert_eq!(read(json), Err(Error::ClaimsNotObject), "{json}");
        }
        let deep = format!("{}1{}", r#"{"a":"#.repeat(5000), "}".repeat(5000));
        assert_eq!(read(&deep), Err(Error::ClaimsNotObject));
    }

    #[test]
    fn only_the_canonical_base64url_text_is_read() {
        assert_eq!(decode("_w"), Ok(vec![255]));
        for text in ["_w==", "_x", "/w", "_w\n", " _w", "_", "_w."] {
            assert_eq!(decode(text), Err(Error::Encoding), "{text}");
        }
        for len in 0..40 {
            assert_eq!(encode(&vec![7; len]).len(), encoded_len(len));
        }
    }
}
