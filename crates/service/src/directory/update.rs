//! Changing the name by which an organization knows a person. The name is personal and stays out of the log.

use super::person::{self, Person};
use crate::{
    Act, Cx, Result, bounds,
    operation::{Meta, Method, Operation, Target},
};
use domain::{Membership, Permission};
use kernel::{Code, Id, User};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use store::{Refusal, Tx};

/// Changes a person's name.
pub struct UpdateUser;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The person.
    id: Id<User>,
    /// The new name.
    name: String,
}

impl Operation for UpdateUser {
    const META: Meta = Meta {
        summary: "Change a person's name",
        tool: Some("update-user"),
        command: "user update",
        ..Meta::write(
            "users.update",
            Method::Patch,
            "/orgs/{org}/users/{id}",
            Permission::UsersUpdate,
        )
    };
    type Input = Input;
    type Output = Person;

    fn target(input: &Input, view: &View, _: &Cx) -> Result<Target> {
        person::target(view, input.id)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Person> {
        let (name, _) = bounds::name("name", &input.name)?;
        let roles = person::role_names(cx, input.id).await?;
        let (stream, id, expected) = (cx.stream()?, input.id, cx.envelope.if_match);
        let act = Act::update("user.updated")
            .on(id)
            .after(json!({ "changed": ["name"] }));
        let write = move |tx: &mut Tx<'_>| {
            let gone = || Refusal::new(Code::NotFound, "no such user here");
            let mut member = tx
                .get::<Membership>(stream, id.bytes())?
                .ok_or_else(gone)?
                .value;
            member.name.clone_from(&name);
            let version = tx.update(stream, &member, expected)?;
            Ok(Person::new(member, version, roles.clone()))
        };
        Ok(cx.commit(act, write).await?.value)
    }

    fn version(output: &Person) -> Option<u64> {
        Some(output.version())
    }
}
