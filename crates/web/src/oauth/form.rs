//! A form body, read once: parameters without a value count as left out and none may come twice
//! (RFC 6749 section 3.2). Unknown ones are ignored.

use kernel::limits;
use std::borrow::Cow;
use url::form_urlencoded;

/// The parameters of a request.
pub(crate) struct Form<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Form<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// What is wrong, in words: a repeated parameter, or too many.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, &'static str> {
        let mut read: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::with_capacity(8);
        for (name, value) in body.split(|byte| *byte == b'&').filter_map(pair) {
            if read.iter().any(|(known, _)| *known == name) {
                return Err("a parameter comes twice; send each once");
            }
            if read.len() >= limits::PARAMETERS {
                return Err("too many parameters in one request");
            }
            read.push((name, value));
        }
        Ok(Self(read))
    }

    /// The value of a parameter, given away.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter_mut().find(|(known, _)| known == name)?;
        let value = std::mem::take(value).into_owned();
        (!value.is_empty()).then_some(value)
    }
}

/// A parameter with its value, decoded where there is something to decode: tokens and secrets are long and plain.
fn pair(text: &[u8]) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    let plain = memchr::memchr2(b'%', b'+', text).is_none();
    match str::from_utf8(text) {
        Ok(text) if plain => match text.split_once('=') {
            Some((name, value)) => Some((name.into(), value.into())),
            None => (!text.is_empty()).then(|| (text.into(), "".into())),
        },
        _ => form_urlencoded::parse(text).next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_taken_once() {
        let mut form =
            Form::parse(b"grant_type=client_credentials&scope=a%3Ab+c&client_id=").unwrap();
        assert_eq!(form.take("scope").as_deref(), Some("a:b c"));
        assert_eq!(form.take("client_id"), None, "without a value is left out");
        assert_eq!(form.take("resource"), None);
    }

    #[test]
    fn plain_text_reads_as_encoded_text_does() {
        for body in [
            "",
            "a",
            "a=",
            "=b",
            "&&a=b&",
            "a=b=c",
            "a&b=1",
            "é=ü",
            "a=1&b=%41+",
            "%",
        ] {
            let read = Form::parse(body.as_bytes()).unwrap();
            let known: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
            assert_eq!(read.0, known, "{body}");
        }
    }

    #[test]
    fn repeated_parameters_are_refused() {
        assert!(Form::parse(b"scope=a&scope=a").is_err());
        assert!(
            Form::parse(b"x=1&%78=2").is_err(),
            "the same name in another spelling"
        );
        let many: Vec<String> = (0..=limits::PARAMETERS)
            .map(|n| format!("p{n}=1"))
            .collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
    }
}
