//! A strict JSON reader: an object of bounded depth in which no name comes twice and no text holds NUL.
//! It knows no schema; what a field means is read later.

use kernel::{Code, limits};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use service::{Error, Result};
use std::fmt;

/// Reads an object.
///
/// # Errors
/// `malformed_body` with line and column; `invalid_input` naming a repeated, too deep or unusable field.
pub(crate) fn object(bytes: &[u8]) -> Result<Map<String, Value>> {
    within(bytes, limits::JSON_DEPTH)
}

/// The same for what nests by its nature: operators of a model inside each other.
///
/// # Errors
/// As `object`.
pub(crate) fn deep(bytes: &[u8]) -> Result<Map<String, Value>> {
    within(bytes, 3 * limits::MODEL_NESTING + limits::JSON_DEPTH)
}

fn within(bytes: &[u8], most: usize) -> Result<Map<String, Value>> {
    let mut reading = Reading {
        most,
        path: Vec::new(),
        fault: None,
    };
    let mut source = serde_json::Deserializer::from_slice(bytes);
    let read = Seed {
        reading: &mut reading,
        depth: 1,
    }
    .deserialize(&mut source);
    let read = read.and_then(|value| source.end().map(|()| value));
    match read {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Error::new(
            Code::MalformedBody,
            "the body must be a JSON object",
        )),
        Err(error) => Err(reading.fault.unwrap_or_else(|| malformed(&error))),
    }
}

fn malformed(error: &serde_json::Error) -> Error {
    let place = format!(
        "the body is not JSON at line {} column {}",
        error.line(),
        error.column()
    );
    Error::new(Code::MalformedBody, place)
}

/// Where the reader is, and what it refused.
struct Reading {
    most: usize,
    path: Vec<String>,
    fault: Option<Error>,
}

impl Reading {
    /// Refuses the present place; the parser is stopped with an error that nobody sees.
    fn refuse<E: serde::de::Error>(&mut self, code: &str, detail: impl Into<String>) -> E {
        self.fault = Some(Error::field(&self.path.join("."), code, detail));
        E::custom("refused")
    }
}

struct Seed<'a> {
    reading: &'a mut Reading,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Value, D::Error> {
        source.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn check_depth<E: serde::de::Error>(&mut self) -> Result<(), E> {
        let most = self.reading.most;
        if self.depth <= most {
            return Ok(());
        }
        let detail = format!("is nested deeper than {most} levels");
        Err(self.reading.refuse("invalid", detail))
    }
    fn inner(&mut self) -> Seed<'_> {
        Seed {
            depth: self.depth + 1,
            reading: self.reading,
        }
    }
    fn check_text<E: serde::de::Error>(&mut self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            Err(self
                .reading
                .refuse("invalid", "must not hold a NUL character"))
        } else {
            Ok(())
        }
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("no number"))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_str<E: serde::de::Error>(mut self, text: &str) -> Result<Value, E> {
        self.check_text(text)?;
        Ok(Value::String(text.to_owned()))
    }
    fn visit_string<E: serde::de::Error>(mut self, text: String) -> Result<Value, E> {
        self.check_text(&text)?;
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut read = Vec::new();
        loop {
            self.reading.path.push(read.len().to_string());
            let Some(item) = items.next_element_seed(self.inner())? else {
                break;
            };
            self.reading.path.pop();
            read.push(item);
        }
        self.reading.path.pop();
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut read = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            self.reading.path.push(name.clone());
            if read.contains_key(&name) {
                return Err(self.reading.refuse("repeated", "comes twice; send it once"));
            }
            self.check_text(&name)?;
            let value = fields.next_value_seed(self.inner())?;
            self.reading.path.pop();
            read.insert(name, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (Code, String) {
        let error = object(text.as_bytes()).unwrap_err();
        (
            error.code,
            error
                .errors
                .first()
                .map(|field| field.field.clone())
                .unwrap_or_default(),
        )
    }

    #[test]
    fn objects_are_read_as_they_are() {
        let text = r#"{"a":1,"b":[true,null,-2,1.5,"x"],"c":{"d":{}}}"#;
        assert_eq!(
            Value::Object(object(text.as_bytes()).unwrap()).to_string(),
            text
        );
    }

    #[test]
    fn repeated_names_are_refused_wherever_they_are() {
        assert_eq!(fault(r#"{"a":1,"a":1}"#), (Code::InvalidInput, "a".into()));
        assert_eq!(
            fault(r#"{"a":[{},{"b":{"c":1,"c":2}}]}"#),
            (Code::InvalidInput, "a.1.b.c".into())
        );
        assert_eq!(
            fault(r#"{"a":1,"\u0061":2}"#),
            (Code::InvalidInput, "a".into())
        );
    }

    #[test]
    fn depth_is_bounded() {
        let nested =
            |levels: usize| format!("{}{}{}", r#"{"a":"#.repeat(levels), 1, "}".repeat(levels));
        assert!(object(nested(limits::JSON_DEPTH).as_bytes()).is_ok());
        assert_eq!(fault(&nested(limits::JSON_DEPTH + 1)).0, Code::InvalidInput);
        assert_eq!(fault(&"[".repeat(100_000)).0, Code::InvalidInput);
    }

    #[test]
    fn what_is_no_json_names_the_place() {
        let error = object(b"{\n \"a\": tru}").unwrap_err();
        assert_eq!(error.code, Code::MalformedBody);
        assert!(error.detail.contains("line 2 column"), "{}", error.detail);
        for text in [
            "[]",
            "1",
            "",
            "{} {}",
            "{\"a\":1e999}",
            "{\"a\":NaN}",
            "\"\\ud800\"",
        ] {
            assert_eq!(fault(text).0, Code::MalformedBody, "{text}");
        }
        assert!(object(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn nul_is_no_text() {
        assert_eq!(
            fault(r#"{"a":["b\u0000"]}"#),
            (Code::InvalidInput, "a.0".into())
        );
    }
}
