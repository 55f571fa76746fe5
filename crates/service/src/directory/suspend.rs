//! Stopping a person at once: their tokens, and everything of agents that they answer for, are empty from the next
//! request on. The last owner cannot be stopped.

use super::person::{self, Person, StateInput};
use crate::{
    Cx, Result,
    access::owners::{self, Leaving},
    operation::{Meta, Method, Operation, Target},
};
use domain::{MembershipState, Permission};
use live::View;
use serde_json::json;
use store::Tx;

/// Stops a person.
pub struct SuspendUser;

impl Operation for SuspendUser {
    const META: Meta = Meta {
        summary: "Suspend a person; what they and their agents hold is empty at once",
        tool: Some("suspend-user"),
        command: "user suspend",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "users.suspend",
            Method::Post,
            "/orgs/{org}/users/{id}/suspend",
            Permission::UsersSuspend,
        )
    };
    type Input = StateInput;
    type Output = Person;

    fn target(input: &StateInput, view: &View, _: &Cx) -> Result<Target> {
        person::target(view, input.id)
    }

    async fn run(cx: &Cx, input: StateInput) -> Result<Person> {
        let (view, stream, id, expected) =
            (cx.view()?, cx.stream()?, input.id, cx.envelope.if_match);
        let act = person::act(cx, "user.suspended", &input, &[MembershipState::Active])?;
        let owner = owners::after(view, Leaving::Person(id))?;
        let agents = view
            .org
            .agents()
            .filter(|agent| agent.owner.0 == id || agent.sponsor == id)
            .count();
        let act = act.after(json!({ "status": MembershipState::Suspended, "agents": agents }));
        let roles = person::role_names(cx, id).await?;
        let write = move |tx: &mut Tx<'_>| {
            let (member, version) =
                person::move_to(tx, stream, id, MembershipState::Suspended, expected)?;
            owner.map_or(Ok(()), |owner| owners::one_remains(tx, stream, owner))?;
            Ok(Person::new(member, version, roles.clone()))
        };
        Ok(cx.commit(act, write).await?.value)
    }

    fn version(output: &Person) -> Option<u64> {
        Some(output.version())
    }
}
