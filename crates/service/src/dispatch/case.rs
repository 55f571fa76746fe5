//! What one dispatch is about: in whose name, within which run, and what comes of asking. A run that does not
//! exist yet is judged as it would be, so that a human's authority counts from the first dispatch on.

use crate::{
    Cx, Error, Result, agents,
    runs::{
        bounds::{self, Wanted},
        start::{InNameOf, may_act_for, new_transaction},
    },
};
use authz::{Facts, Outcome, Question, Reason, Verdict};
use domain::{AgentCore, Class, ConnectionCore, GrantId, RunCore, ScopeGrant};
use kernel::{Id, Micros};

/// How long a run takes at most that a dispatch makes.
const DEADLINE: Micros = Micros::seconds(900);

/// The run a dispatch is for.
pub(super) enum Within {
    /// None: the caller gets the decision and nothing else.
    Nothing,
    /// One that exists.
    Known(Box<RunCore>),
    /// One that this dispatch makes if it is allowed.
    Fresh(Box<RunCore>),
}

impl Within {
    pub(super) const fn run(&self) -> Option<&RunCore> {
        match self {
            Self::Nothing => None,
            Self::Known(run) | Self::Fresh(run) => Some(run),
        }
    }
}

/// A dispatch, decided.
pub(super) struct Case<'a> {
    pub agent: &'a AgentCore,
    pub connection: &'a ConnectionCore,
    pub class: Class,
    pub within: Within,
    pub verdict: Verdict,
    /// Whether a capability goes to this caller (AGT-10).
    pub gives: bool,
}

/// Decides on the context's view.
///
/// # Errors
/// An input that cannot be, or a lineage that would be too long.
pub(super) fn decide<'a>(
    cx: &'a Cx,
    agent: &'a AgentCore,
    connection: &'a ConnectionCore,
    operation: &str,
    named: Option<Id<kernel::Run>>,
) -> Result<Case<'a>> {
    let view = cx.view()?;
    let acts = may_act_for(cx, agent)?;
    let wanted = run_of(cx, named)?;
    let within = match (wanted, acts) {
        // Another agent's run is as unknown as none: its id must not tell that it exists.
        (Some(id), _) => view
            .run(id)
            .filter(|run| run.agent == agent.id)
            .map_or(Within::Nothing, |run| Within::Known(Box::new(run.clone()))),
        (None, Some(acts)) => Within::Fresh(Box::new(fresh(cx, agent, acts)?)),
        (None, None) => Within::Nothing,
    };
    let class = connection.operation_class(operation);
    let question = Question {
        agent,
        connection,
        class,
        run: within.run(),
    };
    let mut verdict = authz::dispatch(view, question, view.now);
    if wanted.is_some() && within.run().is_none() {
        verdict.outcome = Outcome::Block;
        verdict.reasons.push(Reason::RunNotOpen);
    }
    let gives = acts.is_some_and(|acts| may_have(acts, &within));
    Ok(Case {
        agent,
        connection,
        class,
        within: narrowed(within, connection, &verdict),
        verdict,
        gives,
    })
}

/// The run named, or the run of the token the caller came with: its bounds cannot be left behind.
fn run_of(cx: &Cx, named: Option<Id<kernel::Run>>) -> Result<Option<Id<kernel::Run>>> {
    match (named, cx.caller()?.run) {
        (Some(named), Some(own)) if named != own => Err(Error::invalid(
            "run",
            "must be the run of the token you call with",
        )),
        (named, own) => Ok(named.or(own)),
    }
}

/// A human gets a capability only under their own name: a run that somebody else started, or the agent itself,
/// holds what their authority does not bound.
fn may_have(acts: InNameOf, within: &Within) -> bool {
    match (acts, within) {
        (_, Within::Nothing) => false,
        (InNameOf::Itself, _) | (_, Within::Fresh(_)) => true,
        (InNameOf::Human(initiator), Within::Known(run)) => run.initiator == Some(initiator),
    }
}

fn fresh(cx: &Cx, agent: &AgentCore, acts: InNameOf) -> Result<RunCore> {
    bounds::within(Wanted {
        id: cx.id(),
        agent,
        parent: None,
        grant: GrantId::generate(&*cx.platform.entropy),
        above: &cx.caller()?.lineage,
        initiator: acts.human(),
        scopes: None,
        deadline_seconds: DEADLINE.as_seconds(),
        lease_seconds: None,
        credential_end: agents::credential_end(cx)?,
        transaction: new_transaction(cx),
        now: cx.view()?.now,
    })
}

/// A run made here holds what the capability holds and no more.
fn narrowed(within: Within, connection: &ConnectionCore, verdict: &Verdict) -> Within {
    let Within::Fresh(mut run) = within else {
        return within;
    };
    let pair = |scope: &domain::Scope| ScopeGrant {
        connection: connection.id,
        scope: scope.clone(),
    };
    run.scopes = verdict.scopes.iter().map(pair).collect();
    Within::Fresh(run)
}
