//! Puts an input together from path, query and body. Each field comes from one place, once; text is read as the
//! kind that the operation's schema names, and what cannot be read so is refused.

use super::route::{Kind, Placed, Route};
use kernel::{limit, limits};
use serde_json::{Map, Value};
use service::{Error, Result};
use url::form_urlencoded;

/// The input of an operation.
///
/// # Errors
/// `invalid_input` naming the field that comes twice, from the wrong place, or cannot be read.
pub(crate) fn collect(
    route: &Route,
    placed: &Placed<'_>,
    query: Option<&str>,
    body: Map<String, Value>,
) -> Result<Map<String, Value>> {
    let mut input = body;
    let query = query.unwrap_or_default();
    if route.meta.method.has_body() {
        refuse_query(query)?;
    } else {
        read_query(route, query, &mut input)?;
    }
    for (name, text) in &placed.fields {
        if input.contains_key(*name) {
            return Err(Error::field(
                name,
                "unknown",
                "is named by the path; remove it",
            ));
        }
        input.insert((*name).to_owned(), read(route, name, text)?);
    }
    Ok(input)
}

/// What changes something takes its fields from the body, so that no secret is ever in a URL.
fn refuse_query(query: &str) -> Result<()> {
    match form_urlencoded::parse(query.as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(Error::field(
            &name,
            "unknown",
            "is no query parameter here; send it in the body",
        )),
    }
}

fn read_query(route: &Route, query: &str, input: &mut Map<String, Value>) -> Result<()> {
    for (place, (name, text)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
        if place >= limits::PARAMETERS {
            return Err(Error::invalid(
                "",
                format!("a query may have at most {} parameters", limits::PARAMETERS),
            )
            .at(limit!(PARAMETERS)));
        }
        if text.contains('\0') || name.contains('\0') {
            return Err(Error::invalid(&name, "must not hold a NUL character"));
        }
        let value = read(route, &name, &text)?;
        if input.insert(name.to_string(), value).is_some() {
            return Err(Error::field(&name, "repeated", "comes twice; send it once"));
        }
    }
    Ok(())
}

fn read(route: &Route, name: &str, text: &str) -> Result<Value> {
    let kind = route.kinds.get(name).unwrap_or(&Kind::Text);
    coerce(kind, text)
        .ok_or_else(|| Error::field(name, "wrong_type", format!("must be {}", wanted(kind))))
}

const fn wanted(kind: &Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Integer => "a whole number",
        Kind::Number => "a number",
        Kind::Boolean => "`true` or `false`",
        Kind::List(_) => "a list divided by commas",
    }
}

fn coerce(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Text => Some(text.into()),
        Kind::Integer => match text.parse::<u64>() {
            Ok(number) => Some(number.into()),
            Err(_) => text.parse::<i64>().ok().map(Value::from),
        },
        Kind::Number => text
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number),
        Kind::Boolean => text.parse::<bool>().ok().map(Value::Bool),
        Kind::List(_) if text.is_empty() => Some(Value::Array(Vec::new())),
        Kind::List(items) => text
            .split(',')
            .map(|item| coerce(items, item))
            .collect::<Option<Vec<_>>>()
            .map(Value::Array),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_read_as_its_kind() {
        let list = Kind::List(Box::new(Kind::Integer));
        assert_eq!(coerce(&Kind::Integer, "200"), Some(json!(200)));
        assert_eq!(coerce(&Kind::Integer, "-1"), Some(json!(-1)));
        assert_eq!(coerce(&Kind::Boolean, "true"), Some(json!(true)));
        assert_eq!(coerce(&Kind::Number, "0.5"), Some(json!(0.5)));
        assert_eq!(coerce(&Kind::Text, "12"), Some(json!("12")));
        assert_eq!(coerce(&list, "1,2"), Some(json!([1, 2])));
        assert_eq!(coerce(&list, ""), Some(json!([])));
    }

    #[test]
    fn other_text_is_refused() {
        for wrong in [
            "",
            " 1",
            "1 ",
            "1.0",
            "0x1",
            "1e3",
            "NaN",
            "99999999999999999999",
        ] {
            assert_eq!(coerce(&Kind::Integer, wrong), None, "{wrong}");
        }
        for wrong in ["", "1", "yes", "True"] {
            assert_eq!(coerce(&Kind::Boolean, wrong), None, "{wrong}");
        }
        assert_eq!(coerce(&Kind::Number, "inf"), None);
        assert_eq!(coerce(&Kind::List(Box::new(Kind::Integer)), "1,x"), None);
    }

    #[test]
    fn writes_take_nothing_from_the_query() {
        assert!(refuse_query("").is_ok());
        assert_eq!(
            refuse_query("secret=x").unwrap_err().errors[0].field,
            "secret"
        );
    }
}
