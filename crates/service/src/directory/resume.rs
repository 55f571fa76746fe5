//! Letting a suspended person go on. It gives back what they held, so it takes somebody who holds all of it, and
//! for an owner somebody who may make owners (RBAC-10).

use super::person::{self, Person, StateInput};
use crate::{
    Cx, Result,
    access::{giving, roles},
    operation::{Meta, Method, Operation, Target},
};
use domain::{Held, MembershipState, Permission};
use kernel::{Id, User};
use live::View;
use serde_json::json;
use store::Tx;

/// Lets a suspended person go on.
pub struct ResumeUser;

impl Operation for ResumeUser {
    const META: Meta = Meta {
        summary: "Resume a suspended person",
        tool: Some("resume-user"),
        command: "user resume",
        ..Meta::write(
            "users.resume",
            Method::Post,
            "/orgs/{org}/users/{id}/resume",
            Permission::UsersSuspend,
        )
    };
    type Input = StateInput;
    type Output = Person;

    fn target(input: &StateInput, view: &View, _: &Cx) -> Result<Target> {
        person::target(view, input.id)
    }

    async fn run(cx: &Cx, input: StateInput) -> Result<Person> {
        let (stream, id, expected) = (cx.stream()?, input.id, cx.envelope.if_match);
        let act = person::act(cx, "user.resumed", &input, &[MembershipState::Suspended])?;
        let view = cx.view()?;
        if giving::is_owner(view, id) {
            giving::may_move_owners(cx)?;
        }
        giving::within(&cx.caller()?.held, &given_back(view, id))?;
        let act = act.after(json!({ "status": MembershipState::Active }));
        let roles = person::role_names(cx, id).await?;
        let write = move |tx: &mut Tx<'_>| {
            let (member, version) =
                person::move_to(tx, stream, id, MembershipState::Active, expected)?;
            Ok(Person::new(member, version, roles.clone()))
        };
        Ok(cx.commit(act, write).await?.value)
    }

    fn version(output: &Person) -> Option<u64> {
        Some(output.version())
    }
}

/// What somebody holds once they are active again.
fn given_back(view: &View, id: Id<User>) -> Held {
    let mut held = Held::default();
    let roles = roles::of(view, id);
    let roles = roles.iter().filter_map(|role| view.org.role(*role));
    roles.for_each(|role| held.add(&role.held()));
    held
}
