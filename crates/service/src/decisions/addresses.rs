//! Which person of an organization an e-mail address names. The state that decisions read holds no addresses, so the
//! database is asked once for each and the answer kept: an address is one person's for good, and that it is nobody's
//! is worth something only for the very state on which it was found out.

use crate::{Platform, Result, directory::EMAIL_CLAIM};
use domain::{Stream, name};
use kernel::{Id, Org, User, limits};
use live::{OrgState, View};
use quick_cache::{Equivalent, sync::Cache};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Weak},
};

/// Addresses that one request has looked for.
const AT_ONCE: usize = 50;

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

    fn remember(&self, view: &View, text: &str, person: Option<Id<User>>) {
        let named = match person {
            Some(user) => Named::Person(user),
            None => Named::Nobody(Arc::downgrade(&view.org)),
        };
        let key = Key {
            org: view.id(),
            text: text.into(),
        };
        self.0.insert(key, named);
    }
}

/// The persons whom addresses name in an organization, in one read of those that were not asked about before. Of these
/// only so many are looked for: the rest is not in the answer.
///
/// # Errors
/// When one was not asked about before and the database does not answer.
pub(super) async fn persons<'a>(
    platform: &Platform,
    view: &View,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<HashMap<&'a str, Option<Id<User>>>> {
    let (mut named, mut sought) = (HashMap::new(), BTreeMap::new());
    for text in texts {
        if named.contains_key(text) || sought.contains_key(text) {
            continue;
        }
        match (platform.addresses.known(view, text), name::email(text)) {
            (Some(known), _) => _ = named.insert(text, known),
            (None, Err(_)) => _ = named.insert(text, None),
            (None, Ok((_, canonical))) if sought.len() < AT_ONCE => {
                sought.insert(text, canonical);
            }
            (None, Ok(_)) => {}
        }
    }
    if sought.is_empty() {
        return Ok(named);
    }
    let stream = Stream::org(view.id());
    let canonical: Vec<String> = sought.values().cloned().collect();
    let look = move |reader: &mut store::Reader<'_>| {
        let claimed = canonical.iter();
        let claimed = claimed.map(|one| reader.claimed(stream, EMAIL_CLAIM, one));
        claimed.collect::<Result<Vec<_>, _>>()
    };
    let found = platform.store.read(stream, look).await?;
    for (text, found) in sought.into_keys().zip(found) {
        let person = found.map(Id::from_bytes);
        platform.addresses.remember(view, text, person);
        named.insert(text, person);
    }
    Ok(named)
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
    let named = persons(platform, view, [text]).await?;
    Ok(named.into_values().flatten().next())
}
