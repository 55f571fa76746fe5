//! Runs whose deadline passed and that nobody ended. They have no authority from their deadline on; closing their
//! rows lets the live state forget them. Never ends a run before its time.

use crate::{Act, Peer, Platform, Result, audit};
use domain::{Principal, Run, RunCore, RunState, Stream};
use kernel::{Id, Micros, Org, Timestamp};
use serde_json::json;
use store::{Plan, Prepared, Refusal, Tx};

/// How long after its deadline a run is closed, so that a clock that jumps and comes back ends nothing for good.
const GRACE: Micros = Micros::seconds(3_600);
/// How many share a commit.
const CHUNK: usize = 64;

/// Closes the overdue runs of an organization, each with an entry of its own.
///
/// # Errors
/// When the state cannot be proven current or the database does not answer.
pub(crate) async fn end_overdue(platform: &Platform, org: Id<Org>) -> Result<()> {
    let view = platform.node.view(org).await?;
    let overdue = |run: &RunCore| run.deadline.plus(GRACE) <= view.now;
    let runs = view.org.runs().filter(|run| overdue(run));
    let mut runs: Vec<&RunCore> = runs.map(AsRef::as_ref).collect();
    runs.sort_unstable_by_key(|run| run.id);
    let stream = Stream::org(org);
    for chunk in runs.chunks(CHUNK) {
        let mut ending = Vec::with_capacity(chunk.len());
        for run in chunk {
            let entry = audit::prepare(platform, stream, None, &Peer::job(), act(run)).await?;
            ending.push((run.id, entry));
        }
        let write = move |tx: &mut Tx<'_>| end_all(tx, stream, &ending);
        platform.node.commit(Plan::new(stream), write).await?;
    }
    Ok(())
}

fn act(run: &RunCore) -> Act {
    Act::update("run.ended")
        .on(run.id)
        .in_run(Some(run.id))
        .by(Principal::System, "schedule")
        .before(json!({ "state": run.state }))
        .after(json!({ "state": RunState::Failed, "deadline": run.deadline }))
}

fn end_all(
    tx: &mut Tx<'_>,
    stream: Stream,
    ending: &[(Id<kernel::Run>, Prepared)],
) -> Result<(), Refusal> {
    for (id, entry) in ending {
        // Somebody may have ended it a moment ago.
        let row = tx.get::<Run>(stream, id.bytes())?;
        let live = row.filter(|row| row.value.core.state.is_live());
        let Some(mut run) = live.map(|row| row.value) else {
            continue;
        };
        let deadline: Timestamp = run.core.deadline;
        run.core.state = RunState::Failed;
        run.ended_at = Some(deadline);
        tx.put(stream, &run)?;
        tx.entry(stream, entry.clone())?;
    }
    Ok(())
}
