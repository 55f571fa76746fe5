//! May this subject do this action to this resource, now: the one answer that every source of permits contributes to.
//! The subject's own state comes first, nothing said is deny, a forbid wins over every permit, and what somebody who
//! asks claims about the world is no fact here. Nothing is written and nothing waits.

mod roles;

pub use roles::declared;

use crate::relation::Object;
use crate::{Denied, Facts, hinge};
use domain::{ConnectionCore, MembershipState, RunCore};
use kernel::{Agent, Id, Timestamp, User};

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

/// Why an answer is what it is. Codes are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A role gives a scope for it.
    Role,
    /// Nothing permits it.
    NoPermit,
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

/// The answer to a question. It is a permit only if it says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it is permitted.
    pub permit: bool,
    /// Why.
    pub reason: Reason,
    /// The moment from which time alone may make another answer of a permit, where it is known.
    pub until: Option<Timestamp>,
}

impl Answer {
    /// A denial.
    pub const fn denied(reason: Reason) -> Self {
        Self {
            permit: false,
            reason,
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
    /// It says nothing, for this reason.
    Nothing(Reason),
}

/// A source of permits or forbids.
struct Source<F> {
    /// Whether it may forbid. One that may not is not asked once there is a permit.
    forbids: bool,
    judge: fn(&F, &Ask<'_>, Timestamp) -> Effect,
}

impl<F: Facts> Source<F> {
    /// Every source there is.
    const ALL: [Self; 1] = [Self {
        forbids: false,
        judge: roles::judge,
    }];
}

/// Decides. What an agent may do, the human who answers for it may do as well: the same question is asked about them.
pub fn decide<F: Facts>(facts: &F, ask: &Ask<'_>, now: Timestamp) -> Answer {
    if let Err(reason) = stands(facts, ask, now) {
        return Answer::denied(reason);
    }
    if ask.asked_by.is_some() && declared(facts, ask).is_empty() {
        return Answer::denied(Reason::NoPermit);
    }
    let own = combine(&Source::ALL, facts, ask, now);
    match (ask.who, own.permit) {
        (Who::Agent(agent), true) => with_owner(facts, ask, agent, own, now),
        _ => own,
    }
}

fn with_owner<F: Facts>(
    facts: &F,
    ask: &Ask<'_>,
    agent: Id<Agent>,
    own: Answer,
    now: Timestamp,
) -> Answer {
    let Some(owner) = facts.agent(agent).map(|agent| agent.owner.0) else {
        return Answer::denied(Reason::SubjectUnknown);
    };
    let id = owner.to_string();
    let of_owner = Ask {
        who: Who::User(owner),
        subject: Object {
            type_name: "user",
            id: &id,
        },
        run: None,
        ..*ask
    };
    let theirs = decide(facts, &of_owner, now);
    if !theirs.permit {
        return Answer::denied(Reason::OwnerDenied);
    }
    let ends = own.until.into_iter().chain(theirs.until);
    Answer {
        until: ends.min(),
        ..own
    }
}

fn combine<F>(sources: &[Source<F>], facts: &F, ask: &Ask<'_>, now: Timestamp) -> Answer {
    let mut answer = Answer::denied(Reason::NoPermit);
    for source in sources {
        if answer.permit && !source.forbids {
            continue;
        }
        match (source.judge)(facts, ask, now) {
            Effect::Forbid => return Answer::denied(Reason::Forbidden),
            Effect::Permit(reason, until) if !answer.permit => {
                answer = Answer {
                    permit: true,
                    reason,
                    until,
                };
            }
            Effect::Nothing(reason) if answer.reason == Reason::NoPermit => answer.reason = reason,
            Effect::Permit(..) | Effect::Nothing(_) => {}
        }
    }
    answer
}

/// Whether the subject may do anything at all.
fn stands(facts: &impl Facts, ask: &Ask<'_>, now: Timestamp) -> Result<(), Reason> {
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
            if ask
                .run
                .is_some_and(|run| !hinge::run_is_open(facts, run, agent, now))
            {
                return Err(Reason::RunNotOpen);
            }
            match hinge::trust_now(facts, agent, now) < facts.settings().trust_floor {
                true => Err(Reason::TrustTooLow),
                false => Ok(()),
            }
        }
    }
}
