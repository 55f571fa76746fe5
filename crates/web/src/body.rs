//! Reads request bodies: of one media type, as they are, bounded in size and time. It does not read what is in them, and
//! nothing here or behind it unpacks anything.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kernel::{
    Code,
    limits::{self, Limit},
};
use service::{Error, Result};
use std::time::Duration;

/// How long a client may take for what `limits::PATIENCE` bounds.
pub(crate) const fn patience() -> Duration {
    Duration::from_secs(limits::PATIENCE.as_seconds().unsigned_abs())
}

/// The whole body, at most so many bytes.
///
/// # Errors
/// `unsupported_media_type` when it is packed; `body_too_large`; `malformed_body` when it breaks off or takes too long.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: Limit) -> Result<Bytes> {
    if !is_plain(headers) {
        let detail =
            "a body with a `Content-Encoding` is not read; send it as it is, without compression";
        return Err(Error::new(Code::UnsupportedMediaType, detail));
    }
    let broken = |text| Error::new(Code::MalformedBody, text);
    let most = usize::try_from(limit.value).unwrap_or(usize::MAX);
    match tokio::time::timeout(patience(), Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Error::new(
            Code::BodyTooLarge,
            format!("the body may have at most {} bytes", limit.value),
        )
        .at(limit)),
        Ok(Err(_)) => Err(broken("the body broke off; send it whole")),
        Err(_) => Err(broken("the body took too long to arrive; send it at once")),
    }
}

/// Whether the request says nothing of an encoding: a few bytes that unpack to gigabytes are refused unread (RFC 9110
/// section 15.5.16).
fn is_plain(headers: &HeaderMap) -> bool {
    let mut named = headers.get_all(header::CONTENT_ENCODING).iter();
    named.all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether the request says that its body is of this media type, in UTF-8.
pub(crate) fn is_of_type(headers: &HeaderMap, wanted: &str) -> bool {
    let mut named = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (named.next(), named.next()) else {
        return false;
    };
    let Ok(text) = value.to_str() else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case(wanted));
    let utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, charset)) if name.eq_ignore_ascii_case("charset") => {
            charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    essence && parts.all(utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::CONTENT_TYPE, value.parse().unwrap());
        }
        is_of_type(&headers, "application/json")
    }

    #[test]
    fn only_the_wanted_type_in_utf8_is_read() {
        assert!(json(&["application/json"]));
        assert!(json(&["Application/JSON; charset=UTF-8"]));
        assert!(!json(&["text/plain"]));
        assert!(!json(&["application/jsonx"]));
        assert!(!json(&["application/json; charset=utf-16"]));
        assert!(!json(&["application/json", "text/plain"]));
        assert!(!json(&[]));
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused() {
        let five = || Limit::new("five", 5usize);
        let read =
            async |text: &'static str| read(&HeaderMap::new(), Body::from(text), five()).await;
        assert_eq!(read("12345").await.unwrap(), "12345");
        assert_eq!(read("123456").await.unwrap_err().code, Code::BodyTooLarge);
    }
}
