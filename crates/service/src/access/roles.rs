//! Finding roles by what people call them, and what to call them. It gives nothing and takes nothing.

use crate::{Cx, Error, Result};
use domain::Role;
use kernel::Id;
use live::View;
use std::collections::{BTreeMap, BTreeSet};

/// The claim by which a role's name is unique.
pub(crate) const NAME_CLAIM: &str = "role.name";

/// A role by its id or its name.
///
/// # Errors
/// `not_found`.
pub(crate) async fn named(cx: &Cx, text: &str) -> Result<Role> {
    let stream = cx.stream()?;
    let id = text.parse::<Id<kernel::Role>>().ok().map(|id| id.bytes());
    let key = domain::name::display(text)
        .map(|(_, key)| key)
        .unwrap_or_default();
    let read = cx.platform.store.read(stream, move |reader| {
        let id = match id {
            Some(id) => Some(id),
            None => reader.claimed(stream, NAME_CLAIM, &key)?,
        };
        id.map_or(Ok(None), |id| reader.get::<Role>(stream, id))
    });
    read.await?
        .map(|row| row.value)
        .ok_or_else(|| Error::not_found("role"))
}

/// The names of these roles; the built-in ones are known without asking.
///
/// # Errors
/// When the database does not answer.
pub(crate) async fn names(
    cx: &Cx,
    ids: BTreeSet<Id<kernel::Role>>,
) -> Result<BTreeMap<Id<kernel::Role>, String>> {
    let (view, stream) = (cx.view()?, cx.stream()?);
    let built_in = |id: &Id<kernel::Role>| view.org.role(*id).and_then(|role| role.builtin);
    let mut names: BTreeMap<_, _> = ids
        .iter()
        .filter_map(|id| Some((*id, built_in(id)?.name().to_owned())))
        .collect();
    let own: Vec<_> = ids
        .into_iter()
        .filter(|id| !names.contains_key(id))
        .collect();
    if own.is_empty() {
        return Ok(names);
    }
    let read = cx.platform.store.read(stream, move |reader| {
        own.into_iter()
            .map(|id| reader.get::<Role>(stream, id.bytes()))
            .collect::<Result<Vec<_>, _>>()
    });
    names.extend(
        read.await?
            .into_iter()
            .flatten()
            .map(|row| (row.value.core.id, row.value.name)),
    );
    Ok(names)
}

/// The roles that somebody has now.
pub(crate) fn of(view: &View, user: Id<kernel::User>) -> BTreeSet<Id<kernel::Role>> {
    let current = |end: Option<kernel::Timestamp>| end.is_none_or(|end| end > view.now);
    let given = view
        .org
        .assignments_of(user)
        .filter(|given| current(given.expires_at));
    given.map(|given| given.role).collect()
}
