//! Names that people type: canonical forms for comparison, and refusal of look-alikes (DIR-2).
//! Two names that a person could take for one another must not both be registered.

use kernel::limits;
use unicode_normalization::UnicodeNormalization;
use unicode_security::MixedScript;

/// Why a name is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or only spaces.
    #[error("must not be empty")]
    Empty,
    /// More than the limit.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// Control, bidirectional or invisible characters.
    #[error("must not hold control or invisible characters")]
    Invisible,
    /// Letters of several scripts in one word.
    #[error("must not mix letters of several scripts")]
    MixedScripts,
    /// No e-mail address.
    #[error("must be an e-mail address such as `ada@example.com`")]
    Email,
    /// No slug.
    #[error(
        "must hold 2 to 63 of `a` to `z`, `0` to `9` and `-`, and begin and end with a letter or digit"
    )]
    Slug,
    /// No audience.
    #[error(
        "must be an absolute URL such as `https://orders.example.com`, without user, query, fragment or wildcard"
    )]
    Audience,
}

fn invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}')
        || ('\u{200b}'..='\u{200f}').contains(&c)
        || ('\u{2028}'..='\u{202e}').contains(&c)
        || ('\u{2060}'..='\u{206f}').contains(&c)
}

/// A display name as given, trimmed, and the form by which it is unique: NFKC, lower case, single spaces.
///
/// # Errors
/// When it is empty, too long, holds invisible characters or mixes scripts within a word.
pub fn display(text: &str) -> Result<(String, String), NameError> {
    let shown: String = text.trim().nfc().collect();
    if shown.is_empty() {
        return Err(NameError::Empty);
    }
    if shown.chars().count() > limits::NAME_CHARS {
        return Err(NameError::TooLong(limits::NAME_CHARS));
    }
    if shown.chars().any(invisible) {
        return Err(NameError::Invisible);
    }
    let key = fold(&shown);
    if !key.split(' ').all(|word| word.is_single_script()) {
        return Err(NameError::MixedScripts);
    }
    Ok((shown, key))
}

fn fold(text: &str) -> String {
    let lower: String = text
        .nfkc()
        .collect::<String>()
        .to_lowercase()
        .nfkc()
        .collect();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An e-mail address as given and the form by which it is unique: NFKC and lower case.
///
/// # Errors
/// When it has no address's shape, is too long, or holds invisible or mixed letters.
pub fn email(text: &str) -> Result<(String, String), NameError> {
    let shown = text.trim().to_owned();
    let key = fold(&shown);
    let (local, host) = key.rsplit_once('@').ok_or(NameError::Email)?;
    let host_ok = host.contains('.')
        && host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
    if shown.chars().any(invisible) {
        return Err(NameError::Invisible);
    }
    let strange = |c: char| c.is_whitespace() || "@\"<>()[],;:\\".contains(c);
    if local.is_empty()
        || local.len() > 64
        || key.len() > 254
        || !host_ok
        || local.contains(strange)
    {
        return Err(NameError::Email);
    }
    if !local.is_single_script() || !host.split('.').all(|label| label.is_single_script()) {
        return Err(NameError::MixedScripts);
    }
    Ok((shown, key))
}

/// An organization's slug.
///
/// # Errors
/// When it is not 2 to 63 lower-case letters, digits and inner hyphens.
pub fn slug(text: &str) -> Result<String, NameError> {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let edges = !text.starts_with('-') && !text.ends_with('-');
    let reserved = text.starts_with("org_") || text.starts_with("xn--");
    if !plain || !edges || reserved || !(2..=limits::SLUG_CHARS).contains(&text.len()) {
        return Err(NameError::Slug);
    }
    Ok(text.to_owned())
}

/// An audience in canonical form: an absolute `https`, `http` or `urn` identifier, compared exactly (CAP-5).
///
/// # Errors
/// When it is no absolute URL or carries user, query, fragment or a wildcard.
pub fn audience(text: &str) -> Result<String, NameError> {
    let url = url::Url::parse(text).map_err(|_| NameError::Audience)?;
    let plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        && !text.contains('*')
        && text.len() <= 512;
    let known = match url.scheme() {
        "https" | "http" => url.has_host(),
        "urn" => !url.path().is_empty(),
        _ => false,
    };
    if !plain || !known || text.chars().any(|c| invisible(c) || c.is_whitespace()) {
        return Err(NameError::Audience);
    }
    let canonical = url.to_string();
    // `https://h` and `https://h/` name the same thing (RFC 3986 section 6.2.3); the shorter form is kept.
    let bare = url.path() == "/" && url.scheme() != "urn";
    Ok(if bare {
        canonical.trim_end_matches('/').to_owned()
    } else {
        canonical
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_has_one_address() {
        let key = |text: &str| email(text).map(|(_, key)| key);
        assert_eq!(key("Ada@Example.COM"), key("ada@example.com"));
        assert_eq!(key("ada@example.com"), Ok("ada@example.com".into()));
        assert_eq!(
            key("\u{ff41}da@example.com"),
            key("ada@example.com"),
            "full width"
        );
        assert_eq!(
            key("\u{430}da@example.com"),
            Err(NameError::MixedScripts),
            "Cyrillic a"
        );
        assert_eq!(key("a\u{200d}da@example.com"), Err(NameError::Invisible));
        for wrong in [
            "ada",
            "ada@",
            "@example.com",
            "a b@example.com",
            "ada@localhost",
            "a@b@c.d,",
            "ada@-x.com",
        ] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn audiences_are_canonical() {
        assert_eq!(
            audience("HTTPS://Orders.Example.com/"),
            Ok("https://orders.example.com".into())
        );
        assert_eq!(audience("https://h:443/a/../b"), Ok("https://h/b".into()));
        assert_eq!(audience("urn:api"), Ok("urn:api".into()));
        for wrong in [
            "orders",
            "https://*.example.com",
            "https://u@h",
            "https://h?q",
            "https://h#f",
            "javascript:x",
            "",
        ] {
            assert_eq!(audience(wrong), Err(NameError::Audience), "{wrong}");
        }
    }

    #[test]
    fn slugs_and_names() {
        assert!(slug("acme-2").is_ok());
        for wrong in ["a", "Acme", "-acme", "acme-", "ac me", "ácme", "xn--a"] {
            assert!(slug(wrong).is_err(), "{wrong}");
        }
        assert_eq!(display("  Order  Bot ").unwrap().1, "order bot");
        assert!(display("p\u{430}ypal").is_err());
        assert_eq!(display("x\u{202e}y"), Err(NameError::Invisible));
    }
}
