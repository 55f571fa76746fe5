//! Texts that people and agents bring: bounded, and without what a database or a log cannot hold. What they mean
//! is nobody's business here.

use crate::{Error, Result};
use kernel::{limit, limits};

/// Free text such as a purpose or a reason: at most 2,000 characters, without NUL.
///
/// # Errors
/// `invalid_input` on the field.
pub(crate) fn free(field: &str, text: Option<&str>) -> Result<()> {
    let text = text.unwrap_or_default();
    if text.chars().count() > limits::TEXT_CHARS {
        let detail = format!("must have at most {} characters", limits::TEXT_CHARS);
        return Err(Error::invalid(field, detail).at(limit!(TEXT_CHARS)));
    }
    if text.contains('\0') {
        return Err(Error::invalid(field, "must not hold a NUL character"));
    }
    Ok(())
}

/// A short label such as a version: printable, not empty, at most 200 characters.
///
/// # Errors
/// `invalid_input` on the field.
pub(crate) fn label(field: &str, text: Option<&str>) -> Result<()> {
    let Some(text) = text else { return Ok(()) };
    let count = text.chars().count();
    if count == 0 || count > limits::NAME_CHARS || text.chars().any(char::is_control) {
        let detail = format!(
            "must be 1 to {} printable characters, or be left out",
            limits::NAME_CHARS
        );
        return Err(Error::invalid(field, detail).at(limit!(NAME_CHARS)));
    }
    Ok(())
}

/// The name of an operation or of a type of event, which stands in the log in clear.
///
/// # Errors
/// `invalid_input` on the field.
pub(crate) fn plain(field: &str, text: &str) -> Result<()> {
    let known = |b: u8| b.is_ascii_alphanumeric() || b"_-./:".contains(&b);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(known) {
        let detail = "must be 1 to 128 letters, digits, `_`, `-`, `.`, `/` or `:`";
        return Err(Error::invalid(field, detail));
    }
    Ok(())
}
