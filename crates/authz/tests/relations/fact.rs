//! Tuples as tests write them, and the tiny language of their conditions: the condition of a tuple is true, false,
//! lacks a value or fails as its context says. No CEL here.

use authz::relation::{Conditions, Context, Failure, Holds, Truth, Tuple, TupleKey};
use kernel::Timestamp;
use serde_json::json;
use std::sync::Arc;

/// A tuple with its own text. Its condition, when it has one, has the truth given.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub object: String,
    pub relation: String,
    pub user: String,
    pub condition: Option<(String, Truth)>,
    pub from: Option<i64>,
    pub until: Option<i64>,
}

/// Reads `document:1#viewer@user:anne`, and `… with c=true` for a tuple with the condition `c`.
pub fn fact(text: &str) -> Fact {
    let (key, condition) = text
        .split_once(" with ")
        .map_or((text, None), |(k, c)| (k, Some(c)));
    let (left, user) = key.split_once('@').unwrap();
    let (object, relation) = left.split_once('#').unwrap();
    let condition = condition.map(|text| {
        let (name, truth) = text.split_once('=').unwrap();
        let truth = match truth {
            "true" => Truth::True,
            "false" => Truth::False,
            _ => Truth::Unknown,
        };
        (name.to_owned(), truth)
    });
    Fact {
        object: object.into(),
        relation: relation.into(),
        user: user.into(),
        condition,
        from: None,
        until: None,
    }
}

pub fn facts(texts: &[&str]) -> Vec<Fact> {
    texts.iter().copied().map(fact).collect()
}

impl Fact {
    pub fn key(&self) -> TupleKey<'_> {
        TupleKey::parse(&self.object, &self.relation, &self.user).unwrap()
    }

    pub fn tuple(&self) -> Tuple<'_> {
        let context = |truth: &Truth| match truth {
            Truth::True => json!({ "x": true }),
            Truth::False => json!({ "x": false }),
            // It fails for some, and lacks its value for others.
            Truth::Unknown if self.user.ends_with('1') => json!({ "x": "wrong" }),
            Truth::Unknown => json!({}),
        };
        let context = self
            .condition
            .as_ref()
            .and_then(|(_, truth)| context(truth).as_object().cloned());
        Tuple {
            condition: self.condition.as_ref().map(|(name, _)| name.as_str()),
            context: context.map(Arc::new),
            valid_from: self.from.map(Timestamp::from_seconds),
            valid_until: self.until.map(Timestamp::from_seconds),
            ..self.key().always()
        }
    }
    pub fn counts(&self, now: i64) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// What a condition fails with whose `x` is no truth.
pub fn failure() -> Failure {
    Failure::Value {
        condition: "c".into(),
        parameter: "x".into(),
        message: "takes true or false".into(),
    }
}

/// The evaluator of the tests' conditions: `x` of the tuple's context.
pub struct ByContext;

impl Conditions for ByContext {
    fn holds(&self, _: &str, context: Option<&Context>) -> Holds {
        match context.and_then(|context| context.get("x")?.as_bool()) {
            Some(true) => Holds::Yes,
            Some(false) => Holds::No,
            None if context.is_some_and(|context| context.contains_key("x")) => {
                Holds::Failed(failure())
            }
            None => Holds::Missing(vec!["x".into()]),
        }
    }
}
