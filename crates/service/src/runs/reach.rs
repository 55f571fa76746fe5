//! Finding a run, ended ones included, and who may see or steer it. What the caller may not know is not found.

use crate::{Cx, Error, Result, agents, caller};
use domain::{Permission, Run, RunCore};
use kernel::Id;
use live::View;

/// Whether the caller's `permission` reaches the run, by way of its agent.
pub(super) fn reaches(cx: &Cx, permission: Permission, run: &RunCore) -> Result<bool> {
    let agent = caller::known_agent(cx.view()?, run.agent)?;
    agents::reaches(cx, permission, agent)
}

/// A run that the caller may see, with its row's version.
pub(super) async fn visible(cx: &Cx, id: Id<kernel::Run>) -> Result<store::Versioned<Run>> {
    let stream = cx.stream()?;
    let unknown = || Error::not_found("run");
    let row = cx
        .platform
        .store
        .read(stream, move |reader| reader.get::<Run>(stream, id.bytes()))
        .await?;
    let row = row.ok_or_else(unknown)?;
    let own_token = cx.caller()?.run == Some(id);
    if own_token || reaches(cx, Permission::RunsRead, &row.value.core)? {
        Ok(row)
    } else {
        Err(unknown())
    }
}

/// A live run that the caller may steer: by its own run token, or with `runs.terminate` (AGT-10).
pub(super) async fn steered(cx: &Cx, id: Id<kernel::Run>) -> Result<Run> {
    let run = visible(cx, id).await?.value;
    let own_token = cx.caller()?.run == Some(id);
    if !own_token && !reaches(cx, Permission::RunsTerminate, &run.core)? {
        return Err(Error::denied(Permission::RunsTerminate.as_str()));
    }
    require_live(cx.view()?, &run)?;
    Ok(run)
}

/// Refuses a run that has ended, in its row or by the passing of time.
pub(super) fn require_live(view: &View, run: &Run) -> Result<()> {
    let live = view
        .org
        .run_core(run.core.id)
        .is_some_and(|known| known.state_at(view.now).is_live());
    if live {
        Ok(())
    } else {
        Err(Error::state("the run has ended; start another"))
    }
}
