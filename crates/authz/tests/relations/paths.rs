//! The way by which somebody is in a relation, and that there is none where a check permits nothing.

use super::fact::{ByContext, Fact, facts};
use super::spec_cases::{CASES, question};
use authz::model::Model;
use authz::relation::{Budget, Decision, Object, Query, Subject, Tuples};
use kernel::Timestamp;

fn ways(model: &Model, facts: &[Fact], text: &str) -> (bool, Option<Vec<String>>) {
    let mut tuples = Tuples::load(facts.iter().map(Fact::tuple)).unwrap();
    let plan = tuples.compile(model).unwrap();
    let query = Query {
        tuples: &tuples,
        plan: &plan,
        conditions: &ByContext,
        now: Timestamp::from_seconds(0),
        budget: Budget::default(),
    };
    let (object, relation, subject) = question(text);
    let object = Object::parse(object).unwrap();
    let subject = Subject::parse(subject).unwrap();
    let allowed = query.check(object, relation, subject) == Ok(Decision::Allowed);
    (
        allowed,
        query.path(object, relation, subject).ok().flatten(),
    )
}

#[test]
fn a_way_goes_from_the_object_to_the_subject() {
    let types = "
model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define viewer: [user, group#member]
type document
  relations
    define parent: [folder]
    define banned: [user]
    define owner: [user:*]
    define viewer: viewer from parent but not banned
    define both: viewer and owner
";
    let model = Model::read(types).unwrap();
    let facts = facts(&[
        "document:1#parent@folder:1",
        "folder:1#viewer@group:a#member",
        "group:a#member@group:b#member",
        "group:b#member@group:a#member",
        "group:b#member@user:anne",
        "group:b#member@user:bob",
        "document:1#banned@user:bob",
        "document:1#owner@user:*",
    ]);
    let viewing = [
        "document:1#parent@folder:1",
        "folder:1#viewer@group:a#member",
        "group:a#member@group:b#member",
        "group:b#member@user:anne",
    ];
    let way = |text: &str| ways(&model, &facts, text).1;
    assert_eq!(way("document:1#viewer@user:anne").unwrap(), viewing);
    let mut both = viewing.to_vec();
    both.push("document:1#owner@user:*");
    assert_eq!(way("document:1#both@user:anne").unwrap(), both);
    assert_eq!(way("document:1#viewer@user:bob"), None);
    assert_eq!(way("document:2#viewer@user:anne"), None);
}

#[test]
fn there_is_a_way_exactly_where_a_check_permits() {
    let mut found = 0;
    for case in CASES {
        let (model, facts) = (case.model(), case.facts());
        let of_objects = |text: &&str| !question(text).2.contains('#');
        for text in case.checks.iter().map(|(text, _)| *text).filter(of_objects) {
            let (allowed, way) = ways(&model, &facts, text);
            assert_eq!(way.is_some(), allowed, "{}: {text}", case.name);
            found += usize::from(way.is_some());
        }
    }
    assert!(found > 10, "{found}");
}
