//! Making a role: a flat set of permissions and scopes, never more than its maker holds (RBAC-4).

use super::{giving, list::RoleView, roles::NAME_CLAIM};
use crate::{
    Act, Cx, Error, Result, bounds,
    operation::{Meta, Method, Operation, Target},
};
use domain::{Held, Permission, Permissions, Role, RoleCore, Scope, ScopePattern};
use kernel::{limit, limits};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Makes a role.
pub struct CreateRole;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Its name, unique in the organization.
    name: String,
    /// The platform permissions it gives on everything of the organization.
    #[serde(default)]
    permissions: Permissions,
    /// The scopes it gives: declared ones, or patterns such as `orders:*` that mean what is declared when asked.
    #[serde(default)]
    scopes: Vec<ScopePattern>,
}

impl Operation for CreateRole {
    const META: Meta = Meta {
        summary: "Make a role of permissions and scopes that you hold yourself",
        tool: Some("create-role"),
        command: "role create",
        status: 201,
        ..Meta::write(
            "roles.create",
            Method::Post,
            "/orgs/{org}/roles",
            Permission::RolesCreate,
        )
    };
    type Input = Input;
    type Output = RoleView;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<RoleView> {
        let (name, key) = bounds::name("name", &input.name)?;
        let scopes = scopes(cx.view()?, input.scopes)?;
        let gives = Held {
            all: input.permissions,
            scopes,
            ..Held::default()
        };
        if let Some(permission) = input
            .permissions
            .iter()
            .find(|permission| permission.is_instance())
        {
            let detail = format!(
                "`{}` belongs to the instance; a role of an organization cannot give it",
                permission.as_str()
            );
            return Err(Error::invalid("permissions", detail));
        }
        giving::within(&cx.caller()?.held, &gives)?;
        let (stream, now) = (cx.stream()?, cx.platform.clock.now());
        let core = RoleCore {
            id: cx.id(),
            builtin: None,
            permissions: gives.all,
            scopes: gives.scopes,
        };
        let role = Role {
            core,
            name,
            created_at: now,
        };
        let after = json!({ "permissions": role.core.permissions, "scopes": role.core.scopes });
        let act = Act::create("role.created").on(role.core.id).after(after);
        let write = move |tx: &mut store::Tx<'_>| {
            tx.claim(stream, NAME_CLAIM, &key, role.core.id.bytes())?;
            tx.insert(stream, &role)?;
            Ok(RoleView::new(role.clone(), 1))
        };
        Ok(cx.commit(act, write).await?.value)
    }

    fn version(output: &RoleView) -> Option<u64> {
        Some(output.version)
    }
}

/// The scopes, sorted, each once. A plain name must be declared somewhere, so that a typing error gives nothing later.
fn scopes(view: &View, mut wanted: Vec<ScopePattern>) -> Result<Vec<ScopePattern>> {
    wanted.sort();
    wanted.dedup();
    if wanted.len() > limits::SCOPES {
        return Err(Error::invalid(
            "scopes",
            format!("must hold at most {} scopes", limits::SCOPES),
        )
        .at(limit!(SCOPES)));
    }
    let declared = |scope: &Scope| {
        view.org
            .connections()
            .any(|connection| connection.scopes.contains(scope))
    };
    if let Some(kept) = wanted.iter().find(|pattern| pattern.is_reserved()) {
        let detail = format!(
            "`{}` begins with a name that is reserved; choose another first part",
            kept.as_str()
        );
        return Err(Error::invalid("scopes", detail));
    }
    for pattern in wanted.iter().filter(|pattern| !pattern.is_wild()) {
        if !Scope::parse(pattern.as_str()).is_ok_and(|scope| declared(&scope)) {
            let detail = format!(
                "no connection declares `{}`; declare it there first",
                pattern.as_str()
            );
            return Err(Error::invalid("scopes", detail));
        }
    }
    Ok(wanted)
}
