//! What a connection may look like, whether it is being made or changed: bounded lists, known scopes, plain names.

use crate::{Error, Result, agents::text};
use domain::{Class, Label, Scope};
use kernel::{limit, limits};
use std::collections::BTreeMap;

/// Scopes, sorted, each once.
///
/// # Errors
/// `invalid_input` naming `scopes` or `scopes.N`.
pub(super) fn scopes(texts: &[String]) -> Result<Vec<Scope>> {
    if texts.len() > limits::SCOPES {
        return Err(Error::invalid(
            "scopes",
            format!("must hold at most {} scopes", limits::SCOPES),
        )
        .at(limit!(SCOPES)));
    }
    let read = texts.iter().enumerate().map(|(n, text)| {
        Scope::declare(text)
            .map_err(|error| Error::invalid(&format!("scopes.{n}"), error.to_string()))
    });
    let mut scopes = read.collect::<Result<Vec<Scope>>>()?;
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

/// 0 to 100.
///
/// # Errors
/// `invalid_input` on `min_trust`.
pub(super) fn min_trust(value: i64) -> Result<u8> {
    let known = u8::try_from(value).ok().filter(|value| *value <= 100);
    known.ok_or_else(|| Error::invalid("min_trust", "must be within 0 and 100"))
}

/// Names of operations.
///
/// # Errors
/// `invalid_input` naming the operation.
pub(super) fn operations(operations: &BTreeMap<String, Class>) -> Result<()> {
    if operations.len() > limits::SCOPES {
        return Err(Error::invalid(
            "operations",
            format!("must hold at most {} operations", limits::SCOPES),
        )
        .at(limit!(SCOPES)));
    }
    operations.keys().try_for_each(|name| {
        let shown: String = name.chars().take(64).collect();
        text::plain(&format!("operations.{shown}"), name)
    })
}

/// Classes of scopes that the connection declares.
///
/// # Errors
/// `invalid_input` naming the scope.
pub(super) fn scope_classes(classes: &BTreeMap<Scope, Class>, scopes: &[Scope]) -> Result<()> {
    match classes.keys().find(|scope| !scopes.contains(scope)) {
        Some(stray) => {
            let text = "is not one of this connection's scopes; declare it in `scopes`";
            Err(Error::invalid(&format!("scope_classes.{stray}"), text))
        }
        None => Ok(()),
    }
}

/// Labels, sorted, each once.
pub(super) fn labels(mut labels: Vec<Label>) -> Vec<Label> {
    labels.sort_unstable();
    labels.dedup();
    labels
}
