//! May this subject do this action to this resource, now: the one answer that every source of permits contributes to.
//! The subject's own state comes first, nothing said is deny, a forbid wins over every permit, and what somebody who
//! asks claims about the world is no fact here. Nothing is written and nothing waits.

mod relations;
mod roles;

pub use relations::related;
pub use roles::declared;

use crate::relation::{Conditions, Object};
use crate::{Denied, Facts, hinge};
use domain::{ConnectionCore, MembershipState, RunCore};
use kernel::{Agent, Id, Timestamp, User};
use std::collections::BTreeSet;

/// Whom a question is about, as far as the organization knows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person.
    User(Id<User>),
    /// An agent.
    Agent(Id<Agent>),
    /// Somebody whom the organization would have to know, and does not.
    Unknown,
    /// Nobody of the organization's: only relations say anything about them.
    Stranger,
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Whom it is about.
    pub who: Who,
    /// The same as it was written. Relations compare it byte by byte.
    pub subject: Object<'a>,
    /// What would be done.
    pub action: &'a str,
    /// To what.
    pub resource: Object<'a>,
    /// The run within which an agent would do it.
    pub run: Option<&'a RunCore>,
    /// The connection that asks, which may ask about its own scopes alone.
    pub asked_by: Option<&'a ConnectionCore>,
}

impl<'a> Ask<'a> {
    /// The same question about the human who answers for an agent, whose id is given as text as well.
    #[must_use]
    pub const fn about_owner(self, owner: Id<User>, id: &'a str) -> Self {
        let subject = Object {
            type_name: "user",
            id,
        };
        Self {
            who: Who::User(owner),
            subject,
            run: None,
            ..self
        }
    }
}

/// Why an answer is what it is. Codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A role gives a scope for it.
    Role,
    /// A relation between the subject and the resource.
    Relation,
    /// Nothing permits it.
    NoPermit,
    /// It depends on values that the question lacks, or on a condition that says nothing.
    MissingContext,
    /// Finding out would cost more than it may.
    TooComplex,
    /// A policy forbids it.
    Forbidden,
    /// The organization is not in use.
    OrganizationInactive,
    /// The subject is not known here.
    SubjectUnknown,
    /// The subject is suspended, revoked, not yet accepted or gone.
    SubjectInactive,
    /// The human who answers for the agent does not stand.
    OwnerInactive,
    /// The human who answers for the agent may not do it.
    OwnerDenied,
    /// A kill switch is set.
    KillSwitch,
    /// The agent's trust is below what is asked for.
    TrustTooLow,
    /// The agent's run is not open.
    RunNotOpen,
}

impl Reason {
    /// The code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::Relation => "relation",
            Self::MissingContext => "missing_context",
            Self::TooComplex => "too_complex",
            Self::NoPermit => "no_permit",
            Self::Forbidden => "forbidden",
            Self::OrganizationInactive => "organization_inactive",
            Self::SubjectUnknown => "subject_unknown",
            Self::SubjectInactive => "subject_inactive",
            Self::OwnerInactive => "owner_inactive",
            Self::OwnerDenied => "owner_denied",
            Self::KillSwitch => "kill_switch",
            Self::TrustTooLow => "trust_too_low",
            Self::RunNotOpen => "run_not_open",
        }
    }
}

impl From<Denied> for Reason {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::OrganizationInactive => Self::OrganizationInactive,
            Denied::AgentNotActive(_) => Self::SubjectInactive,
            Denied::OwnerInactive => Self::OwnerInactive,
            Denied::Killed(_) => Self::KillSwitch,
            Denied::BelowFloor(..) | Denied::BelowConnection(..) | Denied::BelowClass(..) => {
                Self::TrustTooLow
            }
            Denied::RunNotOpen => Self::RunNotOpen,
            Denied::ConnectionNotAllowed | Denied::NotHeld(_) | Denied::NothingLeft => {
                Self::NoPermit
            }
        }
    }
}

/// The moment at which questions are answered.
pub struct Moment<'a, F> {
    /// What is so.
    pub facts: &'a F,
    /// The conditions of relations, with what the caller claims.
    pub conditions: &'a dyn Conditions,
    /// The same without what is claimed about the subject: about an agent nothing is claimed of its owner.
    pub of_owner: &'a dyn Conditions,
    /// When.
    pub now: Timestamp,
}

impl<F> Moment<'_, F> {
    /// The same without what is claimed about the subject.
    pub const fn about_owner(&self) -> Self {
        Self {
            conditions: self.of_owner,
            ..*self
        }
    }
}

/// The answer to a question. It is a permit only if it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is permitted.
    pub permit: bool,
    /// Why.
    pub reason: Reason,
    /// Values that the question lacks and that might make it a permit.
    pub missing: BTreeSet<String>,
    /// The moment from which time alone may make another answer of a permit, where it is known.
    pub until: Option<Timestamp>,
}

impl Answer {
    /// A denial.
    pub const fn denied(reason: Reason) -> Self {
        Self {
            permit: false,
            reason,
            missing: BTreeSet::new(),
            until: None,
        }
    }
}

/// What one source says about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It permits, until then if that is known.
    Permit(Reason, Option<Timestamp>),
    /// It forbids, whatever others permit.
    Forbid,
    /// It says nothing for want of these values.
    Missing(BTreeSet<String>),
    /// It says nothing, for this reason.
    Nothing(Reason),
}

/// A source of permits or forbids.
struct Source<F> {
    /// Whether it may forbid. One that may not is not asked once there is a permit.
    forbids: bool,
    judge: fn(&Moment<'_, F>, &Ask<'_>) -> Effect,
}

impl<F: Facts> Source<F> {
    const fn permitting(judge: fn(&Moment<'_, F>, &Ask<'_>) -> Effect) -> Self {
        Self {
            forbids: false,
            judge,
        }
    }

    /// Every source there is, the cheapest first.
    const ALL: [Self; 2] = [
        Self::permitting(roles::judge),
        Self::permitting(relations::judge),
    ];
}

/// Decides. What an agent may do, the human who answers for it may do as well: the same question is asked about them.
pub fn decide<F: Facts>(moment: &Moment<'_, F>, ask: &Ask<'_>) -> Answer {
    if let Err(reason) = stands(moment, ask) {
        return Answer::denied(reason);
    }
    if ask.asked_by.is_some() && declared(moment.facts, ask).is_empty() {
        return Answer::denied(Reason::NoPermit);
    }
    let own = combine(&Source::ALL, moment, ask);
    match (ask.who, own.permit) {
        (Who::Agent(agent), true) => with_owner(moment, ask, agent, own),
        _ => own,
    }
}

fn with_owner<F: Facts>(
    moment: &Moment<'_, F>,
    ask: &Ask<'_>,
    agent: Id<Agent>,
    own: Answer,
) -> Answer {
    let Some(owner) = moment.facts.agent(agent).map(|agent| agent.owner.0) else {
        return Answer::denied(Reason::SubjectUnknown);
    };
    let id = owner.to_string();
    let theirs = decide(&moment.about_owner(), &ask.about_owner(owner, &id));
    if !theirs.permit {
        return Answer {
            missing: theirs.missing,
            ..Answer::denied(Reason::OwnerDenied)
        };
    }
    let ends = own.until.into_iter().chain(theirs.until);
    Answer {
        until: ends.min(),
        ..own
    }
}

fn combine<F>(sources: &[Source<F>], moment: &Moment<'_, F>, ask: &Ask<'_>) -> Answer {
    let mut answer = Answer::denied(Reason::NoPermit);
    for source in sources {
        if answer.permit && !source.forbids {
            continue;
        }
        match (source.judge)(moment, ask) {
            Effect::Forbid => return Answer::denied(Reason::Forbidden),
            Effect::Permit(reason, until) if !answer.permit => {
                answer = Answer {
                    permit: true,
                    reason,
                    missing: BTreeSet::new(),
                    until,
                };
            }
            Effect::Missing(names) if !answer.permit => {
                answer.reason = Reason::MissingContext;
                answer.missing.extend(names);
            }
            Effect::Nothing(reason) if answer.reason == Reason::NoPermit => answer.reason = reason,
            Effect::Permit(..) | Effect::Missing(_) | Effect::Nothing(_) => {}
        }
    }
    answer
}

/// Whether the subject may do anything at all.
fn stands<F: Facts>(moment: &Moment<'_, F>, ask: &Ask<'_>) -> Result<(), Reason> {
    let Moment { facts, now, .. } = *moment;
    if !facts.organization_active() {
        return Err(Reason::OrganizationInactive);
    }
    match ask.who {
        Who::Stranger => Ok(()),
        Who::Unknown => Err(Reason::SubjectUnknown),
        Who::User(user) => match facts.membership(user) {
            Some(MembershipState::Active) => Ok(()),
            Some(_) => Err(Reason::SubjectInactive),
            None => Err(Reason::SubjectUnknown),
        },
        Who::Agent(id) => {
            let agent = facts.agent(id).ok_or(Reason::SubjectUnknown)?;
            hinge::may_act(facts, agent)?;
            let open = |run| hinge::run_is_open(facts, run, agent, now);
            if !ask.run.is_none_or(open) {
                return Err(Reason::RunNotOpen);
            }
            match hinge::trust_now(facts, agent, now) < facts.settings().trust_floor {
                true => Err(Reason::TrustTooLow),
                false => Ok(()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
