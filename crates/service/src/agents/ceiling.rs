//! Ceilings: each text becomes a pair of connection and scope when it is written, so that what is declared later
//! never enters it. Unknown, ambiguous and wildcard texts are refused by their place (CAP-5).

use crate::{Error, Result};
use domain::{ConnectionCore, Scope, ScopeGrant};
use kernel::{Connection, Id, limits};
use live::View;

/// The named connections, each once; without names every connection of the organization.
///
/// # Errors
/// `invalid_input` naming `connections.N` when one is unknown.
pub(super) fn usable<'a>(
    view: &'a View,
    named: Option<&[Id<Connection>]>,
) -> Result<Vec<&'a ConnectionCore>> {
    let Some(named) = named else {
        return Ok(view.org.connections().map(AsRef::as_ref).collect());
    };
    if named.len() > limits::SCOPES {
        let detail = format!("must name at most {} connections", limits::SCOPES);
        return Err(Error::invalid("connections", detail));
    }
    let known = named.iter().enumerate().map(|(n, id)| {
        let known = view.org.connection_core(*id).map(AsRef::as_ref);
        known.ok_or_else(|| {
            Error::invalid(
                &format!("connections.{n}"),
                "no such connection here; see the list of connections",
            )
        })
    });
    let mut known = known.collect::<Result<Vec<&ConnectionCore>>>()?;
    known.sort_unstable_by_key(|connection| connection.id);
    known.dedup_by_key(|connection| connection.id);
    Ok(known)
}

/// The pairs that these texts name among `usable`, sorted, each once. A text that a pair of `kept` answers to
/// keeps that meaning, so that writing a ceiling back as it was read changes nothing.
///
/// # Errors
/// `invalid_input` naming `scope_ceiling.N`.
pub(super) fn resolve(
    texts: &[String],
    usable: &[&ConnectionCore],
    kept: &[ScopeGrant],
) -> Result<Vec<ScopeGrant>> {
    if texts.len() > limits::SCOPES {
        let detail = format!("must hold at most {} scopes", limits::SCOPES);
        return Err(Error::invalid("scope_ceiling", detail));
    }
    let mut ceiling = Vec::with_capacity(texts.len());
    for (n, text) in texts.iter().enumerate() {
        let place = format!("scope_ceiling.{n}");
        let scope =
            Scope::parse(text).map_err(|error| Error::invalid(&place, error.to_string()))?;
        let before = kept.iter().filter(|grant| {
            grant.scope == scope
                && usable
                    .iter()
                    .any(|connection| connection.id == grant.connection)
        });
        let before: Vec<ScopeGrant> = before.cloned().collect();
        if before.is_empty() {
            ceiling.push(declared(&place, scope, usable)?);
        } else {
            ceiling.extend(before);
        }
    }
    ceiling.sort_unstable();
    ceiling.dedup();
    Ok(ceiling)
}

/// The one pair that declares this scope.
fn declared(place: &str, scope: Scope, usable: &[&ConnectionCore]) -> Result<ScopeGrant> {
    let declaring: Vec<_> = usable
        .iter()
        .filter(|c| c.scopes.contains(&scope))
        .collect();
    match declaring.as_slice() {
        [only] => Ok(ScopeGrant {
            connection: only.id,
            scope,
        }),
        [] => {
            let text = "is declared by no connection this agent may use; name one in `connections` that declares it";
            Err(Error::field(place, "unknown_scope", text))
        }
        several => {
            let names = several
                .iter()
                .map(|c| format!("`{}`", c.id))
                .collect::<Vec<_>>();
            let text = format!(
                "is declared by several connections ({}); name one of them in `connections`",
                names.join(", ")
            );
            Err(Error::field(place, "ambiguous_scope", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::TokenFormat;

    fn connection(n: u8, scopes: &[&str]) -> ConnectionCore {
        ConnectionCore {
            id: Id::from_bytes([n; 16]),
            audience: format!("https://{n}.example.com"),
            min_trust: 0,
            scopes: scopes
                .iter()
                .map(|text| Scope::parse(text).unwrap())
                .collect(),
            operations: Default::default(),
            scope_classes: Default::default(),
            labels: vec![],
            format: TokenFormat::Jwt,
            introspection: false,
        }
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn refused(wanted: &[&str], usable: &[&ConnectionCore]) -> (String, String) {
        let error = resolve(&texts(wanted), usable, &[]).unwrap_err();
        let field = error.errors.first().unwrap();
        (field.field.clone(), field.code.clone())
    }

    #[test]
    fn a_text_names_one_pair_or_is_refused_by_its_place() {
        let (a, b) = (
            connection(1, &["orders:read", "orders:write"]),
            connection(2, &["orders:read", "mail:send"]),
        );
        let found = resolve(
            &texts(&["mail:send", "orders:write", "mail:send"]),
            &[&a, &b],
            &[],
        )
        .unwrap();
        let pairs: Vec<_> = found
            .iter()
            .map(|g| (g.connection, g.scope.as_str()))
            .collect();
        assert_eq!(pairs, [(a.id, "orders:write"), (b.id, "mail:send")]);
        let at = |n: usize, code: &str| (format!("scope_ceiling.{n}"), code.to_owned());
        assert_eq!(
            refused(&["orders:write", "orders:read"], &[&a, &b]),
            at(1, "ambiguous_scope")
        );
        assert!(
            resolve(&texts(&["orders:read"]), &[&b], &[]).is_ok(),
            "named, it is no longer ambiguous"
        );
        assert_eq!(
            refused(&["orders:delete"], &[&a, &b]),
            at(0, "unknown_scope")
        );
        assert_eq!(refused(&["mail:send"], &[&a]), at(0, "unknown_scope"));
        assert_eq!(refused(&["orders:*"], &[&a, &b]), at(0, "invalid"));
        assert_eq!(refused(&["*"], &[&a, &b]), at(0, "invalid"));
    }

    #[test]
    fn what_was_meant_stays_meant_when_another_declares_it_too() {
        let (a, b) = (
            connection(1, &["orders:read"]),
            connection(2, &["orders:read"]),
        );
        let before = resolve(&texts(&["orders:read"]), &[&a], &[]).unwrap();
        assert_eq!(
            resolve(&texts(&["orders:read"]), &[&a, &b], &before).unwrap(),
            before
        );
        assert!(resolve(&texts(&["orders:read"]), &[&a, &b], &[]).is_err());
        let moved = resolve(&texts(&["orders:read"]), &[&b], &before).unwrap();
        assert_eq!(
            moved.first().map(|grant| grant.connection),
            Some(b.id),
            "its connection was taken away"
        );
    }
}
