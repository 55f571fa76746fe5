//! Changes a connection. What lets agents do more (less trust, fewer labels, another audience, further scopes, a
//! milder class) asks for a recent sign-in; what takes away does not (CAP-5).

use super::{
    AUDIENCE_CLAIM, ConnectionAnswer, NAME_CLAIM, create::shown, is_visible, origin, shape,
};
use crate::{Act, Cx, Error, Meta, Method, Operation, Result, Target};
use domain::{
    Class, Connection, ConnectionCore, Label, Permission, Scope, Stream, TokenFormat, name,
};
use kernel::{Code, Id};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;
use store::{Refusal, Tx};

/// Changes a connection.
pub struct Update;

/// What it takes; what is left out stays as it is.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateInput {
    /// The connection.
    id: Id<kernel::Connection>,
    /// Its name, unique in the organization.
    #[serde(default)]
    name: Option<String>,
    /// The audience of tokens made for it; tokens for the earlier one stop working.
    #[serde(default)]
    audience: Option<String>,
    /// The least trust an agent needs, 0 to 100.
    #[serde(default)]
    min_trust: Option<i64>,
    /// Scopes it declares, all of them.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// The class of each operation, all of them.
    #[serde(default)]
    operations: Option<BTreeMap<String, Class>>,
    /// The class of scopes, all of them.
    #[serde(default)]
    scope_classes: Option<BTreeMap<Scope, Class>>,
    /// What may flow through it, all of it.
    #[serde(default)]
    labels: Option<Vec<Label>>,
    /// The form of tokens made for it.
    #[serde(default)]
    format: Option<TokenFormat>,
}

impl Operation for Update {
    const META: Meta = Meta {
        summary: "Change a connection",
        tool: Some("update-connection"),
        command: "connection update",
        ..Meta::write(
            "connections.update",
            Method::Patch,
            "/orgs/{org}/connections/{id}",
            Permission::ConnectionsUpdate,
        )
    };
    type Input = UpdateInput;
    type Output = ConnectionAnswer;

    fn target(input: &UpdateInput, view: &View, cx: &Cx) -> Result<Target> {
        let unknown = || Error::not_found("connection");
        let connection = view.org.connection_core(input.id).ok_or_else(unknown)?;
        let access = cx.reaches(Permission::ConnectionsRead);
        if is_visible(cx, view, connection, access)? {
            Ok(Target::Organization)
        } else {
            Err(unknown())
        }
    }

    async fn run(cx: &Cx, input: UpdateInput) -> Result<ConnectionAnswer> {
        let known = cx.view()?.org.connection_core(input.id);
        let before = known
            .ok_or_else(|| Error::not_found("connection"))?
            .as_ref()
            .clone();
        let name = input.name.as_deref().map(name::display).transpose();
        let name = name.map_err(|error| Error::invalid("name", error.to_string()))?;
        let after = changed(cx, &before, input)?;
        if widens(&before, &after) {
            cx.require_sudo()?;
        }
        let act = Act::update("connection.updated")
            .on(after.id)
            .before(shown(&before))
            .after(shown(&after));
        let (stream, expected) = (cx.stream()?, cx.envelope.if_match);
        let done = cx
            .commit(act, move |tx| {
                write(tx, stream, &after, name.as_ref(), expected)
            })
            .await?;
        Ok(done.value)
    }

    fn version(output: &ConnectionAnswer) -> Option<u64> {
        Some(output.version)
    }
}

fn changed(cx: &Cx, before: &ConnectionCore, input: UpdateInput) -> Result<ConnectionCore> {
    let mut after = before.clone();
    if let Some(audience) = &input.audience {
        after.audience = origin::audience(cx, audience)?;
    }
    if let Some(min_trust) = input.min_trust {
        after.min_trust = shape::min_trust(min_trust)?;
    }
    if let Some(scopes) = &input.scopes {
        after.scopes = shape::scopes(scopes)?;
        after
            .scope_classes
            .retain(|scope, _| after.scopes.contains(scope));
    }
    if let Some(operations) = input.operations {
        shape::operations(&operations)?;
        after.operations = operations;
    }
    if let Some(classes) = input.scope_classes {
        shape::scope_classes(&classes, &after.scopes)?;
        after.scope_classes = classes;
    }
    after.labels = input.labels.map_or(after.labels, shape::labels);
    after.format = input.format.unwrap_or(after.format);
    Ok(after)
}

/// Whether agents could do something afterwards that they could not do before.
fn widens(before: &ConnectionCore, after: &ConnectionCore) -> bool {
    let milder_scope = |scope: &Scope| after.scope_class(scope) < before.scope_class(scope);
    let milder_operation =
        |name: &String| after.operation_class(name) < before.operation_class(name);
    after.min_trust < before.min_trust
        || before
            .labels
            .iter()
            .any(|label| !after.labels.contains(label))
        || after.audience != before.audience
        || after
            .scopes
            .iter()
            .any(|scope| !before.scopes.contains(scope) || milder_scope(scope))
        || after
            .operations
            .keys()
            .chain(before.operations.keys())
            .any(milder_operation)
}

fn write(
    tx: &mut Tx<'_>,
    stream: Stream,
    after: &ConnectionCore,
    name: Option<&(String, String)>,
    expected: Option<u64>,
) -> Result<ConnectionAnswer, Refusal> {
    let id = after.id.bytes();
    let row = tx.get::<Connection>(stream, id)?;
    let mut connection = row
        .ok_or_else(|| Refusal::new(Code::NotFound, "no such connection here"))?
        .value;
    if connection.core.audience != after.audience {
        tx.claim(stream, AUDIENCE_CLAIM, &after.audience, id)?;
        tx.release(stream, AUDIENCE_CLAIM, &connection.core.audience)?;
    }
    if let Some((shown, key)) = name {
        tx.claim(stream, NAME_CLAIM, key, id)?;
        if let Some((_, held)) = name::display(&connection.name)
            .ok()
            .filter(|(_, held)| held != key)
        {
            tx.release(stream, NAME_CLAIM, &held)?;
        }
        connection.name.clone_from(shown);
    }
    connection.core = after.clone();
    let version = tx.update(stream, &connection, expected)?;
    Ok(ConnectionAnswer::new(&connection, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> ConnectionCore {
        ConnectionCore {
            id: Id::from_bytes([1; 16]),
            audience: "https://a.example.com".into(),
            min_trust: 40,
            scopes: vec![
                Scope::parse("orders:pay").unwrap(),
                Scope::parse("orders:read").unwrap(),
            ],
            operations: [("orders.pay".to_owned(), Class::Spend)].into(),
            scope_classes: [(Scope::parse("orders:pay").unwrap(), Class::Spend)].into(),
            labels: vec![Label::PrivateData, Label::Egress],
            format: TokenFormat::Jwt,
            introspection: false,
        }
    }

    fn after(change: impl Fn(&mut ConnectionCore)) -> bool {
        let mut after = before();
        change(&mut after);
        widens(&before(), &after)
    }

    #[test]
    fn whatever_lets_agents_do_more_widens() {
        assert!(after(|c| c.min_trust = 39));
        assert!(after(|c| c.labels.truncate(1)));
        assert!(after(|c| c.audience = "https://b.example.com".into()));
        assert!(after(|c| c
            .scopes
            .push(Scope::parse("orders:list").unwrap())));
        assert!(
            after(|c| c.scope_classes.clear()),
            "a spending scope becomes a writing one"
        );
        assert!(
            after(|c| {
                c.operations.insert("orders.drop".into(), Class::Read);
            }),
            "an unmapped operation was admin"
        );
        assert!(after(|c| {
            c.operations.insert("orders.pay".into(), Class::Write);
        }));
    }

    #[test]
    fn taking_away_does_not_widen() {
        assert!(!after(|c| c.min_trust = 60));
        assert!(!after(|c| c.scopes.truncate(1)));
        assert!(!after(|c| c.operations.clear()), "unmapped counts as admin");
        assert!(!after(|c| c.labels.push(Label::UntrustedInput)));
        assert!(!after(|c| c.format = TokenFormat::Opaque));
    }
}
