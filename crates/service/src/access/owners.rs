//! An organization always has an owner: somebody active who holds the owner role without an end. Asked of the
//! view before an act and of the database inside it, so that two owners who remove each other leave one.

use crate::{Error, Result};
use domain::{Assignment, AssignmentCore, Builtin, Membership, MembershipState, Stream};
use kernel::{Code, Id, Role, User};
use live::View;
use store::{Query, Refusal, Tx};

const LAST: &str =
    "it would leave the organization without an owner; make somebody else an owner first";

/// What an act takes away.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Leaving {
    /// Somebody, with every role.
    Person(Id<User>),
    /// One role of somebody.
    Assignment(Id<kernel::Assignment>),
}

impl Leaving {
    fn takes(self, given: &AssignmentCore) -> bool {
        match self {
            Self::Person(user) => given.subject == user,
            Self::Assignment(id) => given.id == id,
        }
    }
}

/// Whether the act takes an owner away; the owner role is then given, for `one_remains` inside the commit.
///
/// # Errors
/// `last_owner` when nobody would be left.
pub(crate) fn after(view: &View, leaving: Leaving) -> Result<Option<Id<Role>>> {
    let Some(owner) = view.org.builtin(Builtin::Owner).map(|role| role.id) else {
        return Ok(None);
    };
    // Everybody who stands is a member, so their assignments are all that count.
    let standing = authz::Facts::members(view).filter(|user| authz::stands(view, *user));
    let given = standing.flat_map(|user| view.org.assignments_of(user));
    match takes_owner(given.map(AsRef::as_ref), owner, leaving) {
        Some(0) => Err(Error::new(Code::LastOwner, LAST)),
        Some(_) => Ok(Some(owner)),
        None => Ok(None),
    }
}

/// How many owners without an end are left, when the act takes one away. `given` are assignments of active people.
fn takes_owner<'a>(
    given: impl Iterator<Item = &'a AssignmentCore>,
    owner: Id<Role>,
    leaving: Leaving,
) -> Option<usize> {
    let owners = given.filter(|given| given.role == owner && given.expires_at.is_none());
    let (gone, left): (Vec<_>, Vec<_>) = owners.partition(|given| leaving.takes(given));
    (!gone.is_empty()).then_some(left.len())
}

/// Refuses when no active person holds the owner role without an end. Called after the writes of the act.
///
/// # Errors
/// `last_owner`.
pub(crate) fn one_remains(tx: &mut Tx<'_>, stream: Stream, owner: Id<Role>) -> Result<(), Refusal> {
    let filter = vec![("core.role", owner.to_string())];
    let given = tx.select::<Assignment>(
        stream,
        &Query {
            after: None,
            limit: usize::MAX,
            filter,
        },
    )?;
    for core in given
        .into_iter()
        .map(|row| row.value.core)
        .filter(|core| core.expires_at.is_none())
    {
        let member = tx.get::<Membership>(stream, core.subject.bytes())?;
        if member.is_some_and(|row| row.value.core.state == MembershipState::Active) {
            return Ok(());
        }
    }
    Err(Refusal::new(Code::LastOwner, LAST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Timestamp;

    fn given(id: u8, subject: u8, role: u8, ends: bool) -> AssignmentCore {
        AssignmentCore {
            id: Id::from_bytes([id; 16]),
            subject: Id::from_bytes([subject; 16]),
            role: Id::from_bytes([role; 16]),
            expires_at: ends.then(|| Timestamp::from_seconds(9)),
        }
    }

    #[test]
    fn an_owner_with_an_end_does_not_keep_an_organization() {
        let owner = Id::from_bytes([1; 16]);
        let all = [
            given(1, 1, 1, false),
            given(2, 2, 1, true),
            given(3, 2, 2, false),
        ];
        let asked = |leaving| takes_owner(all.iter(), owner, leaving);
        assert_eq!(asked(Leaving::Person(Id::from_bytes([1; 16]))), Some(0));
        assert_eq!(asked(Leaving::Assignment(Id::from_bytes([1; 16]))), Some(0));
        assert_eq!(
            asked(Leaving::Person(Id::from_bytes([2; 16]))),
            None,
            "a temporary owner may go"
        );
        assert_eq!(
            asked(Leaving::Assignment(Id::from_bytes([3; 16]))),
            None,
            "another role"
        );
    }

    #[test]
    fn of_two_owners_one_may_go_and_of_two_assignments_of_one_person_one() {
        let owner = Id::from_bytes([1; 16]);
        let all = [given(1, 1, 1, false), given(2, 1, 1, false)];
        let asked = |leaving| takes_owner(all.iter(), owner, leaving);
        assert_eq!(asked(Leaving::Assignment(Id::from_bytes([1; 16]))), Some(1));
        assert_eq!(asked(Leaving::Person(Id::from_bytes([1; 16]))), Some(0));
    }
}
