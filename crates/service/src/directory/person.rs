//! A person as the organization sees them, and moving their membership from one state to another.

use crate::{Act, Cx, Error, Result, access::roles, bounds, operation::Target};
use authz::Facts;
use domain::{Membership, MembershipState, Permission, Principal, Stream};
use kernel::{Code, Id, Role, Timestamp, User};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Refusal, Tx, Versioned};

/// The claim by which an address is one person's in an organization.
pub(crate) const EMAIL_CLAIM: &str = "membership.email";

/// A person, as they are shown.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    id: Id<User>,
    /// The address this organization knows.
    email: String,
    /// The name this organization knows.
    name: String,
    status: MembershipState,
    /// The names of the roles the person has now.
    roles: Vec<String>,
    created_at: Timestamp,
    /// Version for `If-Match`.
    version: u64,
}

impl Person {
    pub(super) fn new(member: Membership, version: u64, roles: Vec<String>) -> Self {
        let Membership {
            core,
            email,
            name,
            created_at,
        } = member;
        Self {
            id: core.user,
            email,
            name,
            status: core.state,
            roles,
            created_at,
            version,
        }
    }
    pub(super) fn of(
        row: Versioned<Membership>,
        view: &View,
        names: &BTreeMap<Id<Role>, String>,
    ) -> Self {
        let roles = roles::of(view, row.value.core.user)
            .iter()
            .filter_map(|role| names.get(role).cloned())
            .collect();
        Self::new(row.value, row.version, roles)
    }
    pub(super) const fn version(&self) -> u64 {
        self.version
    }
}

/// A person of this organization, for the check of permission.
///
/// # Errors
/// `not_found`.
pub(super) fn target(view: &View, id: Id<User>) -> Result<Target> {
    view.membership(id)
        .ok_or_else(|| Error::not_found("user"))?;
    Ok(Target::Thing {
        noun: "user",
        owners: vec![Principal::User(id)],
        read: Permission::UsersRead,
    })
}

/// The names of the roles that somebody has now.
pub(super) async fn role_names(cx: &Cx, id: Id<User>) -> Result<Vec<String>> {
    let held = roles::of(cx.view()?, id);
    Ok(roles::names(cx, held).await?.into_values().collect())
}

/// What stops, resumes or ends somebody takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StateInput {
    /// The person.
    pub(super) id: Id<User>,
    /// Why; it is kept sealed in the log.
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// The entry of a change of state, with the reason sealed.
///
/// # Errors
/// When the reason is too long or the person is not in one of the states `from`.
pub(super) fn act(
    cx: &Cx,
    kind: &'static str,
    input: &StateInput,
    from: &[MembershipState],
) -> Result<Act> {
    if let Some(reason) = &input.reason {
        bounds::text("reason", reason)?;
    }
    let state = cx
        .view()?
        .membership(input.id)
        .ok_or_else(|| Error::not_found("user"))?;
    if !from.contains(&state) {
        let wanted: Vec<_> = from.iter().copied().map(name).collect();
        return Err(Error::state(format!(
            "this person is {} and must be {}",
            name(state),
            wanted.join(" or ")
        )));
    }
    let act = Act::update(kind)
        .on(input.id)
        .before(serde_json::json!({ "status": state }));
    Ok(act.claimed("reason", input.reason.as_deref()))
}

const fn name(state: MembershipState) -> &'static str {
    match state {
        MembershipState::Pending => "pending",
        MembershipState::Active => "active",
        MembershipState::Suspended => "suspended",
        MembershipState::Deactivated => "deactivated",
    }
}

/// Writes another state; gives the membership as it is then, with its version.
pub(super) fn move_to(
    tx: &mut Tx<'_>,
    stream: Stream,
    id: Id<User>,
    state: MembershipState,
    expected: Option<u64>,
) -> Result<(Membership, u64), Refusal> {
    let gone = || Refusal::new(Code::NotFound, "no such user here");
    let mut member = tx
        .get::<Membership>(stream, id.bytes())?
        .ok_or_else(gone)?
        .value;
    member.core.state = state;
    let version = tx.update(stream, &member, expected)?;
    Ok((member, version))
}
