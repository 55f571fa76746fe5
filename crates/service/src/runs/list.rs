//! Lists runs, oldest first, by agent and state. Own reach shows the runs of the caller's agents, and to an agent
//! its own. The state is the one that time gives, so rows are judged after they are read.

use super::RunAnswer;
use crate::{Cx, Meta, Operation, Page, PageQuery, Result, Target, caller};
use authz::Access;
use domain::{Permission, Run, RunState, Stream};
use kernel::{Agent, Id, Timestamp, limits};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::HashSet;
use store::{Query, Reader, StoreError};

/// Lists runs.
pub struct List;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListInput {
    /// Only this agent's runs.
    #[serde(default)]
    agent: Option<Id<Agent>>,
    /// Only runs in this state.
    #[serde(default)]
    state: Option<RunState>,
    /// Most items wanted, 1 to 200.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to count everything that matches.
    #[serde(default)]
    total: Option<bool>,
}

impl Operation for List {
    const META: Meta = Meta {
        summary: "List runs by agent and state",
        tool: Some("list-runs"),
        command: "run list",
        ..Meta::read("runs.list", "/orgs/{org}/runs", Permission::RunsRead)
    };
    type Input = ListInput;
    type Output = Page<RunAnswer>;

    fn target(_: &ListInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: ListInput) -> Result<Page<RunAnswer>> {
        let list = format!("runs.list {:?} {:?}", input.agent, input.state);
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor.clone(),
            total: input.total,
        };
        let (limit, after) = (page.limit()?, page.after(cx, &list)?);
        let (stream, now) = (cx.stream()?, cx.view()?.now);
        let shown = Shown {
            agents: own_agents(cx)?,
            agent: input.agent,
            state: input.state,
            now,
        };
        let counts = page.total == Some(true);
        let read = move |reader: &mut Reader<'_>| {
            let total = if counts {
                Some(scan(reader, stream, &shown, None, usize::MAX)?.len())
            } else {
                None
            };
            Ok((scan(reader, stream, &shown, after, limit + 1)?, total))
        };
        let (rows, total) = cx.platform.store.read(stream, read).await?;
        let total = total.map(|total| u64::try_from(total).unwrap_or(u64::MAX));
        let items = rows
            .iter()
            .map(|run| (run.core.id.bytes(), RunAnswer::new(run, now)))
            .collect();
        Page::cut(cx, &list, limit, items, total)
    }
}

/// Which runs are shown.
struct Shown {
    agents: Option<HashSet<Id<Agent>>>,
    agent: Option<Id<Agent>>,
    state: Option<RunState>,
    now: Timestamp,
}

impl Shown {
    fn fits(&self, run: &Run) -> bool {
        self.agents
            .as_ref()
            .is_none_or(|agents| agents.contains(&run.core.agent))
            && self
                .state
                .is_none_or(|state| run.core.state_at(self.now) == state)
    }
}

/// The agents whose runs the caller may see; none means all.
fn own_agents(cx: &Cx) -> Result<Option<HashSet<Id<Agent>>>> {
    if cx.access() == Access::All {
        return Ok(None);
    }
    let principal = cx.caller()?.principal;
    let own = cx
        .view()?
        .org
        .agents()
        .filter(|agent| caller::owners_of(agent).contains(&principal));
    Ok(Some(own.map(|agent| agent.id).collect()))
}

/// Rows in order until `wanted` fit or there are no more.
fn scan(
    reader: &mut Reader<'_>,
    stream: Stream,
    shown: &Shown,
    mut after: Option<[u8; 16]>,
    wanted: usize,
) -> Result<Vec<Run>, StoreError> {
    let mut found = Vec::new();
    loop {
        let filter = shown
            .agent
            .map(|agent| ("core.agent", agent.to_string()))
            .into_iter()
            .collect();
        let rows = reader.list::<Run>(
            stream,
            &Query {
                after,
                limit: limits::PAGE_MAX,
                filter,
            },
        )?;
        after = rows.last().map(|row| row.value.core.id.bytes());
        let last = rows.len() < limits::PAGE_MAX;
        found.extend(
            rows.into_iter()
                .map(|row| row.value)
                .filter(|run| shown.fits(run)),
        );
        if last || found.len() >= wanted {
            found.truncate(wanted);
            return Ok(found);
        }
    }
}
