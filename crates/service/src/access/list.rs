//! Listing roles with what they give. Somebody who may see only what is theirs sees the roles they have.

use super::roles;
use crate::{
    Cx, Page, PageQuery, Result,
    operation::{Meta, Operation, Target},
};
use authz::Access;
use domain::{Permission, Permissions, Role, ScopePattern};
use kernel::{Id, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use store::Query;

/// Lists roles.
pub struct ListRoles;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
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

/// A role, as it is shown.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct RoleView {
    id: Id<kernel::Role>,
    /// Its name, unique in the organization.
    name: String,
    /// Whether it follows a rule of the product; the organization cannot change it.
    builtin: bool,
    /// What it gives on everything of the organization.
    permissions: Permissions,
    /// What it gives on what its holder owns.
    own_permissions: Permissions,
    /// Whether it gives every scope of the organization.
    every_scope: bool,
    /// The scopes it gives, by name or pattern.
    scopes: Vec<ScopePattern>,
    created_at: Timestamp,
    /// Version for `If-Match`.
    pub(super) version: u64,
}

impl RoleView {
    pub(super) fn new(role: Role, version: u64) -> Self {
        let held = role.core.held();
        Self {
            id: role.core.id,
            name: role.name,
            builtin: role.core.builtin.is_some(),
            permissions: held.all,
            own_permissions: held.own,
            every_scope: held.every_scope,
            scopes: held.scopes,
            created_at: role.created_at,
            version,
        }
    }
}

impl Operation for ListRoles {
    const META: Meta = Meta {
        summary: "List roles with what they give",
        tool: Some("list-roles"),
        command: "role list",
        ..Meta::read("roles.list", "/orgs/{org}/roles", Permission::RolesRead)
    };
    type Input = Input;
    type Output = Page<RoleView>;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Page<RoleView>> {
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let (limit, after, stream) = (page.limit()?, page.after(cx, "roles")?, cx.stream()?);
        let mine = (cx.access() == Access::Own).then(|| mine(cx)).transpose()?;
        let counted = page.total.unwrap_or(false);
        let (rows, total) = cx
            .platform
            .store
            .read(stream, move |reader| match mine {
                Some(ids) => {
                    let total = u64::try_from(ids.len()).ok();
                    let left = ids
                        .into_iter()
                        .filter(|id| after.is_none_or(|after| id.bytes() > after))
                        .take(limit + 1);
                    let rows = left
                        .map(|id| reader.get::<Role>(stream, id.bytes()))
                        .collect::<Result<Vec<_>, _>>()?;
                    Ok((
                        rows.into_iter().flatten().collect(),
                        total.filter(|_| counted),
                    ))
                }
                None => {
                    let total = counted
                        .then(|| reader.count::<Role>(stream, &[]))
                        .transpose()?;
                    Ok((
                        reader.list::<Role>(
                            stream,
                            &Query {
                                after,
                                limit: limit + 1,
                                filter: Vec::new(),
                            },
                        )?,
                        total,
                    ))
                }
            })
            .await?;
        let items = rows.into_iter().map(|row| {
            (
                row.value.core.id.bytes(),
                RoleView::new(row.value, row.version),
            )
        });
        Page::cut(cx, "roles", limit, items.collect(), total)
    }
}

fn mine(cx: &Cx) -> Result<Vec<Id<kernel::Role>>> {
    let user = cx.caller()?.user();
    let view = cx.view()?;
    Ok(user
        .map(|user| roles::of(view, user).into_iter().collect())
        .unwrap_or_default())
}
