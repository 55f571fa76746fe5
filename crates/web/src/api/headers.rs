//! Request headers of the management API. Each is sent once, in one spelling, or refused; none is guessed.

use http::HeaderMap;
use kernel::{limit, limits};
use service::{Error, Result};

/// The value of a header that may come once.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>> {
    let mut sent = headers.get_all(name).iter();
    match (sent.next(), sent.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .to_str()
            .map(Some)
            .map_err(|_| Error::invalid(name, "must be visible ASCII")),
        (Some(_), Some(_)) => Err(Error::field(name, "repeated", "comes twice; send it once")),
    }
}

/// The version that the caller has read: `"7"` or `7`.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<u64>> {
    let wrong = || {
        Error::invalid(
            "If-Match",
            "must be the version that was read, such as `\"7\"`",
        )
    };
    let quoted = |text: &str| {
        text.strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
            .map(str::to_owned)
    };
    one(headers, "If-Match")?
        .map(|text| number(&quoted(text).unwrap_or_else(|| text.to_owned())).ok_or_else(wrong))
        .transpose()
}

/// The revision that the caller has seen.
pub(crate) fn at_least(headers: &HeaderMap) -> Result<Option<u64>> {
    let name = "Cardea-At-Least";
    let wrong = || Error::invalid(name, "must be a revision as `Cardea-Revision` gave it");
    one(headers, name)?
        .map(|text| number(text).ok_or_else(wrong))
        .transpose()
}

/// The key under which the request happens once.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>> {
    let name = "Idempotency-Key";
    let Some(text) = one(headers, name)? else {
        return Ok(None);
    };
    let usable = text.bytes().all(|b| b.is_ascii_graphic())
        && (1..=limits::IDEMPOTENCY_KEY_CHARS).contains(&text.len());
    let wrong = || {
        Error::invalid(
            name,
            format!(
                "must be 1 to {} visible characters",
                limits::IDEMPOTENCY_KEY_CHARS
            ),
        )
        .at(limit!(IDEMPOTENCY_KEY_CHARS))
    };
    if usable {
        Ok(Some(text.to_owned()))
    } else {
        Err(wrong())
    }
}

fn number(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn versions_are_numbers() {
        let read = |values: &[&str]| {
            if_match(&with("if-match", values)).map_err(|error| error.errors[0].code.clone())
        };
        assert_eq!(read(&["\"7\""]), Ok(Some(7)));
        assert_eq!(read(&["7"]), Ok(Some(7)));
        assert_eq!(read(&[]), Ok(None));
        for wrong in ["*", "W/\"7\"", "\"a\"", "-1", "+1", "", "\"1\", \"2\""] {
            assert_eq!(read(&[wrong]), Err("invalid".into()), "{wrong}");
        }
        assert_eq!(read(&["1", "2"]), Err("repeated".into()));
    }

    #[test]
    fn keys_are_bounded_and_visible() {
        let read = |value: &str| idempotency_key(&with("idempotency-key", &[value]));
        assert_eq!(read("a-1"), Ok(Some("a-1".into())));
        for wrong in ["", "a b", &"k".repeat(limits::IDEMPOTENCY_KEY_CHARS + 1)] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
