//! Lists connections, oldest first. Own reach shows those the caller or an agent of theirs could use.

use super::{ConnectionAnswer, is_visible};
use crate::{Cx, Meta, Operation, Page, PageQuery, Result, Target};
use domain::{Connection, Permission};
use kernel::Id;
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

const LIST: &str = "connections.list";

/// Lists connections.
pub struct List;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListInput {
    /// Most items wanted, 1 to 200.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to count everything.
    #[serde(default)]
    total: Option<bool>,
}

impl Operation for List {
    const META: Meta = Meta {
        summary: "List connections",
        tool: Some("list-connections"),
        command: "connection list",
        ..Meta::read(LIST, "/orgs/{org}/connections", Permission::ConnectionsRead)
    };
    type Input = ListInput;
    type Output = Page<ConnectionAnswer>;

    fn target(_: &ListInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: ListInput) -> Result<Page<ConnectionAnswer>> {
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let (limit, after) = (page.limit()?, page.after(cx, LIST)?);
        let mut ids = visible(cx)?;
        let total =
            (page.total == Some(true)).then(|| u64::try_from(ids.len()).unwrap_or(u64::MAX));
        ids.retain(|id| after.is_none_or(|after| id.bytes() > after));
        ids.truncate(limit + 1);
        Page::cut(cx, LIST, limit, read(cx, ids).await?, total)
    }
}

fn visible(cx: &Cx) -> Result<Vec<Id<kernel::Connection>>> {
    let view = cx.view()?;
    let mut ids = Vec::new();
    for connection in view.org.connections() {
        if is_visible(cx, view, connection, cx.access())? {
            ids.push(connection.id);
        }
    }
    Ok(ids)
}

async fn read(
    cx: &Cx,
    ids: Vec<Id<kernel::Connection>>,
) -> Result<Vec<([u8; 16], ConnectionAnswer)>> {
    let stream = cx.stream()?;
    let read = move |reader: &mut store::Reader<'_>| {
        let rows = ids
            .iter()
            .map(|id| reader.get::<Connection>(stream, id.bytes()));
        rows.collect::<Result<Vec<_>, _>>()
    };
    let rows = cx.platform.store.read(stream, read).await?;
    let answer = |row: store::Versioned<Connection>| {
        (
            row.value.core.id.bytes(),
            ConnectionAnswer::new(&row.value, row.version),
        )
    };
    Ok(rows.into_iter().flatten().map(answer).collect())
}
