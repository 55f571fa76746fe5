//! Listing people, page by page. Somebody who may see only what is theirs sees themselves. The reading is itself
//! an entry with the number of people shown (AUD-2).

use super::person::{EMAIL_CLAIM, Person};
use crate::{
    Cx, Error, Page, PageQuery, Result,
    access::roles,
    operation::{Meta, Operation, Target},
};
use authz::Access;
use domain::{Membership, MembershipState, Permission, name};
use kernel::{Id, User};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use store::{Query, Reader, StoreError, Versioned};

/// Lists people.
pub struct ListUsers;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Only people in this state.
    #[serde(default)]
    status: Option<MembershipState>,
    /// Only the person with this address.
    #[serde(default)]
    email: Option<String>,
    /// Most items wanted, 1 to 200.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to count everything that matches.
    #[serde(default)]
    total: Option<bool>,
}

impl Operation for ListUsers {
    const META: Meta = Meta {
        summary: "List people",
        tool: Some("list-users"),
        command: "user list",
        records: Some("user.listed"),
        ..Meta::read("users.list", "/orgs/{org}/users", Permission::UsersRead)
    };
    type Input = Input;
    type Output = Page<Person>;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Page<Person>> {
        let found = found(cx, &input).await?;
        let status = input
            .status
            .map(|state| serde_json::to_value(state).map_err(Error::internal))
            .transpose()?;
        let status = status.and_then(|state| state.as_str().map(str::to_owned));
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let list = format!("users {status:?} {found:?}");
        let (limit, after, stream) = (page.limit()?, page.after(cx, &list)?, cx.stream()?);
        let counted = page.total.unwrap_or(false);
        let filter: Vec<_> = status
            .map(|status| ("core.state", status))
            .into_iter()
            .collect();
        let query = Query {
            after,
            limit: limit + 1,
            filter,
        };
        let read = cx.platform.store.read(stream, move |reader| match found {
            Found::Anybody => {
                let total = counted
                    .then(|| reader.count::<Membership>(stream, &query.filter))
                    .transpose()?;
                Ok((reader.list::<Membership>(stream, &query)?, total))
            }
            Found::Only(one) => {
                let rows = only(reader, stream, one, &query)?;
                let total = u64::try_from(rows.len()).ok().filter(|_| counted);
                Ok((rows, total))
            }
        });
        let (rows, total) = read.await?;
        let view = cx.view()?;
        let held = rows
            .iter()
            .flat_map(|row| roles::of(view, row.value.core.user))
            .collect();
        let names = roles::names(cx, held).await?;
        let shown = rows
            .into_iter()
            .map(|row| (row.value.core.user.bytes(), Person::of(row, view, &names)));
        Page::cut(cx, &list, limit, shown.collect(), total)
    }
}

/// Whom the filters leave.
#[derive(Clone, Copy, Debug)]
enum Found {
    Anybody,
    Only(Option<Id<User>>),
}

async fn found(cx: &Cx, input: &Input) -> Result<Found> {
    let mine = (cx.access() == Access::Own)
        .then(|| cx.caller().map(crate::Caller::user))
        .transpose()?;
    let Some(email) = &input.email else {
        return Ok(mine.map_or(Found::Anybody, Found::Only));
    };
    let (_, key) =
        name::email(email).map_err(|error| Error::invalid("email", error.to_string()))?;
    let stream = cx.stream()?;
    let read = cx.platform.store.read(stream, move |reader| {
        reader.claimed(stream, EMAIL_CLAIM, &key)
    });
    let id = read.await?.map(Id::from_bytes);
    Ok(Found::Only(
        id.filter(|id| mine.is_none_or(|mine| mine == Some(*id))),
    ))
}

fn only(
    reader: &mut Reader<'_>,
    stream: domain::Stream,
    one: Option<Id<User>>,
    query: &Query,
) -> Result<Vec<Versioned<Membership>>, StoreError> {
    let Some(one) = one.filter(|one| query.after.is_none_or(|after| one.bytes() > after)) else {
        return Ok(Vec::new());
    };
    let row = reader.get::<Membership>(stream, one.bytes())?;
    let state = |row: &Versioned<Membership>| serde_json::to_value(row.value.core.state).ok();
    let wanted = |row: &Versioned<Membership>| {
        query
            .filter
            .iter()
            .all(|(_, text)| state(row).as_ref().and_then(|s| s.as_str()) == Some(text))
    };
    Ok(row.filter(wanted).into_iter().collect())
}
