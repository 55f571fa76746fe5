//! Which person of an organization an e-mail address names. The state that decisions read holds no addresses, so the
//! database is asked once for each and the answer kept: an address is one person's for good, and that it is nobody's
//! is worth something only for the very state on which it was found out.

use crate::{Platform, Result, directory::EMAIL_CLAIM};
use domain::{Stream, name};
use kernel::{Id, Org, User, limits};
use live::{OrgState, View};
use quick_cache::{Equivalent, sync::Cache};
use std::sync::{Arc, Weak};

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    org: Id<Org>,
    text: Box<str>,
}

/// A key that is looked for; it hashes as the key does.
#[derive(Hash)]
struct Sought<'a> {
    org: Id<Org>,
    text: &'a str,
}

impl Equivalent<Key> for Sought<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.org == key.org && *self.text == *key.text
    }
}

#[derive(Clone)]
enum Named {
    Person(Id<User>),
    /// Nobody, in this state.
    Nobody(Weak<OrgState>),
}

/// The addresses that were asked about, in the spelling in which they were.
pub struct Addresses(Cache<Key, Named>);

impl Default for Addresses {
    fn default() -> Self {
        Self(Cache::new(limits::ADDRESSES))
    }
}

impl Addresses {
    fn known(&self, view: &View, text: &str) -> Option<Option<Id<User>>> {
        let org = view.id();
        match self.0.get(&Sought { org, text })? {
            Named::Person(user) => Some(Some(user)),
            Named::Nobody(state) if std::ptr::eq(state.as_ptr(), Arc::as_ptr(&view.org)) => {
                Some(None)
            }
            Named::Nobody(_) => None,
        }
    }
}

/// The person whom an address names in an organization.
///
/// # Errors
/// When the address was not asked about before and the database does not answer.
pub(super) async fn person(
    platform: &Platform,
    view: &View,
    text: &str,
) -> Result<Option<Id<User>>> {
    if let Some(known) = platform.addresses.known(view, text) {
        return Ok(known);
    }
    let Ok((_, canonical)) = name::email(text) else {
        return Ok(None);
    };
    let stream = Stream::org(view.id());
    let look =
        move |reader: &mut store::Reader<'_>| reader.claimed(stream, EMAIL_CLAIM, &canonical);
    let found = platform.store.read(stream, look).await?;
    let named = match found.map(Id::from_bytes) {
        Some(user) => Named::Person(user),
        None => Named::Nobody(Arc::downgrade(&view.org)),
    };
    let key = Key {
        org: view.id(),
        text: text.into(),
    };
    platform.addresses.0.insert(key, named);
    Ok(found.map(Id::from_bytes))
}
