//! What somebody may give: nobody hands out by a role, a token or a resumption more than they hold at that moment
//! (RBAC-4). Every path that gives something asks here.

use crate::{Cx, Error, Result};
use authz::Access;
use domain::{Builtin, Held, Permission, RoleCore};
use kernel::{Code, Id, Micros, Timestamp, User};
use live::View;

/// Refuses unless everything that is given is held.
///
/// # Errors
/// `beyond_own_permissions`, naming what is missing.
pub(crate) fn within(held: &Held, given: &Held) -> Result<()> {
    if held.includes(given) {
        return Ok(());
    }
    let missing = given
        .all
        .minus(held.all)
        .or(given.own.minus(held.all.or(held.own)))
        .iter()
        .next();
    let unheld = given
        .scopes
        .iter()
        .find(|scope| !held.every_scope && !held.scopes.iter().any(|mine| mine.includes(scope)));
    Err(match (missing, unheld) {
        (Some(permission), _) => beyond(permission.as_str()),
        (None, Some(scope)) => beyond(scope.as_str()),
        (None, None) => beyond("every scope"),
    })
}

/// The refusal to give what is not held.
pub(crate) fn beyond(what: &str) -> Error {
    let detail = format!(
        "you do not hold `{what}` and cannot give it; leave it out or ask somebody who holds it"
    );
    Error::new(Code::BeyondOwnPermissions, detail)
}

/// Refuses unless the caller may give this role until then, or for good. What somebody holds for a while only they
/// do not give for longer, or it would outlive its own end.
///
/// # Errors
/// `permission_denied` without the permission to give roles, `beyond_own_permissions`, `sudo_required` for owners.
pub(crate) fn may_give(cx: &Cx, role: &RoleCore, until: Option<Timestamp>) -> Result<()> {
    if cx.reaches(Permission::RolesAssign) != Access::All {
        return Err(Error::denied(Permission::RolesAssign.as_str()));
    }
    if role.builtin == Some(Builtin::Owner) {
        may_move_owners(cx)?;
    }
    let (caller, view, gives) = (cx.caller()?, cx.view()?, role.held());
    within(&caller.held, &gives)?;
    let last = until.map_or(Timestamp::from_micros(i64::MAX), |until| {
        until.minus(Micros::new(1))
    });
    let lasting = caller
        .user()
        .map(|user| authz::held(view, user, last))
        .unwrap_or_default();
    if lasting.includes(&gives) {
        return Ok(());
    }
    let detail =
        "you hold what this role gives for a time only; give the role an end no later than yours";
    Err(Error::new(Code::BeyondOwnPermissions, detail))
}

/// Refuses unless the caller may make and unmake owners.
///
/// # Errors
/// `beyond_own_permissions`, `sudo_required`.
pub(crate) fn may_move_owners(cx: &Cx) -> Result<()> {
    let permission = Permission::RolesAssignOwner;
    if cx.reaches(permission) == Access::All {
        cx.require_sudo()
    } else {
        Err(beyond(permission.as_str()))
    }
}

/// Whether somebody has the owner role, standing or not.
pub(crate) fn is_owner(view: &View, user: Id<User>) -> bool {
    let owner = view.org.builtin(Builtin::Owner).map(|role| role.id);
    let mut given = view
        .org
        .assignments_of(user)
        .filter(|given| given.expires_at.is_none_or(|end| end > view.now));
    given.any(|given| Some(given.role) == owner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Permissions, ScopePattern};

    fn held(all: &[Permission], own: &[Permission], scopes: &[&str]) -> Held {
        Held {
            all: all.iter().copied().collect(),
            own: own.iter().copied().collect(),
            every_scope: false,
            scopes: scopes
                .iter()
                .map(|text| ScopePattern::parse(text).unwrap())
                .collect(),
        }
    }

    #[test]
    fn only_what_is_held_may_be_given() {
        use Permission as P;
        let mine = held(&[P::AgentsRead], &[P::AgentsCreate], &["orders:*"]);
        let code = |given: &Held| within(&mine, given).map_err(|error| error.code);
        assert_eq!(
            code(&held(
                &[P::AgentsRead],
                &[P::AgentsCreate],
                &["orders:read", "orders:*"]
            )),
            Ok(())
        );
        assert_eq!(
            code(&held(&[], &[P::AgentsRead], &[])),
            Ok(()),
            "everything covers one's own"
        );
        for beyond in [
            held(&[P::AgentsCreate], &[], &[]),
            held(&[P::UsersRead], &[], &[]),
            held(&[], &[P::UsersRead], &[]),
            held(&[], &[], &["*:read"]),
            held(&[], &[], &["invoices:read"]),
            Held {
                every_scope: true,
                ..Held::default()
            },
        ] {
            assert_eq!(code(&beyond), Err(Code::BeyondOwnPermissions), "{beyond:?}");
        }
    }

    #[test]
    fn no_built_in_role_gives_more_than_itself_except_by_what_it_holds() {
        for giver in Builtin::ALL {
            for given in Builtin::ALL {
                let (holds, gives) = (giver.held(), given.held());
                let by_hand = gives.all.within(holds.all)
                    && gives.own.within(holds.all.or(holds.own))
                    && (holds.every_scope || !gives.every_scope);
                assert_eq!(
                    within(&holds, &gives).is_ok(),
                    by_hand,
                    "{giver:?} gives {given:?}"
                );
            }
            assert!(
                within(
                    &Held::default(),
                    &Held {
                        all: Permissions::NONE,
                        ..giver.held()
                    }
                )
                .is_ok()
                    == (giver.held().own.is_empty() && !giver.held().every_scope)
            );
        }
        assert!(within(&Builtin::Administrator.held(), &Builtin::Owner.held()).is_err());
    }
}
