//! Ending a membership: roles are taken and API tokens revoked with everything started by them, in one commit.
//! The last owner cannot be ended, also when two owners end each other at once.

use super::{
    create::FORMER_CLAIM,
    person::{self, Person, StateInput},
};
use crate::{
    Act, Cx, Result,
    access::{
        giving,
        owners::{self, Leaving},
    },
    operation::{Meta, Method, Operation, Target},
    revocation, tokens,
};
use domain::{ApiToken, Assignment, MembershipState, Permission, Stream};
use kernel::{Id, Timestamp, User};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Query, Refusal, Tx};

/// Ends a membership.
pub struct DeactivateUser;

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The person.
    #[serde(flatten)]
    person: Person,
    /// When the membership ended.
    deactivated_at: Timestamp,
    /// What ended with it.
    cascaded: Cascaded,
}

/// What ended with a membership.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Cascaded {
    /// API tokens.
    tokens: u64,
    /// Roles.
    role_assignments: u64,
}

impl Operation for DeactivateUser {
    const META: Meta = Meta {
        summary: "End a person's membership with their roles and API tokens",
        tool: Some("deactivate-user"),
        command: "user deactivate",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "users.deactivate",
            Method::Post,
            "/orgs/{org}/users/{id}/deactivate",
            Permission::UsersSuspend,
        )
    };
    type Input = StateInput;
    type Output = Output;

    fn target(input: &StateInput, view: &View, _: &Cx) -> Result<Target> {
        person::target(view, input.id)
    }

    async fn run(cx: &Cx, input: StateInput) -> Result<Output> {
        use MembershipState as S;
        let (view, stream, id, expected) =
            (cx.view()?, cx.stream()?, input.id, cx.envelope.if_match);
        let act = person::act(
            cx,
            "user.deactivated",
            &input,
            &[S::Pending, S::Active, S::Suspended],
        )?;
        if giving::is_owner(view, id) {
            giving::may_move_owners(cx)?;
        }
        let owner = owners::after(view, Leaving::Person(id))?;
        let act = covering(act, view, id);
        let stood = authz::Facts::membership(view, id) != Some(S::Pending);
        let write = move |tx: &mut Tx<'_>| {
            let (member, version) = person::move_to(tx, stream, id, S::Deactivated, expected)?;
            if stood {
                tx.claim(stream, FORMER_CLAIM, &id.to_string(), id.bytes())?;
            }
            let cascaded = end_all(tx, stream, id)?;
            owner.map_or(Ok(()), |owner| owners::one_remains(tx, stream, owner))?;
            Ok(Output {
                person: Person::new(member, version, Vec::new()),
                deactivated_at: tx.now(),
                cascaded,
            })
        };
        Ok(cx.commit(act, write).await?.value)
    }

    fn version(output: &Output) -> Option<u64> {
        Some(output.person.version())
    }
}

/// The entry says what it covers (REV-4).
fn covering(act: Act, view: &View, id: Id<User>) -> Act {
    let tokens: Vec<_> = view
        .org
        .tokens()
        .filter(|token| token.user == id && !token.revoked)
        .map(|token| token.id)
        .collect();
    let roles: Vec<_> = view
        .org
        .assignments_of(id)
        .map(|given| given.role)
        .collect();
    act.after(json!({ "status": MembershipState::Deactivated, "tokens": tokens, "roles": roles }))
}

fn end_all(tx: &mut Tx<'_>, stream: Stream, id: Id<User>) -> Result<Cascaded, Refusal> {
    let of = |member: &'static str| Query {
        after: None,
        limit: usize::MAX,
        filter: vec![(member, id.to_string())],
    };
    // What their agents hold now is dead by state; it stays dead when the person comes back.
    revocation::write(tx, stream, revocation::issued(id.bytes(), tx.now()))?;
    let mut cascaded = Cascaded {
        tokens: 0,
        role_assignments: 0,
    };
    for given in tx.select::<Assignment>(stream, &of("core.subject"))? {
        tx.remove(stream, &given.value)?;
        cascaded.role_assignments += 1;
    }
    for token in tx.select::<ApiToken>(stream, &of("core.user"))? {
        if !token.value.core.revoked {
            tokens::end(tx, stream, token.value)?;
            cascaded.tokens += 1;
        }
    }
    Ok(cascaded)
}
