//! Makes a connection: an audience that no other connection has and that is not this server, the scopes it
//! declares, and if wanted a credential for introspection.

use super::{AUDIENCE_CLAIM, ConnectionAnswer, NAME_CLAIM, origin, shape};
use crate::{
    Act, Cx, Error, Meta, Method, Operation, Result, Target,
    agents::credential::{deliver, new_secret},
    new_subject_key,
};
use domain::{
    Class, Connection, ConnectionCore, Holder, Label, Permission, Scope, Secret, Stream,
    SubjectKey, TokenFormat, name,
};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use store::{Refusal, Tx};

/// Makes a connection.
pub struct Create;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInput {
    /// Its name, unique in the organization.
    name: String,
    /// The audience of tokens made for it: an absolute URL or URN that no other connection has.
    audience: String,
    /// The least trust an agent needs, 0 to 100.
    min_trust: i64,
    /// Scopes it declares, such as `orders:read`.
    scopes: Vec<String>,
    /// The class of each operation; one that is not named counts as `admin`.
    #[serde(default)]
    operations: BTreeMap<String, Class>,
    /// The class of a scope; otherwise one with a part `read` or `list` is `read`, any other `write`.
    #[serde(default)]
    scope_classes: BTreeMap<Scope, Class>,
    /// What may flow through it.
    #[serde(default)]
    labels: Vec<Label>,
    /// The form of tokens made for it; `jwt` unless given.
    #[serde(default)]
    format: Option<TokenFormat>,
    /// Whether it gets a credential with which to introspect the tokens made for it.
    #[serde(default)]
    introspection: Option<bool>,
}

/// Everything that the commit writes.
#[derive(Clone)]
struct Making {
    connection: Connection,
    name_key: String,
    subject: SubjectKey,
    secret: Option<Secret>,
}

impl Operation for Create {
    const META: Meta = Meta {
        summary: "Make a connection to a downstream system",
        command: "connection create",
        status: 201,
        ..Meta::write(
            "connections.create",
            Method::Post,
            "/orgs/{org}/connections",
            Permission::ConnectionsCreate,
        )
    };
    type Input = CreateInput;
    type Output = ConnectionAnswer;

    fn target(_: &CreateInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: CreateInput) -> Result<ConnectionAnswer> {
        let stream = cx.stream()?;
        let (connection, name_key) = prepare(cx, input)?;
        let core = &connection.core;
        let (secret, minted) = match core.introspection {
            true => Some(new_secret(cx, Holder::Connection(core.id), cx.id())?).unzip(),
            false => (None, None),
        };
        let (keyring, entropy) = (&cx.platform.keyring, &*cx.platform.entropy);
        let subject =
            new_subject_key(keyring, entropy, stream, core.id.bytes()).map_err(Error::internal)?;
        let act = Act::create("connection.created")
            .on(core.id)
            .after(shown(core));
        let making = Making {
            connection,
            name_key,
            subject,
            secret,
        };
        let had_secret = minted.is_some().then_some(true);
        let done = cx
            .commit(act, move |tx| {
                write(tx, stream, &making)?;
                Ok(ConnectionAnswer {
                    secret_already_delivered: had_secret,
                    ..ConnectionAnswer::new(&making.connection, 1)
                })
            })
            .await?;
        let (client_secret, secret_already_delivered) =
            deliver(cx, done.replayed, minted.map(|minted| minted.reveal()));
        Ok(ConnectionAnswer {
            client_secret,
            secret_already_delivered,
            ..done.value
        })
    }

    fn version(output: &ConnectionAnswer) -> Option<u64> {
        Some(output.version)
    }
}

fn prepare(cx: &Cx, input: CreateInput) -> Result<(Connection, String)> {
    let (name, name_key) =
        name::display(&input.name).map_err(|error| Error::invalid("name", error.to_string()))?;
    let scopes = shape::scopes(&input.scopes)?;
    shape::operations(&input.operations)?;
    shape::scope_classes(&input.scope_classes, &scopes)?;
    let core = ConnectionCore {
        id: cx.id(),
        audience: origin::audience(cx, &input.audience)?,
        min_trust: shape::min_trust(input.min_trust)?,
        scopes,
        operations: input.operations,
        scope_classes: input.scope_classes,
        labels: shape::labels(input.labels),
        format: input.format.unwrap_or_default(),
        introspection: input.introspection.unwrap_or(false),
    };
    Ok((
        Connection {
            core,
            name,
            created_at: cx.view()?.now,
        },
        name_key,
    ))
}

/// What an entry says of a connection; its name is not written in clear.
pub(super) fn shown(core: &ConnectionCore) -> serde_json::Value {
    json!({
        "audience": core.audience,
        "format": core.format,
        "introspection": core.introspection,
        "labels": core.labels,
        "min_trust": core.min_trust,
        "operations": core.operations,
        "scope_classes": core.scope_classes,
        "scopes": core.scopes,
    })
}

fn write(tx: &mut Tx<'_>, stream: Stream, making: &Making) -> Result<(), Refusal> {
    let Making {
        connection,
        name_key,
        subject,
        secret,
    } = making;
    let id = connection.core.id.bytes();
    tx.claim(stream, NAME_CLAIM, name_key, id)?;
    tx.claim(stream, AUDIENCE_CLAIM, &connection.core.audience, id)?;
    tx.insert(stream, connection)?;
    tx.insert(stream, subject)?;
    match secret {
        Some(secret) => tx.insert(stream, secret),
        None => Ok(()),
    }
}
