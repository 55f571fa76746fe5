//! Listing the kill switches of an organization that were ever moved, with how they stand.

use super::kill::Output;
use crate::{
    Cx, Page, PageQuery, Result,
    operation::{Meta, Operation, Target},
};
use domain::{KillSwitch, Permission};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use store::Query;

/// Lists kill switches.
pub struct ListKillSwitches;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Only those that are set, or are not.
    #[serde(default)]
    on: Option<bool>,
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

impl Operation for ListKillSwitches {
    const META: Meta = Meta {
        summary: "List kill switches",
        tool: Some("list-kill-switches"),
        command: "kill-switch list",
        ..Meta::read(
            "kill_switches.list",
            "/orgs/{org}/kill-switches",
            Permission::KillSwitchesRead,
        )
    };
    type Input = Input;
    type Output = Page<Output>;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Page<Output>> {
        let filter: Vec<_> = input
            .on
            .map(|on| ("core.on", on.to_string()))
            .into_iter()
            .collect();
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let list = format!("kill-switches {filter:?}");
        let (limit, after, stream) = (page.limit()?, page.after(cx, &list)?, cx.stream()?);
        let counted = page.total.unwrap_or(false);
        let read = cx.platform.store.read(stream, move |reader| {
            let total = counted
                .then(|| reader.count::<KillSwitch>(stream, &filter))
                .transpose()?;
            Ok((
                reader.list::<KillSwitch>(
                    stream,
                    &Query {
                        after,
                        limit: limit + 1,
                        filter,
                    },
                )?,
                total,
            ))
        });
        let (rows, total) = read.await?;
        let shown = rows.into_iter().map(|row| {
            let KillSwitch {
                core,
                reason,
                changed_at,
            } = row.value;
            (
                core.target.key(),
                Output {
                    scope: core.target,
                    on: core.on,
                    reason,
                    changed_at,
                    covers: None,
                },
            )
        });
        Page::cut(cx, &list, limit, shown.collect(), total)
    }
}
