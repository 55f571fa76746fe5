//! Relations as a source of permits: the action's name is a relation of the resource's type in the organization's own
//! store, and the subject is in it. Subjects are compared as they were written: whoever writes tuples about a person
//! and whoever asks about them use one name for them. A tuple takes no agent past its ceiling.

use super::{Ask, Effect, Moment, Reason, Who, declared};
use crate::relation::{Budget, Conditions, Context, Decision, Holds, Query, QueryError, Subject};
use crate::{Facts, hinge};

/// Conditions behind a reference.
pub struct Claimed<'a>(&'a dyn Conditions);

impl Conditions for Claimed<'_> {
    fn holds(&self, condition: &str, context: Option<&Context>) -> Holds {
        self.0.holds(condition, context)
    }
}

/// Asks the relations of the organization's own store; nothing where it has none, or no model.
pub fn related<F: Facts, T>(
    moment: &Moment<'_, F>,
    ask: impl FnOnce(&Query<'_, Claimed<'_>>) -> T,
) -> Option<T> {
    let (tuples, plan) = moment.facts.relations()?;
    let query = Query {
        tuples,
        plan,
        conditions: &Claimed(moment.conditions),
        now: moment.now,
        budget: Budget::default(),
    };
    Some(ask(&query))
}

/// Refuses an agent what its ceiling does not hold as a declared scope, or what a token for the connection that declares
/// it would be cut by. Whether the owner may do it to this resource is asked of every source afterwards.
fn bounded<F: Facts>(moment: &Moment<'_, F>, ask: &Ask<'_>) -> Result<(), Reason> {
    let Moment { facts, now, .. } = *moment;
    let Who::Agent(id) = ask.who else {
        return Ok(());
    };
    let agent = facts.agent(id).ok_or(Reason::SubjectUnknown)?;
    let mut why = Reason::NoPermit;
    for (scope, connection) in declared(facts, ask) {
        match hinge::may_reach(facts, agent, connection, ask.run, scope, now) {
            Ok(()) => return Ok(()),
            Err(denied) if why == Reason::NoPermit => why = denied.into(),
            Err(_) => {}
        }
    }
    Err(why)
}

pub(super) fn judge<F: Facts>(moment: &Moment<'_, F>, ask: &Ask<'_>) -> Effect {
    if let Err(why) = bounded(moment, ask) {
        return Effect::Nothing(why);
    }
    let check = |query: &Query<'_, Claimed<'_>>| {
        query.check(ask.resource, ask.action, Subject::Object(ask.subject))
    };
    match related(moment, check) {
        Some(Ok(Decision::Allowed)) => Effect::Permit(Reason::Relation, None),
        Some(Ok(Decision::Conditional(why))) => Effect::Missing(why.missing),
        Some(Err(QueryError::Exceeded(_))) => Effect::Nothing(Reason::TooComplex),
        Some(Ok(Decision::Denied) | Err(_)) | None => Effect::Nothing(Reason::NoPermit),
    }
}
