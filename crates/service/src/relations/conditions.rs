//! The one place where the conditions of a model meet what evaluates them. Without an evaluator, a model that has
//! conditions is refused, so that no tuple ever carries one; should one be there all the same, it holds for nobody.

use authz::{
    model::Model,
    relation::{Conditions, Context, Holds},
};

/// The conditions of a request.
pub(crate) struct Given;

impl Given {
    /// Those of a compiled model, with the request's own values.
    pub(crate) fn of(_model: &Model, _context: Option<&Context>) -> Self {
        Self
    }
}

impl Conditions for Given {
    fn holds(&self, condition: &str, _context: Option<&Context>) -> Holds {
        Holds::Missing(vec![condition.to_owned()])
    }
}

/// What is wrong with the conditions of a model.
pub(super) fn problem(model: &Model) -> Option<String> {
    let first = model.conditions.first()?;
    Some(format!(
        "condition `{}` cannot be evaluated by this server yet; write the model without conditions",
        first.name
    ))
}
