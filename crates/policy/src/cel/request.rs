//! The conditions of a model for the questions of one request: its context is read once for each condition, answers
//! that depend on it alone are kept, and all evaluations together have one budget. It is of one thread.

use super::eval::Evaluation;
use super::fault::{Fault, Meter};
use super::node::Program;
use super::value::Value;
use super::{Compiled, parameter};
use authz::relation::{Conditions, Context, Failure, Holds};
use kernel::limits::{CONDITION_QUESTION_STEPS, CONDITION_STEPS};
use std::cell::{Cell, OnceCell};

/// A value for a parameter, or why it cannot be one.
type Read = Option<Result<Value, Fault>>;

/// The conditions of a model with the context of a request.
#[derive(Debug)]
pub struct Request<'a> {
    compiled: &'a Compiled,
    context: &'a Context,
    left: Cell<usize>,
    known: Vec<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// The request's values for the parameters of a condition.
    values: OnceCell<Vec<Read>>,
    /// What the condition says without a value of a tuple.
    answer: OnceCell<Holds>,
}

impl<'a> Request<'a> {
    pub(super) fn new(compiled: &'a Compiled, context: &'a Context) -> Self {
        let programs = compiled.programs.iter();
        Self {
            compiled,
            context,
            left: Cell::new(CONDITION_QUESTION_STEPS),
            known: programs.map(|_| Known::default()).collect(),
        }
    }

    /// Does something on the budget.
    fn paid<T>(&self, work: impl FnOnce(&mut Meter) -> T) -> T {
        let before = self.left.get();
        let mut meter = Meter::with(before);
        let done = work(&mut meter);
        self.left.set(before.saturating_sub(meter.spent(before)));
        done
    }

    fn read(&self, program: &Program, context: &Context) -> Vec<Read> {
        let read = |meter: &mut Meter| {
            let parameters = program.parameters.iter();
            let value = parameters.map(|(name, of)| {
                let given = context.get(&**name)?;
                Some(parameter::value(of, given, meter))
            });
            value.collect()
        };
        self.paid(read)
    }

    fn answer(&self, program: &Program, values: Vec<Read>) -> Holds {
        let names = program.parameters.iter().map(|(name, _)| name);
        let (mut known, mut missing) = (Vec::with_capacity(values.len()), Vec::new());
        for (name, value) in names.zip(values) {
            match value {
                Some(Ok(value)) => known.push(value),
                Some(Err(Fault::Cost)) => return Holds::Failed(self.cost(program)),
                Some(Err(fault)) => {
                    return Holds::Failed(Failure::Value {
                        condition: program.name.to_string(),
                        parameter: name.to_string(),
                        message: fault.to_string(),
                    });
                }
                None => missing.push(name.to_string()),
            }
        }
        if !missing.is_empty() {
            return Holds::Missing(missing);
        }
        let truth = self.paid(|meter| {
            let mut evaluation = Evaluation::new(known, *meter);
            let truth = evaluation.truth(&program.root);
            *meter = evaluation.meter;
            truth
        });
        match truth {
            Ok(true) => Holds::Yes,
            Ok(false) => Holds::No,
            Err(Fault::Cost) => Holds::Failed(self.cost(program)),
            Err(fault) => Holds::Failed(Failure::Evaluation {
                condition: program.name.to_string(),
                message: fault.to_string(),
            }),
        }
    }

    fn cost(&self, program: &Program) -> Failure {
        let message = match self.left.get() {
            0 => format!(
                "the conditions of this question cost more than {CONDITION_QUESTION_STEPS} steps"
            ),
            _ => format!("costs more than {CONDITION_STEPS} steps"),
        };
        Failure::Cost {
            condition: program.name.to_string(),
            message,
        }
    }
}

impl Conditions for Request<'_> {
    fn holds(&self, condition: &str, context: Option<&Context>) -> Holds {
        let found = self.compiled.find(condition);
        let known = found.and_then(|(at, program)| Some((program, self.known.get(at)?)));
        let Some((program, known)) = known else {
            return Holds::Failed(Failure::Unknown(condition.to_owned()));
        };
        let values = known
            .values
            .get_or_init(|| self.read(program, self.context));
        match context.filter(|context| !context.is_empty()) {
            None => {
                let answer = known
                    .answer
                    .get_or_init(|| self.answer(program, values.clone()));
                answer.clone()
            }
            Some(context) => {
                let own = self.read(program, context).into_iter();
                let both = own.zip(values.iter().cloned());
                self.answer(program, both.map(|(own, of)| own.or(of)).collect())
            }
        }
    }
}
