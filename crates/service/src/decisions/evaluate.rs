//! Answers questions: one, or a batch at one revision.

use super::{
    Asker, addresses, asker::Kind, claims::with_claims, leaves, proof::proof, waiting::Made,
};
use crate::{Error, Platform, Result};
use authz::{
    Facts,
    decide::{Answer, Ask, Reason, Who, decide},
    relation::Object,
};
use kernel::{Id, User, limits};
use live::View;
use proto::authzen::{
    Batch, Decision, DecisionContext, Decisions, Entity, Question, QuestionError, Wrong,
};

/// Questions of a batch after which others get a turn.
const YIELD: usize = 64;

/// The address by which a subject is named, if it is one.
fn address(subject: &Entity) -> Option<&str> {
    let id = subject.id.as_str();
    let named = subject.type_name == "user" && id.contains('@');
    (named && id.parse::<Id<User>>().is_err()).then_some(id)
}

/// Whom a subject is, as far as the organization knows.
pub(super) async fn who(platform: &Platform, view: &View, subject: &Entity) -> Result<Who> {
    match address(subject) {
        Some(address) => {
            let person = addresses::person(platform, view, address).await?;
            Ok(person.map_or(Who::Stranger, Who::User))
        }
        None => Ok(by_id(subject)),
    }
}

fn by_id(subject: &Entity) -> Who {
    match subject.type_name.as_str() {
        "user" => subject.id.parse().map_or(Who::Stranger, Who::User),
        "agent" => subject.id.parse().map_or(Who::Unknown, Who::Agent),
        _ => Who::Stranger,
    }
}

pub(super) fn object(entity: &Entity) -> Object<'_> {
    Object {
        type_name: &entity.type_name,
        id: &entity.id,
    }
}

/// A question as it is decided; none when an agent asks within a run that ended.
pub(super) fn asked<'a>(
    view: &'a View,
    asker: &'a Asker,
    who: Who,
    question: &Question<'a>,
) -> Option<Ask<'a>> {
    let run = match asker.run() {
        Some(run) => Some(view.run(run)?),
        None => None,
    };
    Some(Ask {
        who,
        subject: object(question.subject),
        action: &question.action.name,
        resource: object(question.resource),
        run,
        asked_by: asker.connection(),
    })
}

fn answer(view: &View, ask: &Ask<'_>, question: &Question<'_>) -> Answer {
    with_claims(view, question, |moment| decide(moment, ask))
}

/// Whether a question about somebody is answered with yes.
pub(super) fn permits(view: &View, asker: &Asker, who: Who, question: &Question<'_>) -> bool {
    asked(view, asker, who, question).is_some_and(|ask| answer(view, &ask, question).permit)
}

/// What is told of an answer. A denial says why only to who may be told.
fn told(
    view: &View,
    answer: Answer,
    hears_missing: bool,
    may_hear: impl FnOnce(Reason) -> bool,
) -> Decision {
    let reason = match answer.reason {
        Reason::TooComplex => answer.reason,
        Reason::MissingContext if hears_missing => answer.reason,
        reason if answer.permit || may_hear(reason) => reason,
        _ => Reason::NoPermit,
    };
    let missing = answer.missing.into_iter().filter(|_| hears_missing);
    let bound = view.now.plus(limits::STALENESS);
    let until = answer.until.map_or(bound, |until| until.min(bound));
    Decision {
        decision: answer.permit,
        context: DecisionContext {
            reasons: [reason.as_str()],
            revision: view.revision.state,
            valid_until: answer.permit.then_some(until),
            missing: missing.collect(),
            ..DecisionContext::default()
        },
    }
}

/// Answers one question.
///
/// # Errors
/// `permission_denied` for a question about somebody about whom the caller may not ask; `stale_state`.
pub async fn evaluate(
    platform: &Platform,
    view: &View,
    asker: &Asker,
    question: &Question<'_>,
    explain: bool,
) -> Result<Decision> {
    let who = who(platform, view, question.subject).await?;
    about(platform, view, asker, who, question, explain)
}

fn about(
    platform: &Platform,
    view: &View,
    asker: &Asker,
    who: Who,
    question: &Question<'_>,
    explain: bool,
) -> Result<Decision> {
    asker.may_ask_about(who)?;
    let ask = asked(view, asker, who, question);
    let answer = ask.as_ref().map_or_else(
        || Answer::denied(Reason::RunNotOpen),
        |ask| answer(view, ask, question),
    );
    let proof = ask
        .filter(|_| explain)
        .map(|ask| with_claims(view, question, |moment| proof(moment, &ask, asker.sees())));
    leaves(platform, view)?;
    platform.decided.count(asker.kind(), answer.permit);
    platform
        .journal
        .put(made(view, asker, who, question, &answer));
    let of = &question.subject.type_name;
    let may_hear = |reason| explain && asker.sees().may_hear(reason, of);
    let mut told = told(view, answer, asker.kind() == Kind::ApiToken, may_hear);
    told.context.proof = proof;
    Ok(told)
}

/// What the log tells of a decision.
fn made(view: &View, asker: &Asker, who: Who, question: &Question<'_>, answer: &Answer) -> Made {
    let named = |entity: &Entity| (entity.type_name.clone(), entity.id.clone());
    Made {
        org: view.id(),
        by: asker.principal(),
        at: view.now,
        principal: principal(who),
        subject: named(question.subject),
        action: question.action.name.clone(),
        resource: named(question.resource),
        permit: answer.permit,
        reason: answer.reason.as_str(),
        revision: view.revision.state,
    }
}

/// The id of a principal.
pub(super) fn principal(who: Who) -> Option<String> {
    match who {
        Who::User(user) => Some(user.to_string()),
        Who::Agent(agent) => Some(agent.to_string()),
        Who::Unknown | Who::Stranger => None,
    }
}

/// Answers the questions of a batch in their order, up to the one that settles it. One that has no answer is denied.
///
/// # Errors
/// When something that is no fault of a question's is in the way.
pub async fn batch(
    platform: &Platform,
    view: &View,
    asker: &Asker,
    batch: &Batch,
    explain: bool,
) -> Result<Decisions> {
    let mut evaluations = Vec::with_capacity(batch.questions.len());
    let questions: Vec<_> = batch
        .questions
        .iter()
        .map(|one| whole(batch, one))
        .collect();
    let readable = questions.iter().flatten();
    let named = readable.filter_map(|question| address(question.subject));
    let named = addresses::persons(platform, view, named).await?;
    let who = |subject| match address(subject) {
        // One that was too many to be looked for is nobody who may do anything.
        Some(address) => named.get(address).map_or(Who::Unknown, |person| {
            person.map_or(Who::Stranger, Who::User)
        }),
        None => by_id(subject),
    };
    for (n, question) in questions.into_iter().enumerate() {
        if n % YIELD == YIELD - 1 {
            tokio::task::yield_now().await;
        }
        let decision = match question {
            Ok(question) => {
                let who = who(question.subject);
                about(platform, view, asker, who, &question, explain)
            }
            Err(wrong) => Err(wrong.into()),
        };
        let decision = match decision {
            Err(error) if error.code.status() < 500 => failed(view, error),
            other => other?,
        };
        let settled = batch.semantic.is_settled_by(decision.decision);
        evaluations.push(decision);
        if settled {
            break;
        }
    }
    leaves(platform, view)?;
    Ok(Decisions { evaluations })
}

fn whole<'a>(
    batch: &'a Batch,
    parts: &'a Result<proto::authzen::Parts, Wrong>,
) -> Result<Question<'a>, Wrong> {
    parts
        .as_ref()
        .map_err(Clone::clone)?
        .question(&batch.defaults)
}

fn failed(view: &View, error: Error) -> Decision {
    Decision {
        decision: false,
        context: DecisionContext {
            reasons: [error.code.as_str()],
            revision: view.revision.state,
            error: Some(QuestionError {
                status: error.code.status(),
                message: error.detail.into_owned(),
            }),
            ..DecisionContext::default()
        },
    }
}
