//! What a person holds now: the union of their unexpired roles while their membership is active, else nothing.

use crate::Facts;
use domain::{Held, MembershipState, Permission, Reach, Scope};
use kernel::{Id, Timestamp, User};

/// Whether somebody stands: an active member of an active organization.
pub fn stands(facts: &impl Facts, user: Id<User>) -> bool {
    facts.organization_active() && facts.membership(user) == Some(MembershipState::Active)
}

fn current<F: Facts>(
    facts: &F,
    user: Id<User>,
    now: Timestamp,
) -> impl Iterator<Item = (&Held, bool)> {
    let stands = stands(facts, user);
    let roles = facts.roles(user).filter(move |_| stands);
    roles
        .filter(move |(_, _, end)| end.is_none_or(|end| end > now))
        .map(|(held, owner, _)| (held, owner))
}

/// Everything a person holds now.
pub fn held(facts: &impl Facts, user: Id<User>, now: Timestamp) -> Held {
    current(facts, user, now).fold(Held::default(), |mut sum, (held, _)| {
        sum.add(held);
        sum
    })
}

/// Whether a person holds this scope now.
pub fn holds_scope(facts: &impl Facts, user: Id<User>, scope: &Scope, now: Timestamp) -> bool {
    current(facts, user, now).any(|(held, _)| held.holds(scope))
}

/// Whether a person holds this permission now, with at least this reach.
pub fn holds(
    facts: &impl Facts,
    user: Id<User>,
    permission: Permission,
    reach: Reach,
    now: Timestamp,
) -> bool {
    current(facts, user, now).any(|(held, _)| held.has(permission, reach))
}

/// When a person stops holding this scope by the passing of time alone; none when it has no end.
pub fn scope_end(
    facts: &impl Facts,
    user: Id<User>,
    scope: &Scope,
    now: Timestamp,
) -> Option<Timestamp> {
    let giving = facts
        .roles(user)
        .filter(|(held, _, end)| held.holds(scope) && end.is_none_or(|end| end > now));
    // Without an end sorts above every end: the longest of the roles that give it counts.
    giving
        .map(|(_, _, end)| end.unwrap_or(FOREVER))
        .max()
        .filter(|end| *end != FOREVER)
}

const FOREVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// The people who are owners now; there must always be one.
pub fn owners(facts: &impl Facts, now: Timestamp) -> Vec<Id<User>> {
    let owns = |user: &Id<User>| current(facts, *user, now).any(|(_, owner)| owner);
    facts.members().filter(owns).collect()
}

/// How far a permission reaches for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Not at all.
    None,
    /// On what they own.
    Own,
    /// On everything.
    All,
}

/// How far `permission` reaches in `held`.
pub fn access(held: &Held, permission: Permission) -> Access {
    if held.has(permission, Reach::All) {
        Access::All
    } else if held.has(permission, Reach::Own) {
        Access::Own
    } else {
        Access::None
    }
}
