//! The `Authorization` header at the OAuth endpoints: HTTP Basic with form-encoded parts (RFC 6749 section 2.3.1)
//! or a bearer token. Anything else is a failed authentication.

use crate::auth;
use base64::{Engine, engine::general_purpose::STANDARD as B64};
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use service::oauth::Basic;

/// What the header holds.
pub(crate) enum Authorization {
    /// No header.
    Absent,
    /// A client's id and secret.
    Client(Basic),
    /// A token.
    Bearer(String),
    /// Another scheme, several headers, or something unreadable.
    Unusable,
}

impl Authorization {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let value = match (sent.next(), sent.next()) {
            (None, _) => return Self::Absent,
            (Some(value), None) => value.to_str().unwrap_or_default(),
            (Some(_), Some(_)) => return Self::Unusable,
        };
        if let Some(token) = auth::bearer(headers) {
            return Self::Bearer(token.to_owned());
        }
        let basic = value
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        basic
            .and_then(|(_, encoded)| decode(encoded.trim()))
            .map_or(Self::Unusable, Self::Client)
    }

    pub(crate) const fn client(&self) -> Option<&Basic> {
        match self {
            Self::Client(basic) => Some(basic),
            _ => None,
        }
    }
}

fn decode(encoded: &str) -> Option<Basic> {
    let pair = String::from_utf8(B64.decode(encoded).ok()?).ok()?;
    let (client_id, client_secret) = pair.split_once(':')?;
    Some(Basic {
        client_id: part(client_id)?,
        client_secret: part(client_secret)?,
    })
}

/// Undoes `application/x-www-form-urlencoded` of one part.
fn part(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .ok()
        .map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        Authorization::of(&headers)
            .client()
            .map(|basic| (basic.client_id.clone(), basic.client_secret.clone()))
    }

    fn pair(text: &str) -> Option<(String, String)> {
        read(&format!("Basic {}", B64.encode(text)))
    }

    #[test]
    fn both_parts_are_form_decoded() {
        assert_eq!(
            pair("agt_1:s%3Ae+c%25"),
            Some(("agt_1".into(), "s:e c%".into()))
        );
        assert_eq!(pair("a%3Ab:c:d"), Some(("a:b".into(), "c:d".into())));
        assert_eq!(pair("agt_1:"), Some(("agt_1".into(), String::new())));
        assert_eq!(read("bAsIc YTpi"), Some(("a".into(), "b".into())));
    }

    #[test]
    fn what_cannot_be_read_is_no_client() {
        assert_eq!(pair("agt_1"), None, "no colon");
        assert_eq!(pair("a:%ff"), None, "no UTF-8");
        assert_eq!(read("Basic !!!"), None);
        assert_eq!(read("Digest YTpi"), None);
        let mut twice = HeaderMap::new();
        twice.append(header::AUTHORIZATION, "Basic YTpi".parse().unwrap());
        twice.append(header::AUTHORIZATION, "Basic YTpi".parse().unwrap());
        assert!(matches!(Authorization::of(&twice), Authorization::Unusable));
    }
}
