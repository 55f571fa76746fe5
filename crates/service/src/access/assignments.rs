//! Listing who has which role. Somebody who may see only what is theirs sees their own.

use super::{Given, roles};
use crate::{
    Cx, Error, Page, PageQuery, Result,
    operation::{Meta, Operation, Target},
};
use authz::Access;
use domain::{Assignment, Permission};
use kernel::{Id, User};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use store::Query;

/// Lists role assignments.
pub struct ListAssignments;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Only those of this person.
    #[serde(default)]
    subject: Option<Id<User>>,
    /// Only those of this role, by id or name.
    #[serde(default)]
    role: Option<String>,
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

impl Operation for ListAssignments {
    const META: Meta = Meta {
        summary: "List who has which role",
        tool: Some("list-role-assignments"),
        command: "role assignments",
        ..Meta::read(
            "role_assignments.list",
            "/orgs/{org}/role-assignments",
            Permission::RolesRead,
        )
    };
    type Input = Input;
    type Output = Page<Given>;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Page<Given>> {
        let filter = filter(cx, &input).await?;
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let list = format!("role-assignments {filter:?}");
        let (limit, after, stream) = (page.limit()?, page.after(cx, &list)?, cx.stream()?);
        let counted = page.total.unwrap_or(false);
        let read = cx.platform.store.read(stream, move |reader| {
            let total = counted
                .then(|| reader.count::<Assignment>(stream, &filter))
                .transpose()?;
            Ok((
                reader.list::<Assignment>(
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
        let names = roles::names(cx, rows.iter().map(|row| row.value.core.role).collect()).await?;
        let shown = rows.into_iter().map(|row| {
            let name = names.get(&row.value.core.role).cloned().unwrap_or_default();
            (
                row.value.core.id.bytes(),
                Given::new(&row.value.core, name, row.value.created_at),
            )
        });
        Page::cut(cx, &list, limit, shown.collect(), total)
    }
}

async fn filter(cx: &Cx, input: &Input) -> Result<Vec<(&'static str, String)>> {
    let mine = if cx.access() == Access::Own {
        Some(
            cx.caller()?
                .user()
                .ok_or_else(|| Error::denied(Permission::RolesRead.as_str()))?,
        )
    } else {
        None
    };
    let role = match &input.role {
        Some(text) => Some(roles::named(cx, text).await?.core.id.to_string()),
        None => None,
    };
    let subjects = [input.subject, mine]
        .into_iter()
        .flatten()
        .map(|user| ("core.subject", user.to_string()));
    Ok(subjects
        .chain(role.map(|role| ("core.role", role)))
        .collect())
}
