//! A suite in the form in which OpenFGA keeps its own, over HTTP: stages of a model, tuples and assertions. The file of
//! this repository always runs; `RELATION_SUITE` names another, as JSON. Checks of a case with one stage are made twice,
//! the second time with every tuple as a contextual one.

use super::Store;
use crate::world::{Answer, Engine, World};
use authz::model::Model;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn items<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[], Vec::as_slice)
}

/// The numbers by which the suite knows the codes.
const CODES: [(u64, &str); 5] = [
    (2000, "validation_error"),
    (2002, "authorization_model_resolution_too_complex"),
    (2021, "type_not_found"),
    (2022, "relation_not_found"),
    (2027, "invalid_tuple"),
];

/// Cases of the public suite that are answered otherwise, on purpose.
const OTHERWISE: [(&str, &str); 4] = [
    (
        "resolution_too_complex_throws_error",
        "27 usersets deep: here it has an answer",
    ),
    (
        "list_objects_expands_wildcard_tuple",
        "recursion through `but not` is refused when it is written",
    ),
    ("true_butnot_cycle_return_false", "the same"),
    ("false_butnot_cycle_return_false", "the same"),
];

fn names(all: impl IntoIterator<Item = String>) -> String {
    format!("{:?}", all.into_iter().collect::<BTreeSet<_>>())
}

fn wanted(of: &Value, list: bool) -> String {
    let code = of["errorCode"].as_u64().filter(|code| *code != 0);
    let code = code.map(|code| CODES.iter().find(|(known, _)| *known == code).unwrap().1);
    match (code, &of["expectation"]) {
        (Some(code), _) => code.to_owned(),
        (_, Value::Array(all)) => names(all.iter().map(|one| one.as_str().unwrap().to_owned())),
        (_, Value::Bool(expected)) => expected.to_string(),
        _ if list => names([]),
        _ => "false".to_owned(),
    }
}

fn user(of: &Value) -> String {
    let part = |of: &Value, name: &str| of[name].as_str().unwrap().to_owned();
    match (&of["object"], &of["userset"], &of["wildcard"]) {
        (Value::Object(_), ..) => format!(
            "{}:{}",
            part(&of["object"], "type"),
            part(&of["object"], "id")
        ),
        (_, Value::Object(_), _) => {
            let of = &of["userset"];
            format!(
                "{}:{}#{}",
                part(of, "type"),
                part(of, "id"),
                part(of, "relation")
            )
        }
        _ => format!("{}:*", part(&of["wildcard"], "type")),
    }
}

fn told(answer: &Answer, read: impl Fn(&Value) -> String) -> String {
    match answer.status {
        200 => read(&answer.body),
        _ => answer.body["code"].as_str().unwrap_or_default().to_owned(),
    }
}

struct Run {
    store: Store,
    asked: usize,
    wrong: Vec<String>,
}

impl Run {
    fn note(&mut self, case: &str, one: &Value, found: &str, wanted: &str) {
        self.asked += 1;
        if found != wanted {
            self.wrong
                .push(format!("{case}: {one}: {found}, should be {wanted}"));
        }
    }

    async fn checks(&mut self, case: &str, stage: &Value, more: &[Value]) {
        for one in items(stage, "checkAssertions") {
            let own = items(one, "contextualTuples").iter();
            let more: Vec<&Value> = more.iter().chain(own).collect();
            let body = json!({
                "tuple_key": one["tuple"], "context": one["context"], "contextual_tuples": { "tuple_keys": more },
            });
            let answer = self.store.post("check", body).await;
            let found = told(&answer, |body| body["allowed"].to_string());
            self.note(case, one, &found, &wanted(one, false));
        }
    }

    async fn lists(&mut self, case: &str, stage: &Value) {
        for one in items(stage, "listObjectsAssertions") {
            let mut body = one["request"].clone();
            body["context"] = one["context"].clone();
            body["contextual_tuples"] = json!({ "tuple_keys": items(one, "contextualTuples") });
            let answer = self.store.post("list-objects", body).await;
            let found = told(&answer, |body| {
                names(
                    items(body, "objects")
                        .iter()
                        .map(|one| one.as_str().unwrap().to_owned()),
                )
            });
            self.note(case, one, &found, &wanted(one, true));
        }
        for one in items(stage, "listUsersAssertions") {
            let request = &one["request"];
            let filter = request["filters"][0].as_str().unwrap();
            let (of, relation) = filter.split_once('#').unwrap_or((filter, ""));
            let (kind, id) = request["object"].as_str().unwrap().split_once(':').unwrap();
            let body = json!({
                "object": { "type": kind, "id": id }, "relation": request["relation"],
                "user_filters": [{ "type": of, "relation": relation }],
                "context": one["context"], "contextual_tuples": items(one, "contextualTuples"),
            });
            let answer = self.store.post("list-users", body).await;
            let found = told(&answer, |body| names(items(body, "users").iter().map(user)));
            self.note(case, one, &found, &wanted(one, true));
        }
    }

    async fn stage(&mut self, case: &str, stage: &Value, single: bool) {
        let model = match Model::read(stage["model"].as_str().unwrap()) {
            Ok(model) => model,
            Err(problems) => {
                let refused = format!("{case}: {}", problems[0]);
                return self.wrong.push(refused);
            }
        };
        let written = self
            .store
            .post("authorization-models", serde_json::to_value(model).unwrap())
            .await;
        if written.status != 201 {
            return self
                .wrong
                .push(format!("{case}: {}", written.response.text()));
        }
        let tuples = items(stage, "tuples");
        if single && tuples.len() <= 100 {
            self.checks(case, stage, tuples).await;
        }
        for some in tuples.chunks(40) {
            let written = self
                .store
                .post("write", json!({ "writes": { "tuple_keys": some } }))
                .await;
            if written.status != 200 {
                self.wrong
                    .push(format!("{case}: {}", written.response.text()));
            }
        }
        self.checks(case, stage, &[]).await;
        self.lists(case, stage).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_5_the_suite_of_the_makers_passes_over_http() {
    let suite = match std::env::var("RELATION_SUITE") {
        Ok(path) => std::fs::read_to_string(path).unwrap(),
        Err(_) => include_str!("../../../../authz/tests/relations/suite.json").to_owned(),
    };
    let suite: Value = serde_json::from_str(&suite).unwrap();
    let world = World::start(Engine::Sqlite).await.unwrap();
    let (mut asked, mut wrong) = (0, Vec::new());
    for case in items(&suite, "tests") {
        let name = case["name"].as_str().unwrap();
        let store = Store::made(&world.owner.api, "a case").await;
        let mut run = Run {
            store,
            asked: 0,
            wrong: Vec::new(),
        };
        let stages = items(case, "stages");
        for stage in stages {
            run.stage(name, stage, stages.len() == 1).await;
        }
        asked += run.asked;
        match OTHERWISE.iter().find(|(known, _)| *known == name) {
            Some((_, why)) => println!("{name}: {} otherwise, {why}", run.wrong.len()),
            None => wrong.append(&mut run.wrong),
        }
    }
    println!("{asked} assertions, {} otherwise", wrong.len());
    assert!(asked > 20 && wrong.is_empty(), "{}", wrong.join("\n"));
}
