//! A suite in the form in which OpenFGA keeps its own: stages of a model, tuples and assertions, as JSON. `suite.json`
//! is this repository's, small; `RELATION_SUITE` names another file to run instead. Checks of a case with one stage are
//! made twice, the second time with every tuple as a contextual one.

use super::fact::ByContext;
use authz::model::Model;
use authz::relation::{
    Budget, Decision, Listing, Object, Plan, Query, Subject, Tuple, TupleKey, Tuples, UserFilter,
};
use kernel::Timestamp;
use serde_json::Value;
use std::collections::BTreeSet;

fn items<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

fn tuple(of: &Value) -> Result<Tuple<'_>, String> {
    let key = TupleKey::parse(text(of, "object"), text(of, "relation"), text(of, "user"));
    key.map(TupleKey::always).map_err(|e| e.to_string())
}

fn with(tuples: &Tuples, plan: &Plan, of: &Value) -> Result<Tuples, String> {
    let more: Result<Vec<_>, _> = items(of, "contextualTuples").iter().map(tuple).collect();
    tuples.with(plan, &more?).map_err(|e| e.to_string())
}

fn query<'a>(tuples: &'a Tuples, plan: &'a Plan) -> Query<'a, ByContext> {
    Query {
        tuples,
        plan,
        conditions: &ByContext,
        now: Timestamp::from_seconds(0),
        budget: Budget::default(),
    }
}

fn listing(found: Listing) -> String {
    format!("{:?}", found.found)
}

fn check(tuples: &Tuples, plan: &Plan, of: &Value) -> Result<String, String> {
    let tuples = with(tuples, plan, of)?;
    let key = tuple(&of["tuple"])?.key;
    let decision = query(&tuples, plan).check(key.object, key.relation, key.subject);
    Ok((decision.map_err(|e| e.to_string())? == Decision::Allowed).to_string())
}

fn objects(tuples: &Tuples, plan: &Plan, of: &Value) -> Result<String, String> {
    let tuples = with(tuples, plan, of)?;
    let of = &of["request"];
    let subject = Subject::parse(text(of, "user")).map_err(|e| e.to_string())?;
    let found = query(&tuples, plan).list_objects(text(of, "type"), text(of, "relation"), subject);
    found.map(listing).map_err(|e| e.to_string())
}

fn users(tuples: &Tuples, plan: &Plan, of: &Value) -> Result<String, String> {
    let tuples = with(tuples, plan, of)?;
    let of = &of["request"];
    let filter = of["filters"][0].as_str().unwrap();
    let (type_name, relation) = filter
        .split_once('#')
        .map_or((filter, None), |(t, r)| (t, Some(r)));
    let filter = UserFilter {
        type_name,
        relation,
    };
    let object = Object::parse(text(of, "object")).map_err(|e| e.to_string())?;
    let found = query(&tuples, plan).list_users(object, text(of, "relation"), filter);
    found.map(listing).map_err(|e| e.to_string())
}

fn wanted(of: &Value) -> Option<String> {
    let names = |all: &[Value]| {
        let names: BTreeSet<_> = all
            .iter()
            .map(|one| one.as_str().unwrap().to_owned())
            .collect();
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
struct Run {
    asked: usize,
    wrong: Vec<String>,
}

type Ask = fn(&Tuples, &Plan, &Value) -> Result<String, String>;

impl Run {
    fn all(&mut self, name: &str, tuples: &Tuples, plan: &Plan, assertions: &[Value], ask: Ask) {
        for one in assertions {
            self.asked += 1;
            let (found, wanted) = (ask(tuples, plan, one), wanted(one));
            if found.as_ref().ok() != wanted.as_ref() {
                self.wrong
                    .push(format!("{name}: {one}: {found:?}, should be {wanted:?}"));
            }
        }
    }

    fn stage(&mut self, name: &str, tuples: &mut Tuples, stage: &Value, single: bool) {
        let model = match Model::read(text(stage, "model")) {
            Ok(model) => model,
            Err(problems) => return self.wrong.push(format!("{name}: {}", problems[0])),
        };
        let plan = tuples.compile(&model).unwrap();
        let named: Vec<_> = items(stage, "tuples")
            .iter()
            .map(|one| tuple(one).unwrap())
            .collect();
        if single {
            let with = tuples.with(&plan, &named).unwrap();
            self.all(name, &with, &plan, items(stage, "checkAssertions"), check);
        }
        for one in &named {
            plan.allows(one).unwrap();
            tuples.put(one).unwrap();
        }
        self.all(name, tuples, &plan, items(stage, "checkAssertions"), check);
        self.all(
            name,
            tuples,
            &plan,
            items(stage, "listObjectsAssertions"),
            objects,
        );
        self.all(
            name,
            tuples,
            &plan,
            items(stage, "listUsersAssertions"),
            users,
        );
    }
}

#[test]
fn the_suite_passes() {
    let suite = match std::env::var("RELATION_SUITE") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => include_str!("suite.json").to_owned(),
    };
    let suite: Value = serde_json::from_str(&suite).unwrap();
    let mut run = Run {
        asked: 0,
        wrong: Vec::new(),
    };
    for case in items(&suite, "tests") {
        let (mut tuples, stages) = (Tuples::default(), items(case, "stages"));
        for stage in stages {
            run.stage(text(case, "name"), &mut tuples, stage, stages.len() == 1);
        }
    }
    println!("{} assertions, {} wrong", run.asked, run.wrong.len());
    assert!(
        run.asked > 20 && run.wrong.is_empty(),
        "{}",
        run.wrong.join("\n")
    );
}
