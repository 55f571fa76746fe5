//! Stops a run and everything it started. Hard kills their tokens by one revoked node; graceful gives nothing new
//! and lets what is in flight finish (RUN-2).

use super::reach::steered;
use crate::{
    Act, Cx, Error, Meta, Method, Operation, Result, Target,
    agents::{
        Mode,
        cascade::{Below, Cascaded, Revoked},
        text,
    },
};
use domain::{Permission, RunState};
use kernel::Id;
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Stops a run.
pub struct Terminate;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminateInput {
    /// The run.
    id: Id<kernel::Run>,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
    /// `hard` unless given.
    #[serde(default)]
    mode: Option<Mode>,
}

impl Operation for Terminate {
    const META: Meta = Meta {
        summary: "Stop a run with everything it started",
        tool: Some("terminate-run"),
        command: "run terminate",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "runs.terminate",
            Method::Post,
            "/orgs/{org}/runs/{id}/terminate",
            Permission::RunsTerminate,
        )
    };
    type Input = TerminateInput;
    type Output = Revoked;

    /// Ended runs are known to the database alone, so the run itself is judged when it has been read.
    fn target(_: &TerminateInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: TerminateInput) -> Result<Revoked> {
        text::free("reason", input.reason.as_deref())?;
        let run = steered(cx, input.id).await?;
        let (view, stream) = (cx.view()?, cx.stream()?);
        let graceful = input.mode == Some(Mode::Graceful);
        if graceful && !run.core.state_at(view.now).is_open() {
            return Err(Error::state(
                "the run is draining already; use `mode` `hard` to stop it now",
            ));
        }
        let below = Below::of(view, &[run.core.grant], &[run.core.agent]);
        let counted = below.count(cx).await?;
        let cascaded = Cascaded {
            tokens: if graceful { 0 } else { counted.tokens },
            tokens_at_least: counted.tokens_at_least && !graceful,
            ..counted
        };
        let after = if graceful {
            RunState::Draining
        } else {
            RunState::Terminated
        };
        let act = Act::delete("run.terminated")
            .on(input.id)
            .in_run(Some(input.id))
            .before(json!({ "state": run.core.state }))
            .after(json!({ "state": after, "covered": below.covered(&cascaded) }))
            .claimed("reason", input.reason.as_deref());
        let done = cx
            .commit(act, move |tx| {
                if graceful {
                    below.end(tx, stream, RunState::Draining)?;
                } else {
                    below.revoke(tx, stream)?;
                }
                Ok(Revoked {
                    revoked_at: tx.now(),
                    cascaded,
                })
            })
            .await?;
        Ok(done.value)
    }
}
