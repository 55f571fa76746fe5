//! What a person holds at this moment and where each of it comes from (RBAC-6), from the same facts that decide.

use super::roles;
use crate::{
    Cx, Error, Result,
    operation::{Meta, Operation, Target},
};
use authz::Facts;
use domain::{Held, Permission, Principal, Reach, Scope};
use kernel::{Assignment, Id, Role, Timestamp, User};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Reads what a person holds.
pub struct EffectivePermissions;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The person.
    id: Id<User>,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    subject: Id<User>,
    /// Whether the person is active here; nobody else holds anything.
    active: bool,
    /// Platform permissions.
    permissions: Vec<HeldPermission>,
    /// Scopes that connections declare now.
    scopes: Vec<HeldScope>,
    /// Whether every scope of the organization is held, also those declared later.
    every_scope: bool,
}

/// A permission with where it comes from.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct HeldPermission {
    permission: Permission,
    /// `all` on everything of the organization, `own` on what the person owns.
    reach: String,
    sources: Vec<Source>,
}

/// A scope with where it comes from.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct HeldScope {
    scope: Scope,
    sources: Vec<Source>,
}

/// A role that gives something.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    role: Id<Role>,
    /// The role's name.
    name: String,
    /// The assignment by which the person has the role.
    assignment: Id<Assignment>,
    /// When that ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl Operation for EffectivePermissions {
    const META: Meta = Meta {
        summary: "Read what a person holds now and where it comes from",
        tool: Some("get-effective-permissions"),
        command: "user permissions",
        records: Some("user.permissions_read"),
        ..Meta::read(
            "users.effective_permissions",
            "/orgs/{org}/users/{id}/effective-permissions",
            Permission::UsersRead,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(input: &Input, view: &View, _: &Cx) -> Result<Target> {
        view.membership(input.id)
            .ok_or_else(|| Error::not_found("user"))?;
        let owners = vec![Principal::User(input.id)];
        Ok(Target::Thing {
            noun: "user",
            owners,
            read: Permission::UsersRead,
        })
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let view = cx.view()?;
        let names = roles::names(cx, roles::of(view, input.id)).await?;
        let active = authz::stands(view, input.id);
        let current = |end: Option<Timestamp>| active && end.is_none_or(|end| end > view.now);
        let given = view
            .org
            .assignments_of(input.id)
            .filter(|given| current(given.expires_at));
        let sources: Vec<(Held, Source)> = given
            .filter_map(|given| {
                let name = names.get(&given.role).cloned().unwrap_or_default();
                let source = Source {
                    role: given.role,
                    name,
                    assignment: given.id,
                    expires_at: given.expires_at,
                };
                Some((view.org.role(given.role)?.held(), source))
            })
            .collect();
        Ok(Output {
            subject: input.id,
            active,
            permissions: permissions(&sources),
            scopes: scopes(view, &sources),
            every_scope: sources.iter().any(|(held, _)| held.every_scope),
        })
    }
}

fn from(sources: &[(Held, Source)], gives: impl Fn(&Held) -> bool) -> Vec<Source> {
    sources
        .iter()
        .filter(|(held, _)| gives(held))
        .map(|(_, source)| source.clone())
        .collect()
}

fn permissions(sources: &[(Held, Source)]) -> Vec<HeldPermission> {
    let held = |permission: &Permission| {
        let reached = [(Reach::All, "all"), (Reach::Own, "own")];
        reached.into_iter().find_map(|(reach, name)| {
            let sources = from(sources, |held| held.has(*permission, reach));
            let some = HeldPermission {
                permission: *permission,
                reach: name.into(),
                sources,
            };
            (!some.sources.is_empty()).then_some(some)
        })
    };
    Permission::ALL.iter().filter_map(held).collect()
}

fn scopes(view: &View, sources: &[(Held, Source)]) -> Vec<HeldScope> {
    let declared: BTreeSet<&Scope> = view
        .org
        .connections()
        .flat_map(|connection| &connection.scopes)
        .collect();
    let held = declared.into_iter().map(|scope| {
        let sources = from(sources, |held| held.holds(scope));
        HeldScope {
            scope: scope.clone(),
            sources,
        }
    });
    held.filter(|scope| !scope.sources.is_empty()).collect()
}
