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
    TupleKey,
};
use std::collections::BTreeMap;

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
    let more = &request.contextual_tuples.tuple_keys;
    let allowed = one(&asked, &request.tuple_key, more, request.context.as_ref())?;
    asked.leave(
        cx,
        CheckResponse {
            allowed,
            resolution: String::new(),
        },
    )
}

fn one(
    asked: &Asked,
    key: &TupleKey,
    more: &[TupleKey],
    context: Option<&Context>,
) -> Answered<bool> {
    asked::bounded(context)?;
    let (object, subject) = (asked::object(&key.object)?, asked::subject(&key.user)?);
    if key.relation.is_empty() {
        return Err(Fault::invalid("`relation` is missing"));
    }
    let tuples = asked.with(more)?;
    let given = Given::of(&asked.compiled, context);
    let given = given.request();
    let decision = asked.query(&tuples, &given);
    // What the question itself names must be the model's; the codes for lists differ.
    let decision = decision
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
    let mut result = BTreeMap::new();
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
        let answer = match one(&asked, &item.tuple_key, more, item.context.as_ref()) {
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
    asked.leave(cx, BatchCheckResponse { result })
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
