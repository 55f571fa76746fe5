//! Ends an agent for good, with everything under it: one commit, one entry, and nothing of it works afterwards.

use super::{
    cascade::{Below, Revoked},
    predecessors,
    register::NAME_CLAIM,
    target, text,
};
use crate::{Act, Cx, Error, Meta, Method, Operation, Result, Target, caller};
use domain::{Agent, AgentState, Permission, Stream, name};
use kernel::{Code, Id};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use store::{Refusal, Tx};

/// Revokes an agent.
pub struct Revoke;

/// How a revocation ends what is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// At once.
    #[default]
    Hard,
    /// Nothing new is given; what is in flight may finish.
    Graceful,
}

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeInput {
    /// The agent.
    id: Id<kernel::Agent>,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
    /// `hard`, which is also the default: an agent that is revoked proves nothing to anybody, so nothing of it can
    /// finish. To let runs finish first, terminate them gracefully.
    #[serde(default)]
    mode: Option<Mode>,
}

impl Operation for Revoke {
    const META: Meta = Meta {
        summary: "Revoke an agent for good with its tokens and runs",
        tool: Some("revoke-agent"),
        command: "agent revoke",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "agents.revoke",
            Method::Post,
            "/orgs/{org}/agents/{id}/revoke",
            Permission::AgentsRevoke,
        )
    };
    type Input = RevokeInput;
    type Output = Revoked;

    fn target(input: &RevokeInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: RevokeInput) -> Result<Revoked> {
        text::free("reason", input.reason.as_deref())?;
        if input.mode == Some(Mode::Graceful) {
            let text = "an agent is revoked at once; to let runs finish, terminate them with `mode` `graceful` and suspend nothing until they have";
            return Err(Error::invalid("mode", text));
        }
        let (view, stream) = (cx.view()?, cx.stream()?);
        let agent = caller::known_agent(view, input.id)?;
        if agent.state == AgentState::Revoked {
            return Err(Error::state("the agent is revoked already"));
        }
        let below = Below::of(view, &[agent.grant], &[agent.id]);
        let cascaded = below.count(cx).await?;
        let act = Act::delete("agent.revoked")
            .on(input.id)
            .before(json!({ "state": agent.state }))
            .after(json!({ "state": AgentState::Revoked, "covered": below.covered(&cascaded) }))
            .claimed("reason", input.reason.as_deref());
        let expected = cx.envelope.if_match;
        let done = cx
            .commit(act, move |tx| {
                end(tx, stream, input.id, expected)?;
                below.revoke(tx, stream)?;
                Ok(Revoked {
                    revoked_at: tx.now(),
                    cascaded,
                })
            })
            .await?;
        Ok(done.value)
    }
}

/// The row says so too, and the name is free for a successor.
fn end(
    tx: &mut Tx<'_>,
    stream: Stream,
    id: Id<kernel::Agent>,
    expected: Option<u64>,
) -> Result<(), Refusal> {
    let row = tx.get::<Agent>(stream, id.bytes())?;
    let mut agent = row
        .ok_or_else(|| Refusal::new(Code::NotFound, "no such agent here"))?
        .value;
    agent.core.state = AgentState::Revoked;
    if let Ok((_, key)) = name::display(&agent.name) {
        tx.release(stream, NAME_CLAIM, &key)?;
        predecessors::remember(tx, stream, &key, id)?;
    }
    tx.update(stream, &agent, expected).map(|_| ())
}
