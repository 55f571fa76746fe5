//! Giving somebody a role, for good or until a time; never one that gives more than the giver holds (RBAC-4).

use super::{Given, giving, roles};
use crate::{
    Act, Cx, Error, Result,
    operation::{Meta, Method, Operation, Target},
};
use authz::Facts;
use domain::{Assignment, AssignmentCore, Membership, MembershipState, Permission, Stream};
use kernel::{Code, Id, Timestamp, User};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use store::{Query, Refusal, Tx};

/// Gives somebody a role.
pub struct Assign;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Who gets the role.
    subject: Id<User>,
    /// The role, by id or name.
    role: String,
    /// When it ends by itself; it does not when absent.
    #[serde(default)]
    expires_at: Option<Timestamp>,
}

impl Operation for Assign {
    const META: Meta = Meta {
        summary: "Give somebody a role that gives no more than you hold",
        tool: Some("assign-role"),
        command: "role assign",
        status: 201,
        ..Meta::write(
            "role_assignments.create",
            Method::Post,
            "/orgs/{org}/role-assignments",
            Permission::RolesAssign,
        )
    };
    type Input = Input;
    type Output = Given;

    /// Who may not give roles does not learn here who exists; the subject is looked up when it is used.
    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Given> {
        let now = cx.platform.clock.now();
        let subject = cx.view()?.membership(input.subject);
        subject.ok_or_else(|| Error::not_found("user"))?;
        if input.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid("expires_at", "must lie in the future"));
        }
        let role = roles::named(cx, &input.role).await?;
        giving::may_give(cx, &role.core, input.expires_at)?;
        let (stream, id) = (cx.stream()?, cx.id());
        let core = AssignmentCore {
            id,
            subject: input.subject,
            role: role.core.id,
            expires_at: input.expires_at,
        };
        let after =
            json!({ "subject": core.subject, "role": core.role, "expires_at": core.expires_at });
        let act = Act::create("role_assignment.created").on(id).after(after);
        let given = Assignment {
            core,
            created_at: now,
        };
        let write = move |tx: &mut Tx<'_>| {
            give(tx, stream, &given)?;
            Ok(Given::new(&given.core, role.name.clone(), given.created_at))
        };
        Ok(cx.commit(act, write).await?.value)
    }
}

/// Writes an assignment of somebody who is there and does not have the role already.
fn give(tx: &mut Tx<'_>, stream: Stream, given: &Assignment) -> Result<(), Refusal> {
    let core = &given.core;
    let gone = || Refusal::new(Code::NotFound, "no such user here");
    let member = tx
        .get::<Membership>(stream, core.subject.bytes())?
        .ok_or_else(gone)?;
    if member.value.core.state == MembershipState::Deactivated {
        return Err(Refusal::new(
            Code::InvalidState,
            "this person was deactivated; add them again first",
        ));
    }
    let now = tx.now();
    let filter = vec![
        ("core.subject", core.subject.to_string()),
        ("core.role", core.role.to_string()),
    ];
    let same = tx.select::<Assignment>(
        stream,
        &Query {
            after: None,
            limit: usize::MAX,
            filter,
        },
    )?;
    if same
        .iter()
        .any(|row| row.value.core.expires_at.is_none_or(|end| end > now))
    {
        let detail =
            "this person has the role already; remove that assignment first to change when it ends";
        return Err(Refusal::new(Code::AlreadyExists, detail).on("role"));
    }
    tx.insert(stream, given)
}
