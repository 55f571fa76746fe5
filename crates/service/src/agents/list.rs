//! Lists agents, oldest first, by owner and state. Own reach shows what the caller owns, and to an agent itself.

use super::AgentAnswer;
use crate::{Cx, Meta, Operation, Page, PageQuery, Result, Target, caller};
use authz::Access;
use domain::{Agent, AgentCore, AgentState, Permission};
use kernel::{Id, User};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

/// Lists agents.
pub struct List;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListInput {
    /// Only this human's agents.
    #[serde(default)]
    owner: Option<Id<User>>,
    /// Only agents in this state.
    #[serde(default)]
    state: Option<AgentState>,
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
        summary: "List agents by owner and state",
        tool: Some("list-agents"),
        command: "agent list",
        ..Meta::read("agents.list", "/orgs/{org}/agents", Permission::AgentsRead)
    };
    type Input = ListInput;
    type Output = Page<AgentAnswer>;

    fn target(_: &ListInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: ListInput) -> Result<Page<AgentAnswer>> {
        let list = format!("agents.list {:?} {:?}", input.owner, input.state);
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor.clone(),
            total: input.total,
        };
        let (limit, after) = (page.limit()?, page.after(cx, &list)?);
        let mut ids = matching(cx, &input)?;
        ids.sort_unstable();
        let total =
            (page.total == Some(true)).then(|| u64::try_from(ids.len()).unwrap_or(u64::MAX));
        ids.retain(|id| after.is_none_or(|after| id.bytes() > after));
        ids.truncate(limit + 1);
        Page::cut(cx, &list, limit, read(cx, ids).await?, total)
    }
}

fn matching(cx: &Cx, input: &ListInput) -> Result<Vec<Id<kernel::Agent>>> {
    let principal = cx.caller()?.principal;
    let all = cx.access() == Access::All;
    let fits = |agent: &&std::sync::Arc<AgentCore>| {
        input.owner.is_none_or(|owner| agent.owner.0 == owner)
            && input.state.is_none_or(|state| agent.state == state)
            && (all || caller::owners_of(agent).contains(&principal))
    };
    Ok(cx
        .view()?
        .org
        .agents()
        .filter(fits)
        .map(|agent| agent.id)
        .collect())
}

async fn read(cx: &Cx, ids: Vec<Id<kernel::Agent>>) -> Result<Vec<([u8; 16], AgentAnswer)>> {
    let (view, stream) = (cx.view()?, cx.stream()?);
    let read = move |reader: &mut store::Reader<'_>| {
        let rows = ids.iter().map(|id| reader.get::<Agent>(stream, id.bytes()));
        rows.collect::<Result<Vec<_>, _>>()
    };
    let rows = cx.platform.store.read(stream, read).await?;
    let answer = |row: store::Versioned<Agent>| {
        (
            row.value.core.id.bytes(),
            AgentAnswer::new(view, &row.value, row.version),
        )
    };
    Ok(rows.into_iter().flatten().map(answer).collect())
}
