//! The one place where the conditions of a model meet what evaluates them: compiled once for each version that is kept,
//! and refused when a model or a tuple is written that they could not be evaluated for.

use authz::{
    model::Model,
    relation::{Context, Failure, Unsettled},
};
use live::Compiled;
use policy::cel;
use std::sync::{Arc, LazyLock};

/// Problems of a model that are told at once.
const TOLD: usize = 5;

static NOTHING: LazyLock<Context> = LazyLock::new(Context::new);

/// The conditions of a version of a model, with what a request says.
pub(crate) struct Given<'a> {
    compiled: Arc<cel::Compiled>,
    context: &'a Context,
}

/// A version was compiled before it was written; should it not compile any more, its conditions say nothing.
fn compiled(of: &Compiled) -> Arc<cel::Compiled> {
    of.made(|model| cel::Compiled::new(model).unwrap_or_default())
}

impl<'a> Given<'a> {
    /// Those of a compiled model, with the request's own values.
    pub(crate) fn of(of: &Compiled, context: Option<&'a Context>) -> Self {
        Self {
            compiled: compiled(of),
            context: context.unwrap_or(&NOTHING),
        }
    }

    /// For the questions of one request, which have one budget.
    pub(crate) fn request(&self) -> cel::Request<'_> {
        self.compiled.request(self.context)
    }
}

/// What is wrong with the conditions of a model.
pub(super) fn problem(model: &Model) -> Option<String> {
    let problems = cel::Compiled::new(model).err()?;
    let told: Vec<String> = problems
        .iter()
        .take(TOLD)
        .map(ToString::to_string)
        .collect();
    Some(told.join("; "))
}

/// Whether a tuple may carry these values for a condition.
pub(super) fn accepts(
    of: &Compiled,
    condition: Option<&str>,
    context: Option<&Context>,
) -> Result<(), Failure> {
    match condition {
        Some(name) => compiled(of).accepts(name, context.unwrap_or(&NOTHING)),
        None => Ok(()),
    }
}

/// Why there is no definite answer.
pub(super) fn undecided(why: &Unsettled) -> String {
    let missing: Vec<&str> = why.missing.iter().map(String::as_str).collect();
    let lacking = (!missing.is_empty()).then(|| {
        let names = missing.join(", ");
        format!("the answer depends on conditions that lack a value in `context`: {names}")
    });
    let failed = why.failed.iter().take(TOLD).map(ToString::to_string);
    let told: Vec<String> = lacking.into_iter().chain(failed).collect();
    told.join("; ")
}
