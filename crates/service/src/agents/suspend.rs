//! Stops an agent for a while and lets it go on. Its tokens are dead while it is stopped, since each use asks for
//! its state; nothing of it is deleted.

use super::{AgentAnswer, is_owner, target, text};
use crate::{Act, Cx, Error, Meta, Method, Operation, Result, Target, caller};
use authz::Access;
use domain::{Agent, AgentState, Permission, Principal};
use kernel::{Code, Id};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use store::Refusal;

/// Suspends an agent.
pub struct Suspend;
/// Resumes an agent.
pub struct Resume;

/// What both take.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateInput {
    /// The agent.
    id: Id<kernel::Agent>,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

/// Changes an agent's row in one commit and answers with it. `change` sees the row as it is in the transaction.
pub(super) async fn change(
    cx: &Cx,
    act: Act,
    id: Id<kernel::Agent>,
    change: impl Fn(&mut Agent) + Send + Sync + 'static,
) -> Result<AgentAnswer> {
    let (view, stream, expected) = (cx.view()?.clone(), cx.stream()?, cx.envelope.if_match);
    let done = cx
        .commit(act, move |tx| {
            let row = tx.get::<Agent>(stream, id.bytes())?;
            let mut agent = row
                .ok_or_else(|| Refusal::new(Code::NotFound, "no such agent here"))?
                .value;
            change(&mut agent);
            let etag = tx.update(stream, &agent, expected)?;
            Ok(AgentAnswer::new(&view, &agent, etag))
        })
        .await?;
    Ok(done.value)
}

impl Operation for Suspend {
    const META: Meta = Meta {
        summary: "Suspend an agent: its tokens stop working at once",
        tool: Some("suspend-agent"),
        command: "agent suspend",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "agents.suspend",
            Method::Post,
            "/orgs/{org}/agents/{id}/suspend",
            Permission::AgentsSuspend,
        )
    };
    type Input = StateInput;
    type Output = AgentAnswer;

    fn target(input: &StateInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: StateInput) -> Result<AgentAnswer> {
        text::free("reason", input.reason.as_deref())?;
        let before = caller::known_agent(cx.view()?, input.id)?.state;
        if before != AgentState::Active {
            return Err(Error::state("only an active agent can be suspended"));
        }
        let act = moved("agent.suspended", &input, before, AgentState::Suspended);
        let by = cx.caller()?.principal;
        change(cx, act, input.id, move |agent| {
            agent.core.state = AgentState::Suspended;
            agent.suspended_by = Some(by);
        })
        .await
    }

    fn version(output: &AgentAnswer) -> Option<u64> {
        Some(output.etag)
    }
}

impl Operation for Resume {
    const META: Meta = Meta {
        summary: "Resume a suspended agent",
        tool: Some("resume-agent"),
        command: "agent resume",
        ..Meta::write(
            "agents.resume",
            Method::Post,
            "/orgs/{org}/agents/{id}/resume",
            Permission::AgentsSuspend,
        )
    };
    type Input = StateInput;
    type Output = AgentAnswer;

    fn target(input: &StateInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: StateInput) -> Result<AgentAnswer> {
        text::free("reason", input.reason.as_deref())?;
        let agent = caller::known_agent(cx.view()?, input.id)?;
        if agent.state != AgentState::Suspended {
            return Err(Error::state("the agent is not suspended"));
        }
        if cx.access() != Access::All {
            let by = suspended_by(cx, input.id).await?;
            if !is_owner(cx, agent)? || by != Some(cx.caller()?.principal) {
                let text = "somebody else suspended this agent; ask whoever administers agents to resume it";
                return Err(Error::new(Code::PermissionDenied, text));
            }
        }
        let act = moved(
            "agent.resumed",
            &input,
            AgentState::Suspended,
            AgentState::Active,
        );
        change(cx, act, input.id, |agent| {
            agent.core.state = AgentState::Active;
            agent.suspended_by = None;
        })
        .await
    }

    fn version(output: &AgentAnswer) -> Option<u64> {
        Some(output.etag)
    }
}

async fn suspended_by(cx: &Cx, id: Id<kernel::Agent>) -> Result<Option<Principal>> {
    let stream = cx.stream()?;
    let row = cx
        .platform
        .store
        .read(stream, move |reader| {
            reader.get::<Agent>(stream, id.bytes())
        })
        .await?;
    Ok(row.and_then(|row| row.value.suspended_by))
}

fn moved(kind: &'static str, input: &StateInput, before: AgentState, after: AgentState) -> Act {
    Act::update(kind)
        .on(input.id)
        .before(json!({ "state": before }))
        .after(json!({ "state": after }))
        .claimed("reason", input.reason.as_deref())
}
