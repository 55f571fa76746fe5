//! The engine against the specification: random models, tuples in every place where the engine may keep them, and every
//! question there is about them. `RELATION_MODELS` sets how many models, `RELATION_PAIRS` how many questions instead,
//! `RELATION_SEED` where to begin; `cargo xtask differential` sets them.

use super::fact::{ByContext, Fact, failure};
use super::generate::{self, Dice, OBJECTS};
use super::spec::Spec;
use authz::model::Model;
use authz::relation::{
    Budget, Decision, Listing, Object, Plan, Query, Subject, Truth, Tuples, Unsettled, UserFilter,
};
use kernel::Timestamp;
use std::collections::BTreeMap;

/// How the tuples come into the engine.
struct Shape {
    seed: u64,
    now: i64,
}

/// Some in the base, some since, some put and taken away again, some merged, and the last as contextual tuples.
fn build(shape: &Shape, model: &Model, facts: &[Fact]) -> (Tuples, Plan) {
    let mut dice = Dice::new(shape.seed ^ 0xabcd);
    let loaded = dice.below(facts.len() + 1);
    let (base, since) = facts.split_at(loaded);
    let mut tuples = match dice.below(3) {
        0 => Tuples::default(),
        _ => Tuples::load(base.iter().map(Fact::tuple)).unwrap(),
    };
    if tuples.is_empty() {
        for fact in base {
            tuples.put(&fact.tuple()).unwrap();
        }
    }
    let plan = tuples.compile(model).unwrap();
    for fact in base {
        // Taken away and put back, or changed and put right: the base says one thing and the delta another.
        if dice.chance(20) {
            assert!(tuples.remove(&fact.key()));
        } else if dice.chance(10) {
            assert!(tuples.put(&fact.key().always()).unwrap());
        } else {
            continue;
        }
        tuples.put(&fact.tuple()).unwrap();
    }
    let strangers = generate::facts(&mut dice, model);
    let strangers = strangers
        .iter()
        .filter(|one| facts.iter().all(|fact| fact.key() != one.key()));
    let strangers: Vec<_> = strangers.collect();
    for fact in &strangers {
        tuples.put(&fact.tuple()).unwrap();
    }
    if dice.chance(30) {
        tuples = tuples.merged().unwrap();
        assert_eq!(tuples.changed(), 0);
    }
    for fact in &strangers {
        assert!(tuples.remove(&fact.key()));
    }
    let (stored, contextual) = since.split_at(dice.below(since.len() + 1));
    for fact in stored {
        tuples.put(&fact.tuple()).unwrap();
    }
    if dice.chance(30) {
        tuples = tuples.merged().unwrap();
    }
    let (contextual, wrong): (Vec<&Fact>, _) = contextual
        .iter()
        .partition(|fact| generate::fits(model, fact));
    for fact in wrong {
        assert!(tuples.with(&plan, &[fact.tuple()]).is_err(), "{fact:?}");
        tuples.put(&fact.tuple()).unwrap();
    }
    let before = tuples.len();
    let more: Vec<_> = contextual.iter().map(|fact| fact.tuple()).collect();
    let with = tuples.with(&plan, &more).unwrap();
    assert_eq!((with.len(), tuples.len()), (facts.len(), before));
    (with, plan)
}

fn truth(decision: &Decision) -> Truth {
    match decision {
        Decision::Allowed => Truth::True,
        Decision::Denied => Truth::False,
        Decision::Conditional(Unsettled { missing, failed }) => {
            assert!(missing.contains("x") || failed.contains(&failure()));
            Truth::Unknown
        }
    }
}

fn listed(listing: Listing) -> BTreeMap<String, Truth> {
    let unsettled = listing.unsettled != Unsettled::default();
    assert!(unsettled || listing.conditional.is_empty());
    let found = listing.found.into_iter().map(|name| (name, Truth::True));
    found
        .chain(
            listing
                .conditional
                .into_iter()
                .map(|name| (name, Truth::Unknown)),
        )
        .collect()
}

/// The first question whose answers differ, and how many were asked.
fn compare(shape: &Shape, model: &Model, facts: &[Fact]) -> Result<usize, String> {
    let (tuples, plan) = build(shape, model, facts);
    let query = Query {
        tuples: &tuples,
        plan: &plan,
        conditions: &ByContext,
        now: Timestamp::from_seconds(shape.now),
        budget: Budget::default(),
    };
    let spec = Spec {
        model,
        facts,
        now: shape.now,
    };
    let mut dice = Dice::new(shape.seed ^ 0x1234);
    let mut nodes = Vec::new();
    for of in &model.types {
        // One more than there are tuples about.
        let objects = (0..=OBJECTS).map(|id| format!("{}:{id}", of.name));
        nodes.extend(objects.flat_map(|object| {
            of.relations
                .iter()
                .map(move |one| (object.clone(), one.name.clone()))
        }));
    }
    let objects: Vec<&str> = nodes.iter().map(|(object, _)| object.as_str()).collect();
    let mut subjects: Vec<String> = (0..=OBJECTS).map(|id| format!("user:{id}")).collect();
    subjects.push("user:*".into());
    subjects.extend((0..4).map(|_| format!("{}#{}", dice.pick(&nodes).0, "p")));
    subjects.extend(
        (0..8)
            .map(|_| dice.pick(&nodes))
            .map(|(object, relation)| format!("{object}#{relation}")),
    );
    subjects.extend((0..2).map(|_| dice.pick(&nodes).0.clone()));
    let mut asked = 0;
    for subject in &subjects {
        let truths = spec.truths(subject, &objects);
        let as_subject = Subject::parse(subject).unwrap();
        for (object, relation) in &nodes {
            let found = query.check(Object::parse(object).unwrap(), relation, as_subject);
            let (found, wanted) = (
                truth(&found.map_err(|e| e.to_string())?),
                truths[&(object.clone(), relation.clone())],
            );
            if found != wanted {
                return Err(format!(
                    "check {object}#{relation}@{subject}: {found:?}, should be {wanted:?}"
                ));
            }
            asked += 1;
        }
        let (object, relation) = dice.pick(&nodes);
        let of = object.split(':').next().unwrap();
        let found = listed(
            query
                .list_objects(of, relation, as_subject)
                .map_err(|e| e.to_string())?,
        );
        let wanted: BTreeMap<_, _> = (truths.into_iter())
            .filter(|((object, r), truth)| {
                object.split(':').next() == Some(of) && r == relation && *truth != Truth::False
            })
            .map(|((object, _), truth)| (object, truth))
            // A new object is in a list only if it is the subject's own.
            .filter(|(object, _)| {
                !object.ends_with(&OBJECTS.to_string()) || subject.starts_with(object.as_str())
            })
            .collect();
        if found != wanted {
            return Err(format!(
                "list objects {of}#{relation}@{subject}: {found:?}, should be {wanted:?}"
            ));
        }
        asked += 1;
    }
    for _ in 0..10 {
        let ((object, relation), (of, r)) = (dice.pick(&nodes), dice.pick(&nodes));
        let of = of.split(':').next().unwrap();
        for (filter, kind) in [
            (
                UserFilter {
                    type_name: "user",
                    relation: None,
                },
                "user".to_owned(),
            ),
            (
                UserFilter {
                    type_name: of,
                    relation: None,
                },
                of.to_owned(),
            ),
            (
                UserFilter {
                    type_name: of,
                    relation: Some(r),
                },
                format!("{of}#{r}"),
            ),
        ] {
            let found = query.list_users(Object::parse(object).unwrap(), relation, filter);
            let found = listed(found.map_err(|e| e.to_string())?);
            let wanted = spec.list_users(object, relation, &kind);
            if found != wanted {
                return Err(format!(
                    "list users {object}#{relation}@{kind}: {found:?}, should be {wanted:?}"
                ));
            }
            asked += 1;
        }
    }
    Ok(asked)
}

/// Takes tuples away for as long as something still differs.
fn shrink(shape: &Shape, model: &Model, facts: &mut Vec<Fact>, mut said: String) -> String {
    let mut at = 0;
    while at < facts.len() {
        let mut fewer = facts.clone();
        fewer.remove(at);
        match compare(shape, model, &fewer) {
            Err(difference) => (*facts, said) = (fewer, difference),
            Ok(_) => at += 1,
        }
    }
    said
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn the_engine_answers_as_the_specification() {
    let pairs = number("RELATION_PAIRS", 0);
    let least = number("RELATION_MODELS", if pairs == 0 { 600 } else { 1 });
    let first = number("RELATION_SEED", 1);
    let (mut asked, mut models) = (0, 0);
    while models < least || (asked as u64) < pairs {
        let seed = first + models;
        models += 1;
        let mut dice = Dice::new(seed);
        let model = generate::model(&mut dice);
        let mut facts = generate::facts(&mut dice, &model);
        let shape = Shape { seed, now: 100 };
        match compare(&shape, &model, &facts) {
            Ok(count) => asked += count,
            Err(said) => {
                let said = shrink(&shape, &model, &mut facts, said);
                panic!("RELATION_SEED={seed} RELATION_MODELS=1: {said}\n{model}\n{facts:#?}");
            }
        }
    }
    println!("{models} models, {asked} questions");
    assert!(asked as u64 > models * 50);
}
