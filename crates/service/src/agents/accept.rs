//! The human named as owner accepts an agent that somebody else registered; until then it is a draft and gets
//! nothing. Nobody else can accept it for them.

use super::{AgentAnswer, is_owner, target};
use crate::{Act, Cx, Error, Meta, Method, Operation, Result, Target, caller};
use domain::{AgentState, Permission};
use kernel::{Code, Id};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Accepts an agent.
pub struct Accept;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptInput {
    /// The agent.
    id: Id<kernel::Agent>,
}

impl Operation for Accept {
    const META: Meta = Meta {
        summary: "Accept an agent that names you as its owner",
        tool: Some("accept-agent"),
        command: "agent accept",
        ..Meta::write(
            "agents.accept",
            Method::Post,
            "/orgs/{org}/agents/{id}/accept",
            Permission::AgentsCreate,
        )
    };
    type Input = AcceptInput;
    type Output = AgentAnswer;

    fn target(input: &AcceptInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: AcceptInput) -> Result<AgentAnswer> {
        let view = cx.view()?.clone();
        let agent = caller::known_agent(&view, input.id)?;
        if !is_owner(cx, agent)? {
            return Err(Error::new(
                Code::PermissionDenied,
                "only the human named as owner accepts an agent",
            ));
        }
        if agent.state != AgentState::Draft {
            return Err(Error::state(
                "the agent is no draft; there is nothing to accept",
            ));
        }
        let act = Act::update("agent.accepted")
            .on(input.id)
            .before(json!({ "state": AgentState::Draft }))
            .after(json!({ "state": AgentState::Active }));
        super::suspend::change(cx, act, input.id, |agent| {
            agent.core.state = AgentState::Active;
        })
        .await
    }

    fn version(output: &AgentAnswer) -> Option<u64> {
        Some(output.etag)
    }
}
