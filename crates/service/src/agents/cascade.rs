//! What falls with a grant: every live run whose lineage holds it and every unexpired token issued under it. One
//! revoked node is what ends them (REV-1); the runs' rows are closed in the same commit so that people see it too.

use crate::{Cx, Error, Result, revocation};
use domain::{GrantId, RevocationCore, Run, RunState, Stream};
use kernel::{Agent, Id, Micros, Timestamp, limits};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use store::{Refusal, Tx};

/// A revoked node is kept past the end of anything that could have been issued under it, and a day (REV-5).
const KEPT: Micros = Micros::seconds(limits::RUN_DEADLINE.as_seconds() + 86_400);
const NAMED: usize = 100;

/// How much fell.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Cascaded {
    /// Unexpired tokens that are dead now.
    pub tokens: u64,
    /// Set when there may be more: they are counted along the newest entries of the log, as far as is quick.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tokens_at_least: bool,
    /// Runs that ended, descendants included.
    pub runs: u64,
    /// Delegations that ended.
    pub delegations: u64,
}

/// What a revocation answers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Revoked {
    /// When it took effect.
    pub revoked_at: Timestamp,
    /// What fell with it.
    pub cascaded: Cascaded,
}

/// What stands under some grants, as one view shows it.
#[derive(Clone, Debug, Default)]
pub struct Below {
    grants: Vec<GrantId>,
    /// The live runs.
    pub runs: Vec<Id<kernel::Run>>,
    agents: BTreeSet<Id<Agent>>,
}

impl Below {
    /// Everything live under `grants`. `agents` are those to whom tokens may have been issued outside a run.
    pub fn of(view: &View, grants: &[GrantId], agents: &[Id<Agent>]) -> Self {
        let under = |run: &&std::sync::Arc<domain::RunCore>| {
            run.state_at(view.now).is_live()
                && grants.iter().any(|grant| run.lineage.contains(*grant))
        };
        let mut below = Self {
            grants: grants.to_vec(),
            runs: Vec::new(),
            agents: agents.iter().copied().collect(),
        };
        for run in view.org.runs().filter(under) {
            below.runs.push(run.id);
            below.agents.insert(run.agent);
        }
        below.runs.sort_unstable();
        below
    }

    /// Counts it: unexpired tokens by their entries in the log, and runs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count(&self, cx: &Cx) -> Result<Cascaded> {
        let (stream, now) = (cx.stream()?, cx.view()?.now);
        let (grants, agents) = (
            self.grants.clone(),
            self.agents.iter().copied().collect::<Vec<_>>(),
        );
        let count = move |reader: &mut store::Reader<'_>| {
            reader.tokens_under(stream, &agents, &grants, now)
        };
        let issued = cx
            .platform
            .store
            .read(stream, count)
            .await
            .map_err(Error::from)?;
        let runs = u64::try_from(self.runs.len()).unwrap_or(u64::MAX);
        Ok(Cascaded {
            tokens: issued.tokens,
            tokens_at_least: issued.more,
            runs,
            delegations: 0,
        })
    }

    /// What it covered, for the entry (REV-4).
    pub fn covered(&self, cascaded: &Cascaded) -> serde_json::Value {
        let named: Vec<_> = self.runs.iter().take(NAMED).collect();
        serde_json::json!({ "cascaded": cascaded, "runs": named })
    }

    /// Revokes the grants and ends the runs.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        self.grants
            .iter()
            .try_for_each(|grant| revoke_grant(tx, stream, *grant))?;
        self.end(tx, stream, RunState::Terminated)
    }

    /// Brings the live runs into `state`, which is an end or draining.
    ///
    /// # Errors
    /// When the database fails.
    pub fn end(&self, tx: &mut Tx<'_>, stream: Stream, state: RunState) -> Result<(), Refusal> {
        self.runs
            .iter()
            .try_for_each(|run| end_run(tx, stream, *run, state))
    }
}

fn end_run(
    tx: &mut Tx<'_>,
    stream: Stream,
    id: Id<kernel::Run>,
    state: RunState,
) -> Result<(), Refusal> {
    let now = tx.now();
    let row = tx.get::<Run>(stream, id.bytes())?;
    let Some(mut run) = row
        .map(|row| row.value)
        .filter(|run| run.core.state.is_live())
    else {
        return Ok(());
    };
    run.core.state = state;
    run.ended_at = (!state.is_live()).then_some(now);
    tx.put(stream, &run).map(|_| ())
}

/// Writes the one row that kills everything issued under a grant.
///
/// # Errors
/// When the database fails.
pub fn revoke_grant(tx: &mut Tx<'_>, stream: Stream, grant: GrantId) -> Result<(), Refusal> {
    let core = RevocationCore::of(RevocationCore::grant_node(grant), tx.now().plus(KEPT));
    revocation::write(tx, stream, core)
}
