//! Ends a run as its agent reports it. Its descendants end with it. A dispatched run that ended cleanly raises
//! trust a little, at most twice a day, because Cardea saw it itself (TRU-7).

use super::{RunAnswer, reach::steered};
use crate::{Act, Cx, Guard, Meta, Method, Operation, Result, Target, agents::cascade::Below};
use authz::Facts;
use domain::{
    Permission, Run, RunState, Stream,
    trust::{Severity, TrustEvent, TrustEventCore},
};
use kernel::{Code, Id, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Refusal, Tx};

const CLEAN_PER_DAY: usize = 2;

/// Ends a run.
pub struct End;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// Well.
    Completed,
    /// Badly.
    Failed,
}

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndInput {
    /// The run.
    id: Id<kernel::Run>,
    /// How it ended.
    outcome: Ending,
}

impl Operation for End {
    const META: Meta = Meta {
        summary: "End a run that completed or failed",
        tool: Some("end-run"),
        command: "run end",
        guard: Guard::Anyone,
        ..Meta::write(
            "runs.end",
            Method::Post,
            "/orgs/{org}/runs/{id}/end",
            Permission::RunsTerminate,
        )
    };
    type Input = EndInput;
    type Output = RunAnswer;

    fn target(_: &EndInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: EndInput) -> Result<RunAnswer> {
        let run = steered(cx, input.id).await?;
        let (view, stream) = (cx.view()?, cx.stream()?);
        let mut below = Below::of(view, &[run.core.grant], &[run.core.agent]);
        below.runs.retain(|id| *id != input.id);
        let state = match input.outcome {
            Ending::Completed => RunState::Completed,
            Ending::Failed => RunState::Failed,
        };
        let clean = (cx.caller()?.run == Some(input.id))
            .then(|| clean(cx, view, &run, state))
            .flatten();
        let act = Act::update("run.ended")
            .on(input.id)
            .in_run(Some(input.id))
            .before(json!({ "state": run.core.state }))
            .after(json!({ "state": state, "descendants": below.runs, "trust_event": clean.as_ref().map(|event| event.core.id) }));
        let done = cx
            .commit(act, move |tx| {
                let ended = end(tx, stream, input.id, state)?;
                below.end(tx, stream, RunState::Terminated)?;
                if let Some(event) = &clean {
                    record_clean(tx, stream, event)?;
                }
                Ok(RunAnswer::new(&ended, tx.now()))
            })
            .await?;
        Ok(done.value)
    }
}

/// The event of a clean end, when this run can raise trust: dispatched, completed, and not the third of its day.
fn clean(cx: &Cx, view: &View, run: &Run, state: RunState) -> Option<TrustEvent> {
    let day = |at: Timestamp| at.seconds().div_euclid(86_400);
    let events = view.trust_events(run.core.agent).iter();
    let today = events
        .filter(|event| event.severity == Severity::Clean && day(event.at) == day(view.now))
        .count();
    if !run.dispatched || state != RunState::Completed || today >= CLEAN_PER_DAY {
        return None;
    }
    let (agent, kind) = (run.core.agent, "run.completed_clean".into());
    let core = TrustEventCore {
        id: cx.id(),
        agent,
        at: view.now,
        severity: Severity::Clean,
        kind,
    };
    Some(TrustEvent {
        core,
        run: Some(run.core.id),
        evidence: None,
    })
}

/// A run that something bad was reported of was not clean.
fn record_clean(tx: &mut Tx<'_>, stream: Stream, event: &TrustEvent) -> Result<(), Refusal> {
    let cited = event.run.map(|run| run.to_string()).unwrap_or_default();
    if tx.count::<TrustEvent>(stream, &[("run", cited)])? > 0 {
        return Ok(());
    }
    tx.insert(stream, event)
}

fn end(
    tx: &mut Tx<'_>,
    stream: Stream,
    id: Id<kernel::Run>,
    state: RunState,
) -> Result<Run, Refusal> {
    let now = tx.now();
    let row = tx
        .get::<Run>(stream, id.bytes())?
        .filter(|row| row.value.core.state_at(now).is_live());
    let mut run = row
        .ok_or_else(|| Refusal::new(Code::InvalidState, "the run has ended already"))?
        .value;
    run.core.state = state;
    run.ended_at = Some(now);
    tx.put(stream, &run)?;
    Ok(run)
}
