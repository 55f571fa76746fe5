//! Reads one connection.

use super::{ConnectionAnswer, is_visible};
use crate::{Cx, Error, Meta, Operation, Result, Target};
use domain::{Connection, Permission};
use kernel::Id;
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

/// Reads one connection.
pub struct Read;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadInput {
    /// The connection.
    id: Id<kernel::Connection>,
}

impl Operation for Read {
    const META: Meta = Meta {
        summary: "Read a connection",
        tool: Some("get-connection"),
        command: "connection get",
        ..Meta::read(
            "connections.read",
            "/orgs/{org}/connections/{id}",
            Permission::ConnectionsRead,
        )
    };
    type Input = ReadInput;
    type Output = ConnectionAnswer;

    fn target(input: &ReadInput, view: &View, cx: &Cx) -> Result<Target> {
        let unknown = || Error::not_found("connection");
        let connection = view.org.connection_core(input.id).ok_or_else(unknown)?;
        let access = cx.reaches(Permission::ConnectionsRead);
        if is_visible(cx, view, connection, access)? {
            Ok(Target::Collection)
        } else {
            Err(unknown())
        }
    }

    async fn run(cx: &Cx, input: ReadInput) -> Result<ConnectionAnswer> {
        let stream = cx.stream()?;
        let read = move |reader: &mut store::Reader<'_>| {
            reader.get::<Connection>(stream, input.id.bytes())
        };
        let row = cx
            .platform
            .store
            .read(stream, read)
            .await?
            .ok_or_else(|| Error::not_found("connection"))?;
        Ok(ConnectionAnswer::new(&row.value, row.version))
    }

    fn version(output: &ConnectionAnswer) -> Option<u64> {
        Some(output.version)
    }
}
