//! Whether a user is in a relation of an object, one question or several under one revision.

use super::{
    Answered, Fault,
    asked::{self, Asked, Place, ask},
    conditions::Given,
};
use crate::Cx;
use authz::relation::{Context, Decision};
use domain::Permission;
use kernel::limits;
use proto::fga::{
    BatchCheckRequest, BatchCheckResponse, CheckError, CheckRequest, CheckResponse, CheckResult,
    ErrorName, TupleKey,
};
use std::collections::BTreeMap;

/// Usersets that a check looks at before it goes on beside the tasks that answer others.
const AT_ONCE: usize = 2_000;

/// Usersets that each check of a batch may look at, so that a batch stays bounded as a whole.
const fn each(checks: usize) -> usize {
    match checks {
        0..5 => limits::RELATION_NODES,
        _ => limits::RELATION_NODES / 5,
    }
}

/// Whether a user is in a relation of an object.
///
/// # Errors
/// When it cannot be asked, or has no answer.
pub async fn check(cx: &Cx, store: &str, request: CheckRequest) -> Answered<CheckResponse> {
    let place = Place {
        store,
        model: &request.authorization_model_id,
        consistency: request.consistency,
    };
    let asked = ask(cx, "relations.check", Permission::RelationsCheck, place).await?;
    let at_once = asking(&asked, &request, AT_ONCE);
    let allowed = match at_once {
        Err(fault) if fault.name() == ErrorName::ResolutionTooComplex => {
            let here = asked.clone();
            asked::aside(move || asking(&here, &request, limits::RELATION_NODES)).await?
        }
        done => done?,
    };
    asked.leave(
        cx,
        CheckResponse {
            allowed,
            resolution: String::new(),
        },
    )
}

fn asking(asked: &Asked, request: &CheckRequest, nodes: usize) -> Answered<bool> {
    let more = &request.contextual_tuples.tuple_keys;
    let context = request.context.as_ref();
    one(asked, &request.tuple_key, more, context, nodes)
}

fn one(
    asked: &Asked,
    key: &TupleKey,
    more: &[TupleKey],
    context: Option<&Context>,
    nodes: usize,
) -> Answered<bool> {
    asked::bounded(context)?;
    let (object, subject) = (asked::object(&key.object)?, asked::subject(&key.user)?);
    if key.relation.is_empty() {
        return Err(Fault::invalid("`relation` is missing"));
    }
    let tuples = asked.with(more)?;
    let given = Given::of(&asked.compiled, context);
    let given = given.request();
    let mut query = asked.query(&tuples, &given);
    query.budget.nodes = nodes;
    // What the question itself names must be the model's; the codes for lists differ.
    let decision = query
        .check(object, &key.relation, subject)
        .map_err(|error| match error {
            authz::relation::QueryError::Exceeded(_) => Fault::from(error),
            authz::relation::QueryError::OtherStore => Fault::from(error),
            _ => Fault::invalid(error.to_string()),
        })?;
    match decision {
        Decision::Allowed => Ok(true),
        Decision::Denied => Ok(false),
        Decision::Conditional(why) => Err(asked::lacking(&why)),
    }
}

/// Several checks, each with its own answer under its correlation id.
///
/// # Errors
/// When it cannot be asked at all.
pub async fn batch_check(
    cx: &Cx,
    store: &str,
    request: BatchCheckRequest,
) -> Answered<BatchCheckResponse> {
    let place = Place {
        store,
        model: &request.authorization_model_id,
        consistency: request.consistency,
    };
    let name = "relations.batch_check";
    let asked = ask(cx, name, Permission::RelationsCheck, place).await?;
    if request.checks.is_empty() || request.checks.len() > limits::BATCH_CHECKS {
        let most = limits::BATCH_CHECKS;
        return Err(Fault::invalid(format!("`checks` holds 1 to {most} checks")));
    }
    let here = asked.clone();
    let result = asked::aside(move || all(&here, &request)).await?;
    asked.leave(cx, BatchCheckResponse { result })
}

fn all(asked: &Asked, request: &BatchCheckRequest) -> Answered<BTreeMap<String, CheckResult>> {
    let (mut result, nodes) = (BTreeMap::new(), each(request.checks.len()));
    for item in &request.checks {
        let usable = |id: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            (1..=36).contains(&id.len()) && id.bytes().all(plain)
        };
        if !usable(&item.correlation_id) {
            let message = "`correlation_id` is 1 to 36 letters, digits, `-` and `_`";
            return Err(Fault::invalid(message));
        }
        let more = &item.contextual_tuples.tuple_keys;
        let answer = match one(asked, &item.tuple_key, more, item.context.as_ref(), nodes) {
            Ok(allowed) => CheckResult::Allowed(allowed),
            Err(fault) => CheckResult::Error(told(&fault)),
        };
        if result.insert(item.correlation_id.clone(), answer).is_some() {
            return Err(Fault::invalid(format!(
                "`correlation_id` `{}` comes twice",
                item.correlation_id
            )));
        }
    }
    Ok(result)
}

fn told(fault: &Fault) -> CheckError {
    let name = fault.name();
    let (input_error, internal_error) = match name.status() {
        400 => (Some(name.as_str()), None),
        _ => (None, Some(name.as_str())),
    };
    CheckError {
        input_error,
        internal_error,
        message: fault.to_string(),
    }
}
