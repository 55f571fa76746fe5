//! Reads one agent.

use super::{AgentAnswer, target};
use crate::{Cx, Error, Meta, Operation, Result, Target};
use domain::{Agent, Permission};
use kernel::Id;
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

/// Reads one agent.
pub struct Read;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadInput {
    /// The agent.
    id: Id<kernel::Agent>,
}

impl Operation for Read {
    const META: Meta = Meta {
        summary: "Read an agent with its state, ceiling and trust",
        tool: Some("get-agent"),
        command: "agent get",
        ..Meta::read(
            "agents.read",
            "/orgs/{org}/agents/{id}",
            Permission::AgentsRead,
        )
    };
    type Input = ReadInput;
    type Output = AgentAnswer;

    fn target(input: &ReadInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: ReadInput) -> Result<AgentAnswer> {
        let (view, stream) = (cx.view()?, cx.stream()?);
        let read =
            move |reader: &mut store::Reader<'_>| reader.get::<Agent>(stream, input.id.bytes());
        let row = cx
            .platform
            .store
            .read(stream, read)
            .await?
            .ok_or_else(|| Error::not_found("agent"))?;
        Ok(AgentAnswer::new(view, &row.value, row.version))
    }

    fn version(output: &AgentAnswer) -> Option<u64> {
        Some(output.etag)
    }
}
