//! Says that a run is still under way: moves its lease on and gives the run a fresh token. A run that drained or
//! ended does not come back by it.

use super::{
    RunAnswer,
    reach::steered,
    start::{delivered, token},
};
use crate::{Act, Cx, Error, Guard, Meta, Method, Operation, Result, Target, caller};
use domain::{Permission, Run};
use kernel::{Code, Id, Micros};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use store::{Prepared, Refusal};

/// Keeps a run alive.
pub struct Heartbeat;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatInput {
    /// The run.
    id: Id<kernel::Run>,
}

impl Operation for Heartbeat {
    const META: Meta = Meta {
        summary: "Keep a run alive and renew its token",
        command: "run heartbeat",
        guard: Guard::Anyone,
        ..Meta::write(
            "runs.heartbeat",
            Method::Post,
            "/orgs/{org}/runs/{id}/heartbeat",
            Permission::RunsTerminate,
        )
    };
    type Input = HeartbeatInput;
    type Output = RunAnswer;

    fn target(_: &HeartbeatInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: HeartbeatInput) -> Result<RunAnswer> {
        let run = steered(cx, input.id).await?;
        let view = cx.view()?;
        let agent = caller::known_agent(view, run.core.agent)?;
        if !authz::run_is_open(view, &run.core, agent, view.now) {
            return Err(Error::state(
                "the run is draining and does not come back; start another",
            ));
        }
        // Only the run itself gets its token; who may end runs may keep one alive, not use it.
        if cx.caller()?.run != Some(input.id) {
            let act = Act::update("run.extended")
                .on(input.id)
                .after(json!({ "lease_seconds": run.lease_seconds }));
            let entry = cx.prepare(cx.stream()?, act.in_run(Some(input.id))).await?;
            return Ok(extend(cx, input.id, entry, None).await?.value);
        }
        let trust = authz::trust_now(view, agent, view.now);
        let minted = token(cx, agent, &run.core, trust, None).await?;
        let done = extend(cx, input.id, minted.entry, Some(true)).await?;
        delivered(
            cx,
            done.value,
            done.replayed,
            minted.token,
            minted.expires_in,
        )
    }
}

/// Moves the lease on, if there is one.
async fn extend(
    cx: &Cx,
    id: Id<kernel::Run>,
    entry: Prepared,
    secret_already_delivered: Option<bool>,
) -> Result<crate::Done<RunAnswer>> {
    let stream = cx.stream()?;
    cx.commit_prepared(false, vec![(stream, entry)], move |tx| {
        let now = tx.now();
        let row = tx
            .get::<Run>(stream, id.bytes())?
            .filter(|row| row.value.core.state_at(now).is_open());
        let mut run = row
            .ok_or_else(|| Refusal::new(Code::InvalidState, "the run has ended; start another"))?
            .value;
        if let Some(seconds) = run.lease_seconds {
            run.core.lease_until = Some(now.plus(Micros::seconds(seconds.into())));
            tx.put(stream, &run)?;
        }
        Ok(RunAnswer {
            secret_already_delivered,
            ..RunAnswer::new(&run, now)
        })
    })
    .await
}
