//! A suite in the form in which OpenFGA keeps its own about conditions: stages of a model, tuples with conditions and
//! assertions with contexts, as JSON, through the relation engine. `suite.json` is this repository's, small;
//! `CONDITION_SUITE` names another file to run instead. Checks of a case with one stage are made twice, the second time
//! with every tuple as a contextual one. An assertion of an error is one that nothing is decided.

use authz::model::Model;
use authz::relation::{
    Budget, Context, Decision, Listing, Object, Plan, Query, Subject, Tuple, TupleKey, Tuples,
    Unsettled, UserFilter,
};
use kernel::Timestamp;
use policy::cel::{Compiled, Request};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

fn items<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

fn context(of: &Value) -> Context {
    of["context"].as_object().cloned().unwrap_or_default()
}

fn tuple(of: &Value) -> Option<Tuple<'_>> {
    let key = TupleKey::parse(text(of, "object"), text(of, "relation"), text(of, "user"));
    let condition = &of["condition"];
    Some(Tuple {
        condition: condition["name"].as_str(),
        context: Some(Arc::new(context(condition))),
        ..key.ok()?.always()
    })
}

/// Everything that a stage is asked about.
struct Stage<'a> {
    tuples: &'a Tuples,
    plan: &'a Plan,
    compiled: &'a Compiled,
}

/// An answer, or nothing when nothing is decided.
type Answer = Option<String>;

impl Stage<'_> {
    fn ask(&self, of: &Value, ask: impl Fn(&Query<'_, Request<'_>>) -> Answer) -> Answer {
        let more: Option<Vec<_>> = items(of, "contextualTuples").iter().map(tuple).collect();
        let tuples = self.tuples.with(self.plan, &more?).ok()?;
        let context = context(of);
        ask(&Query {
            tuples: &tuples,
            plan: self.plan,
            conditions: &self.compiled.request(&context),
            now: Timestamp::from_seconds(0),
            budget: Budget::default(),
        })
    }

    fn check(&self, of: &Value) -> Answer {
        let key = tuple(&of["tuple"])?.key;
        self.ask(of, |query| {
            match query.check(key.object, key.relation, key.subject).ok()? {
                Decision::Allowed => Some("true".into()),
                Decision::Denied => Some("false".into()),
                Decision::Conditional(_) => None,
            }
        })
    }

    fn objects(&self, of: &Value) -> Answer {
        let asked = &of["request"];
        let subject = Subject::parse(text(asked, "user")).ok()?;
        let (kind, relation) = (text(asked, "type"), text(asked, "relation"));
        self.ask(of, |query| {
            listed(query.list_objects(kind, relation, subject).ok()?)
        })
    }

    fn users(&self, of: &Value) -> Answer {
        let asked = &of["request"];
        let filter = asked["filters"][0].as_str().unwrap();
        let (type_name, relation) = filter
            .split_once('#')
            .map_or((filter, None), |(t, r)| (t, Some(r)));
        let filter = UserFilter {
            type_name,
            relation,
        };
        let object = Object::parse(text(asked, "object")).ok()?;
        let relation = text(asked, "relation");
        self.ask(of, |query| {
            strictly(query.list_users(object, relation, filter).ok()?)
        })
    }
}

fn listed(listing: Listing) -> Answer {
    let names = |all: BTreeSet<String>| format!("{all:?}");
    listing.conditional.is_empty().then(|| names(listing.found))
}

/// A listing of users is an error as soon as any condition on the way says nothing; of objects, only if one hangs on it.
fn strictly(listing: Listing) -> Answer {
    let settled = listing.unsettled == Unsettled::default();
    settled.then(|| listed(listing))?
}

fn wanted(of: &Value) -> Answer {
    let names = |all: &[Value]| {
        let names: BTreeSet<_> = all.iter().map(|one| one.as_str().unwrap()).collect();
        format!("{names:?}")
    };
    match (&of["errorCode"], &of["expectation"]) {
        (Value::Number(code), _) if code.as_u64() != Some(0) => None,
        (_, Value::Bool(expected)) => Some(expected.to_string()),
        (_, Value::Array(all)) => Some(names(all)),
        _ => Some(names(&[])),
    }
}

/// What was asked so far, and what was answered otherwise than it should be.
#[derive(Default)]
struct Run {
    stated: usize,
    asked: usize,
    wrong: Vec<String>,
}

impl Run {
    fn all(&mut self, name: &str, assertions: &[Value], ask: impl Fn(&Value) -> Answer) {
        for one in assertions {
            self.asked += 1;
            let (found, wanted) = (ask(one), wanted(one));
            if found != wanted {
                let said = format!("{name}: {one}: {found:?}, should be {wanted:?}");
                self.wrong.push(said);
            }
        }
    }

    fn stage(&mut self, name: &str, tuples: &mut Tuples, stage: &Value, single: bool) {
        let model = Model::read(text(stage, "model")).unwrap_or_else(|all| panic!("{}", all[0]));
        let compiled = Compiled::new(&model).unwrap_or_else(|all| panic!("{name}: {}", all[0]));
        let plan = tuples.compile(&model).unwrap();
        let named = items(stage, "tuples").iter();
        let named: Vec<_> = named.map(|of| tuple(of).unwrap()).collect();
        let checks = items(stage, "checkAssertions");
        if single {
            let with = tuples.with(&plan, &named).unwrap();
            let (tuples, plan, compiled) = (&with, &plan, &compiled);
            let stage = Stage {
                tuples,
                plan,
                compiled,
            };
            self.all(name, checks, |of| stage.check(of));
        }
        for one in &named {
            plan.allows(one).unwrap();
            if let (Some(condition), Some(context)) = (one.condition, &one.context) {
                compiled.accepts(condition, context).unwrap();
            }
            tuples.put(one).unwrap();
        }
        let (objects, users) = (
            items(stage, "listObjectsAssertions"),
            items(stage, "listUsersAssertions"),
        );
        self.stated += checks.len() + objects.len() + users.len();
        let (plan, compiled) = (&plan, &compiled);
        let stage = Stage {
            tuples,
            plan,
            compiled,
        };
        self.all(name, checks, |of| stage.check(of));
        self.all(name, objects, |of| stage.objects(of));
        self.all(name, users, |of| stage.users(of));
    }
}

#[test]
fn the_suite_passes() {
    let suite = match std::env::var("CONDITION_SUITE") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => include_str!("suite.json").to_owned(),
    };
    let suite: Value = serde_json::from_str(&suite).unwrap();
    let mut run = Run::default();
    for case in items(&suite, "tests") {
        let (mut tuples, stages) = (Tuples::default(), items(case, "stages"));
        for stage in stages {
            run.stage(text(case, "name"), &mut tuples, stage, stages.len() == 1);
        }
    }
    let Run {
        stated,
        asked,
        wrong,
    } = run;
    println!(
        "{stated} assertions, asked {asked} times, {} wrong",
        wrong.len()
    );
    assert!(stated > 20 && wrong.is_empty(), "{}", wrong.join("\n"));
}
