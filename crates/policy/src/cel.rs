//! The conditions of a relation model: expressions in the Common Expression Language, compiled once with declared
//! types as OpenFGA does, and evaluated for one question over values of its context and of the tuple.
//!
//! The interpreter is this crate's own, because an organization's expressions run in this process: every step and every
//! byte made is paid for from a budget, patterns match in linear time, and nothing recurses deeper than a limit. It
//! never decides what an answer means for a relation; that is `authz::relation`'s.

mod address;
mod call;
mod check;
mod estimate;
mod eval;
mod expr;
mod fault;
mod lexer;
mod literal;
mod moment;
mod node;
mod overload;
mod parameter;
mod parse;
mod pattern;
mod quantity;
mod request;
mod text;
mod types;
mod value;

pub use request::Request;

use authz::model::{Condition, Model, Position};
use authz::relation::{Context, Failure};
use kernel::limits::{MODEL_CONDITIONS, TUPLE_CONTEXT_BYTES};
use node::Program;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

/// What is wrong with a condition, and where its expression says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The condition; none when there are too many.
    pub condition: Option<String>,
    /// Where in the expression, when it is about the expression.
    pub at: Option<Position>,
    /// What, and what to do about it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.condition {
            write!(f, "condition `{name}`: ")?;
        }
        if let Some(Position { line, column }) = self.at {
            write!(f, "line {line}, column {column} of its expression: ")?;
        }
        f.write_str(&self.message)
    }
}

/// The conditions of one model, ready to be evaluated. It is made once for a model and shared by all questions.
#[derive(Debug, Default)]
pub struct Compiled {
    programs: Vec<Program>,
    by_name: HashMap<String, usize>,
}

impl Compiled {
    /// Compiles every condition of a model; one problem for each that cannot be.
    pub fn new(model: &Model) -> Result<Self, Vec<Problem>> {
        if model.conditions.len() > MODEL_CONDITIONS {
            return Err(vec![Problem {
                condition: None,
                at: None,
                message: format!("the model has more than {MODEL_CONDITIONS} conditions"),
            }]);
        }
        let (mut programs, mut problems) = (Vec::new(), Vec::new());
        for condition in &model.conditions {
            match check::program(condition) {
                Ok(program) => programs.push(program),
                Err(problem) => problems.push(placed(condition, problem)),
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let names = programs.iter().enumerate();
        let by_name = names
            .map(|(at, program)| (program.name.to_string(), at))
            .collect();
        Ok(Self { programs, by_name })
    }

    /// Everything for the questions of one request, whose context is given.
    pub fn request<'a>(&'a self, context: &'a Context) -> Request<'a> {
        Request::new(self, context)
    }

    /// Whether a tuple may be written with these values for a condition: each names a parameter and is of its type.
    pub fn accepts(&self, condition: &str, context: &Context) -> Result<(), Failure> {
        let value = |parameter: &str, message: String| Failure::Value {
            condition: condition.to_owned(),
            parameter: parameter.to_owned(),
            message,
        };
        let Some((_, program)) = self.find(condition) else {
            return Err(Failure::Unknown(condition.to_owned()));
        };
        let known = |name: &String| program.parameters.iter().any(|(one, _)| **one == **name);
        if let Some(name) = context.keys().find(|name| !known(name)) {
            let quoted: String = name.chars().take(80).flat_map(char::escape_debug).collect();
            return Err(value(&quoted, "is not a parameter of the condition".into()));
        }
        if let Some(name) = unprintable(context) {
            return Err(value(name, "has a value with control characters".into()));
        }
        let bytes = serde_json::to_vec(context).map_or(usize::MAX, |text| text.len());
        if bytes > TUPLE_CONTEXT_BYTES {
            return Err(Failure::Cost {
                condition: condition.to_owned(),
                message: format!("its context is longer than {TUPLE_CONTEXT_BYTES} bytes"),
            });
        }
        for (name, of) in &program.parameters {
            if let Some(given) = context.get(&**name) {
                let mut meter = fault::Meter::full();
                parameter::value(of, given, &mut meter)
                    .map_err(|fault| value(name, fault.to_string()))?;
            }
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<(usize, &Program)> {
        let at = *self.by_name.get(name)?;
        Some((at, self.programs.get(at)?))
    }
}

/// The first value of a context, by its name, in which there are control characters; none belong into a tuple or a
/// request. The name itself may have some.
pub fn unprintable(context: &Context) -> Option<&str> {
    fn bad(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains(char::is_control),
            Value::Array(all) => all.iter().any(bad),
            Value::Object(all) => unprintable(all).is_some(),
            _ => false,
        }
    }
    let found = context
        .iter()
        .find(|(name, value)| name.contains(char::is_control) || bad(value));
    found.map(|(name, _)| name.as_str())
}

/// A problem with its place as line and column.
fn placed(condition: &Condition, problem: expr::Refused) -> Problem {
    let at = problem.at.map(|at| {
        let before = condition.expression.get(..at).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: number(line),
            column: number(column),
        }
    });
    Problem {
        condition: Some(condition.name.clone()),
        at,
        message: problem.message,
    }
}
