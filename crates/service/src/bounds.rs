//! Bounds on what people type, refused with the field and the limit. It reads nothing and decides nothing about
//! permission.

use crate::{Error, Result};
use kernel::{limit, limits};

/// Refuses free text beyond the limit.
///
/// # Errors
/// `invalid_input` with the field.
pub(crate) fn text(field: &str, text: &str) -> Result<()> {
    if text.chars().count() <= limits::TEXT_CHARS {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("must have at most {} characters", limits::TEXT_CHARS),
    )
    .at(limit!(TEXT_CHARS)))
}

/// A display name as given, trimmed, and the form by which it is unique.
///
/// # Errors
/// `invalid_input` with the field.
pub(crate) fn name(field: &str, text: &str) -> Result<(String, String)> {
    domain::name::display(text).map_err(|error| Error::invalid(field, error.to_string()))
}
