//! Roles as a source of permits: an action on a type of resource is a scope that a connection declares, and a person
//! holds it by their roles, an agent by its ceiling within what its owner holds. A scope reaches every resource of its
//! type: which one is asked about does not matter here.

use super::{Ask, Effect, Moment, Reason, Who};
use crate::{Facts, hinge, person};
use domain::{ConnectionCore, Scope};
use kernel::Timestamp;
use smallvec::SmallVec;

type Declared<'f> = SmallVec<[(&'f Scope, &'f ConnectionCore); 4]>;

/// The scopes that an action on a type of resource may be called, as connections declare them: `orders:read` or
/// `read:orders`, each with its connection. Of a connection that asks only its own.
pub fn declared<'f>(facts: &'f impl Facts, ask: &Ask<'_>) -> Declared<'f> {
    let (of, action) = (ask.resource.type_name, ask.action);
    let mut found = Declared::new();
    let mut text = String::with_capacity(of.len() + action.len() + 1);
    for (first, last) in [(of, action), (action, of)] {
        text.clear();
        text.push_str(first);
        text.push(':');
        text.push_str(last);
        for connection in facts.declaring(&text) {
            let may_ask = ask.asked_by.is_none_or(|by| by.id == connection.id);
            let scope = connection.scopes.iter().find(|one| one.as_str() == text);
            found.extend(scope.filter(|_| may_ask).map(|scope| (scope, connection)));
        }
    }
    found
}

pub(super) fn judge<F: Facts>(moment: &Moment<'_, F>, ask: &Ask<'_>) -> Effect {
    let Moment { facts, now, .. } = *moment;
    let mut reason = Reason::NoPermit;
    for (scope, connection) in declared(facts, ask) {
        match held(facts, ask, scope, connection, now) {
            Ok(until) => return Effect::Permit(Reason::Role, until),
            Err(why) if reason == Reason::NoPermit => reason = why,
            Err(_) => {}
        }
    }
    Effect::Nothing(reason)
}

fn held(
    facts: &impl Facts,
    ask: &Ask<'_>,
    scope: &Scope,
    connection: &ConnectionCore,
    now: Timestamp,
) -> Result<Option<Timestamp>, Reason> {
    match ask.who {
        Who::Stranger | Who::Unknown => Err(Reason::NoPermit),
        Who::User(user) if person::holds_scope(facts, user, scope, now) => {
            Ok(person::scope_end(facts, user, scope, now))
        }
        Who::User(_) => Err(Reason::NoPermit),
        Who::Agent(id) => {
            let agent = facts.agent(id).ok_or(Reason::SubjectUnknown)?;
            hinge::holds(facts, agent, connection, ask.run, scope, now)?;
            Ok(None)
        }
    }
}
