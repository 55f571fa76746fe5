//! Reading one person. The reading is itself an entry, durable before the answer leaves (AUD-2).

use super::person::{self, Person};
use crate::{
    Cx, Error, Result,
    access::roles,
    operation::{Meta, Operation, Target},
};
use domain::{Membership, Permission};
use kernel::{Id, User};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

/// Reads a person.
pub struct ReadUser;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The person.
    id: Id<User>,
}

impl Operation for ReadUser {
    const META: Meta = Meta {
        summary: "Read a person",
        tool: Some("get-user"),
        command: "user get",
        records: Some("user.read"),
        ..Meta::read(
            "users.read",
            "/orgs/{org}/users/{id}",
            Permission::UsersRead,
        )
    };
    type Input = Input;
    type Output = Person;

    fn target(input: &Input, view: &View, _: &Cx) -> Result<Target> {
        person::target(view, input.id)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Person> {
        let (view, stream, key) = (cx.view()?, cx.stream()?, input.id.bytes());
        let row = cx
            .platform
            .store
            .read(stream, move |reader| reader.get::<Membership>(stream, key))
            .await?;
        let row = row.ok_or_else(|| Error::not_found("user"))?;
        let names = roles::names(cx, roles::of(view, input.id)).await?;
        Ok(Person::of(row, view, &names))
    }

    fn version(output: &Person) -> Option<u64> {
        Some(output.version())
    }
}
