//! Taking a role from somebody. The last owner keeps theirs, also when two owners remove each other at once.

use super::{
    giving,
    owners::{self, Leaving},
};
use crate::{
    Act, Cx, Error, Result,
    operation::{Meta, Method, Operation, Target},
};
use domain::{Assignment, Builtin, Permission};
use kernel::{Code, Id, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Refusal;

/// Takes a role from somebody.
pub struct Unassign;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The assignment.
    id: Id<kernel::Assignment>,
}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    id: Id<kernel::Assignment>,
    /// When the role was taken.
    removed_at: Timestamp,
}

impl Operation for Unassign {
    const META: Meta = Meta {
        summary: "Take a role from somebody",
        tool: Some("remove-role-assignment"),
        command: "role unassign",
        ..Meta::write(
            "role_assignments.delete",
            Method::Delete,
            "/orgs/{org}/role-assignments/{id}",
            Permission::RolesAssign,
        )
    };
    type Input = Input;
    type Output = Output;

    /// Who may not take roles does not learn here which exist; the assignment is looked up when it is used.
    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let (view, stream, id) = (cx.view()?, cx.stream()?, input.id);
        let given = view
            .org
            .assignment(id)
            .ok_or_else(|| Error::not_found("role assignment"))?;
        if view
            .org
            .builtin(Builtin::Owner)
            .is_some_and(|owner| owner.id == given.role)
        {
            giving::may_move_owners(cx)?;
        }
        let owner = owners::after(view, Leaving::Assignment(id))?;
        let before =
            json!({ "subject": given.subject, "role": given.role, "expires_at": given.expires_at });
        let act = Act::delete("role_assignment.deleted").on(id).before(before);
        let expected = cx.envelope.if_match;
        let write = move |tx: &mut store::Tx<'_>| {
            let gone = || Refusal::new(Code::NotFound, "no such role assignment here");
            let given = tx.get::<Assignment>(stream, id.bytes())?.ok_or_else(gone)?;
            if expected.is_some_and(|expected| expected != given.version) {
                return Err(Refusal::new(
                    Code::VersionMismatch,
                    "it changed meanwhile; read it again",
                ));
            }
            tx.remove(stream, &given.value)?;
            owner.map_or(Ok(()), |owner| owners::one_remains(tx, stream, owner))?;
            Ok(Output {
                id,
                removed_at: tx.now(),
            })
        };
        Ok(cx.commit(act, write).await?.value)
    }
}
