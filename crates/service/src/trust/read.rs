//! Reads an agent's trust with its parts and reasons, from the same facts that the gates read.

use crate::{Cx, Meta, Operation, Result, Target, agents, caller};
use domain::{Permission, trust::Trust};
use kernel::Id;
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

/// Reads an agent's trust.
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
        summary: "Read an agent's trust with the reasons for it",
        tool: Some("get-agent-trust"),
        command: "agent trust",
        ..Meta::read(
            "trust.read",
            "/orgs/{org}/agents/{id}/trust",
            Permission::AgentsRead,
        )
    };
    type Input = ReadInput;
    type Output = Trust;

    fn target(input: &ReadInput, view: &View, _: &Cx) -> Result<Target> {
        agents::target(view, input.id)
    }

    async fn run(cx: &Cx, input: ReadInput) -> Result<Trust> {
        let view = cx.view()?;
        let agent = caller::known_agent(view, input.id)?;
        Ok(domain::trust::explain(
            authz::trust_facts(view, agent, view.now),
            view.now,
        ))
    }
}
