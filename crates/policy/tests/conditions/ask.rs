//! One condition `c` of a model and what it says.

use authz::model::{Condition, Model};
use authz::relation::{Conditions, Context, Failure, Holds};
use policy::cel::{Compiled, Problem};
use serde_json::Value;

/// A model whose one condition has these parameters, `x: int, y: list<string>`, and this expression.
pub fn model(parameters: &str, expression: &str) -> Model {
    let text = "model\n schema 1.1\ntype user\n";
    let mut model = match parameters {
        "" => Model::read(text).unwrap(),
        _ => Model::read(&format!("{text}condition c({parameters}) {{\n x\n}}\n")).unwrap(),
    };
    if parameters.is_empty() {
        model.conditions.push(Condition {
            name: "c".into(),
            module: None,
            parameters: Vec::new(),
            expression: String::new(),
        });
    }
    model.conditions[0].expression = expression.into();
    model
}

pub fn compiled(parameters: &str, expression: &str) -> Result<Compiled, Vec<Problem>> {
    Compiled::new(&model(parameters, expression))
}

/// Why a model with it is refused.
pub fn refused(parameters: &str, expression: &str) -> String {
    match compiled(parameters, expression) {
        Ok(_) => panic!("`{expression}` was accepted"),
        Err(problems) => problems[0].to_string(),
    }
}

pub fn context(of: &Value) -> Context {
    of.as_object().unwrap().clone()
}

/// What it says for the context of a request.
pub fn holds(parameters: &str, expression: &str, request: &Value) -> Holds {
    let compiled = compiled(parameters, expression);
    let compiled = compiled.unwrap_or_else(|problems| panic!("`{expression}`: {}", problems[0]));
    let context = context(request);
    compiled.request(&context).holds("c", None)
}

/// In one letter: yes, no, missing, or failed because of a value, the evaluation or its cost.
pub fn letter(holds: &Holds) -> char {
    match holds {
        Holds::Yes => 'y',
        Holds::No => 'n',
        Holds::Missing(_) => 'm',
        Holds::Failed(Failure::Value { .. }) => 'v',
        Holds::Failed(Failure::Evaluation { .. }) => 'e',
        Holds::Failed(Failure::Cost { .. }) => 'c',
        Holds::Failed(Failure::Unknown(_)) => 'u',
    }
}
