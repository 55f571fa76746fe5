//! The engine on cases by hand: the same that the specification answers, and what it has beyond it: snapshots, bounds
//! that say where they were met, contextual tuples, names it does not know.

use super::fact::{ByContext, Fact, fact, facts, failure};
use super::spec_cases::{CASES, question};
use authz::model::Model;
use authz::relation::{
    Budget, Decision, Exceeded, Expansion, Object, Plan, Query, QueryError, Subject, Truth,
    TupleError, Tuples, Unsettled, UserFilter,
};
use kernel::Timestamp;

fn model(types: &str) -> Model {
    let text = format!("model\n schema 1.1\ntype user\n{types}\ncondition c(x: bool) {{\n x\n}}\n");
    Model::read(&text).unwrap()
}

fn world(types: &str, texts: &[&str]) -> (Tuples, Plan) {
    let facts = facts(texts);
    let mut tuples = Tuples::load(facts.iter().map(Fact::tuple)).unwrap();
    let plan = tuples.compile(&model(types)).unwrap();
    (tuples, plan)
}

const fn query<'a>(
    tuples: &'a Tuples,
    plan: &'a Plan,
    now: i64,
    budget: Budget,
) -> Query<'a, ByContext> {
    Query {
        tuples,
        plan,
        conditions: &ByContext,
        now: Timestamp::from_seconds(now),
        budget,
    }
}

fn ask(tuples: &Tuples, plan: &Plan, text: &str) -> Result<Decision, QueryError> {
    let (object, relation, subject) = question(text);
    let query = query(tuples, plan, 0, Budget::default());
    query.check(
        Object::parse(object).unwrap(),
        relation,
        Subject::parse(subject).unwrap(),
    )
}

fn allowed(tuples: &Tuples, plan: &Plan, text: &str) -> bool {
    ask(tuples, plan, text).unwrap() == Decision::Allowed
}

#[test]
fn the_engine_answers_the_cases_of_the_specification() {
    for case in CASES {
        let facts = case.facts();
        let mut tuples = Tuples::load(facts.iter().map(Fact::tuple)).unwrap();
        let plan = tuples.compile(&case.model()).unwrap();
        for (text, wanted) in case.checks {
            let wanted = match wanted {
                Truth::True => Decision::Allowed,
                Truth::False => Decision::Denied,
                Truth::Unknown => Decision::Conditional(Unsettled {
                    missing: ["x".to_owned()].into(),
                    ..Unsettled::default()
                }),
            };
            assert_eq!(
                ask(&tuples, &plan, text).unwrap(),
                wanted,
                "{}: {text}",
                case.name
            );
        }
    }
}

const TREE: &str = "type folder\n relations\n  define parent: [folder]\n  define viewer: [user, folder#viewer] or viewer from parent";

#[test]
fn a_held_snapshot_is_not_disturbed() {
    let (mut tuples, plan) = world(
        TREE,
        &["folder:1#viewer@user:anne", "folder:2#viewer@user:anne"],
    );
    let held = tuples.clone();
    assert!(tuples.remove(&fact("folder:1#viewer@user:anne").key()));
    assert!(!tuples.remove(&fact("folder:1#viewer@user:anne").key()));
    assert!(
        !tuples
            .put(&fact("folder:9#viewer@user:bob").tuple())
            .unwrap()
    );
    assert!(
        tuples
            .put(&fact("folder:9#viewer@user:bob").tuple())
            .unwrap()
    );
    assert!(allowed(&held, &plan, "folder:1#viewer@user:anne"));
    assert!(!allowed(&held, &plan, "folder:9#viewer@user:bob"));
    assert!(!allowed(&tuples, &plan, "folder:1#viewer@user:anne"));
    assert!(allowed(&tuples, &plan, "folder:9#viewer@user:bob"));
    assert_eq!((held.len(), tuples.len(), tuples.changed()), (2, 2, 2));
    let merged = tuples.merged().unwrap();
    assert_eq!((merged.len(), merged.changed()), (2, 0));
    assert!(allowed(&merged, &plan, "folder:9#viewer@user:bob"));
    assert!(!merged.contains(&fact("folder:1#viewer@user:anne").key()));
}

#[test]
fn tuples_count_from_their_beginning_to_their_end() {
    let mut one = fact("folder:1#viewer@user:anne");
    (one.from, one.until) = (Some(10), Some(20));
    let mut tuples = Tuples::load([one.tuple()]).unwrap();
    let plan = tuples.compile(&model(TREE)).unwrap();
    for (now, wanted) in [(9, false), (10, true), (19, true), (20, false)] {
        let query = query(&tuples, &plan, now, Budget::default());
        let (object, subject) = (
            Object::parse("folder:1").unwrap(),
            Subject::parse("user:anne").unwrap(),
        );
        assert_eq!(
            query.check(object, "viewer", subject).unwrap() == Decision::Allowed,
            wanted,
            "{now}"
        );
        assert_eq!(
            query
                .list_objects("folder", "viewer", subject)
                .unwrap()
                .found
                .len(),
            usize::from(wanted)
        );
    }
    one.until = Some(10);
    assert_eq!(tuples.put(&one.tuple()), Err(TupleError::Empty));
}

#[test]
fn bounds_are_errors_that_show_the_way() {
    let chain: Vec<String> = (0..1000)
        .map(|i| format!("folder:{i}#parent@folder:{}", i + 1))
        .collect();
    let mut chain: Vec<&str> = chain.iter().map(String::as_str).collect();
    chain.push("folder:200#viewer@user:anne");
    let (tuples, plan) = world(TREE, &chain);
    assert!(allowed(&tuples, &plan, "folder:0#viewer@user:anne"));
    let Err(QueryError::Exceeded(exceeded)) = ask(&tuples, &plan, "folder:300#viewer@user:anne")
    else {
        panic!("no error");
    };
    let Exceeded::Depth(256, way) = &exceeded else {
        panic!("{exceeded}");
    };
    assert_eq!(
        (way.len(), way[0].as_str(), way[256].as_str()),
        (257, "folder:300#viewer", "folder:556#viewer")
    );
    assert!(
        exceeded.to_string().contains("folder:301#viewer → "),
        "{exceeded}"
    );
    assert!(exceeded.to_string().contains("… 241 more …"), "{exceeded}");
    let small = Budget {
        nodes: 10,
        ..Budget::default()
    };
    let subject = Subject::parse("user:anne").unwrap();
    let few = query(&tuples, &plan, 0, small).check(
        Object::parse("folder:0").unwrap(),
        "viewer",
        subject,
    );
    assert!(
        matches!(few, Err(QueryError::Exceeded(Exceeded::Nodes(10, _)))),
        "{few:?}"
    );
    let list = query(
        &tuples,
        &plan,
        0,
        Budget {
            list_nodes: 100,
            ..small
        },
    );
    assert!(matches!(
        list.list_objects("folder", "viewer", subject),
        Err(QueryError::Exceeded(Exceeded::Nodes(100, _)))
    ));
    let all = query(&tuples, &plan, 0, Budget::default())
        .list_objects("folder", "viewer", subject)
        .unwrap();
    assert_eq!(all.found.len(), 201);
}

#[test]
fn many_circles_cost_no_more_than_their_edges() {
    let types = "type group\n relations\n  define member: [user, group#member]\n  define ok: [user]\n  define staff: [user, group#staff] and ok";
    let mut texts = Vec::new();
    for (i, j) in (0..40).flat_map(|i| (0..40).map(move |j| (i, j))) {
        texts.push(format!("group:{i}#member@group:{j}#member"));
        texts.push(format!("group:{i}#staff@group:{j}#staff"));
    }
    texts.push("group:7#staff@user:anne".into());
    texts.extend((0..39).map(|i| format!("group:{i}#ok@user:anne")));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (tuples, plan) = world(types, &texts);
    let budget = Budget {
        nodes: 2 * 40 * 40 + 100,
        ..Budget::default()
    };
    let query = query(&tuples, &plan, 0, budget);
    let anne = Subject::parse("user:anne").unwrap();
    for (object, relation, wanted) in [
        ("group:0", "member", Decision::Denied),
        ("group:0", "staff", Decision::Allowed),
        ("group:39", "staff", Decision::Denied),
    ] {
        let found = query.check(Object::parse(object).unwrap(), relation, anne);
        assert_eq!(found, Ok(wanted), "{object}#{relation}");
    }
}

#[test]
fn contextual_tuples_count_for_one_question_and_must_be_allowed() {
    let (tuples, plan) = world(TREE, &["folder:1#parent@folder:2"]);
    let more = fact("folder:2#viewer@user:new");
    let with = tuples.with(&plan, &[more.tuple()]).unwrap();
    assert!(allowed(&with, &plan, "folder:1#viewer@user:new"));
    assert!(!allowed(&tuples, &plan, "folder:1#viewer@user:new"));
    for (text, wanted) in [
        ("doc:1#viewer@user:a", "type `doc` is not in the model"),
        (
            "folder:1#owner@user:a",
            "type `folder` has no relation `owner` in the model",
        ),
        (
            "folder:1#viewer@group:a",
            "type `group` is not in the model",
        ),
        (
            "folder:1#viewer@user:*",
            "`user:*` is not among the types that relation `viewer` may name",
        ),
        (
            "folder:1#viewer@folder:1",
            "`folder:1` is not among the types that relation `viewer` may name",
        ),
        (
            "folder:1#viewer@folder:1#parent",
            "`folder:1#parent` is not among the types that relation `viewer` may name",
        ),
        (
            "folder:1#viewer@user:a with c=true",
            "`user:a` is not among the types that relation `viewer` may name",
        ),
    ] {
        let said = tuples
            .with(&plan, &[fact(text).tuple()])
            .err()
            .map(|e| e.to_string());
        assert_eq!(said.as_deref(), Some(wanted), "{text}");
    }
}

#[test]
fn names_that_the_model_does_not_know_are_errors() {
    let (tuples, plan) = world(TREE, &[]);
    let unknown = |text: &str| ask(&tuples, &plan, text).unwrap_err();
    assert_eq!(
        unknown("doc:1#viewer@user:a"),
        QueryError::UnknownType("doc".into())
    );
    assert_eq!(
        unknown("folder:1#owner@user:a"),
        QueryError::UnknownRelation("folder".into(), "owner".into())
    );
    assert_eq!(
        unknown("folder:1#viewer@group:a"),
        QueryError::UnknownType("group".into())
    );
    assert_eq!(
        unknown("folder:1#viewer@user:a#viewer"),
        QueryError::UnknownRelation("user".into(), "viewer".into())
    );
    let (other, _) = world(TREE, &["folder:1#viewer@user:a"]);
    assert_eq!(
        ask(&other, &plan, "folder:1#viewer@user:a"),
        Err(QueryError::OtherStore)
    );
}

#[test]
fn old_tuples_stay_and_do_not_count_under_a_new_model() {
    let (mut tuples, old) = world(
        TREE,
        &["folder:1#viewer@user:anne", "folder:1#parent@folder:2"],
    );
    let new = "type folder\n relations\n  define parent: [folder]\n  define viewer: [user with c] or viewer from parent";
    let new = tuples.compile(&model(new)).unwrap();
    assert!(allowed(&tuples, &old, "folder:1#viewer@user:anne"));
    assert!(!allowed(&tuples, &new, "folder:1#viewer@user:anne"));
    tuples
        .put(&fact("folder:2#viewer@user:bob with c=true").tuple())
        .unwrap();
    assert!(allowed(&tuples, &new, "folder:1#viewer@user:bob"));
    assert!(!allowed(&tuples, &old, "folder:1#viewer@user:bob"));
}

#[test]
fn one_step_is_expanded() {
    let types = "type group\n relations\n  define member: [user]\ntype doc\n relations\n  define owner: [group]\n  define blocked: [user]\n  define viewer: ([user, user:*, group#member] or member from owner) but not blocked";
    let (tuples, plan) = world(
        types,
        &[
            "doc:1#viewer@user:b",
            "doc:1#viewer@user:*",
            "doc:1#viewer@group:x#member",
            "doc:1#owner@group:y",
            "doc:1#viewer@group:x",
            "doc:1#owner@user:z",
        ],
    );
    let query = query(&tuples, &plan, 0, Budget::default());
    let found = query
        .expand(Object::parse("doc:1").unwrap(), "viewer")
        .unwrap();
    let users = ["group:x#member", "user:*", "user:b"]
        .map(str::to_owned)
        .to_vec();
    let through = Expansion::TupleToUserset {
        tupleset: "doc:1#owner".into(),
        computed: vec!["group:y#member".into()],
    };
    let base = Expansion::Union(vec![Expansion::Users(users), through]);
    let blocked = Expansion::Computed("doc:1#blocked".into());
    assert_eq!(found, Expansion::Difference(Box::new((base, blocked))));
    let nothing = query
        .expand(Object::parse("doc:9").unwrap(), "blocked")
        .unwrap();
    assert_eq!(nothing, Expansion::Users(vec![]));
}

#[test]
fn a_condition_that_fails_decides_nothing_and_says_why() {
    let types = "type doc\n relations\n  define banned: [user with c]\n  define viewer: [user, user with c]\n  define view: viewer but not banned";
    let (tuples, plan) = world(
        types,
        &[
            "doc:1#viewer@user:1",
            "doc:1#banned@user:1 with c=unknown",
            "doc:2#viewer@user:1 with c=unknown",
        ],
    );
    let why = Unsettled {
        failed: [failure()].into(),
        ..Unsettled::default()
    };
    let undecided = Ok(Decision::Conditional(why.clone()));
    for text in [
        "doc:1#view@user:1",
        "doc:1#banned@user:1",
        "doc:2#view@user:1",
    ] {
        assert_eq!(ask(&tuples, &plan, text), undecided, "{text}");
    }
    assert!(allowed(&tuples, &plan, "doc:1#viewer@user:1"));
    let query = query(&tuples, &plan, 0, Budget::default());
    let subject = Subject::parse("user:1").unwrap();
    let listed = query.list_objects("doc", "view", subject).unwrap();
    let both = ["doc:1".to_owned(), "doc:2".to_owned()].into();
    assert_eq!((listed.found.len(), listed.conditional), (0, both));
    assert_eq!(listed.unsettled, why);
    let filter = UserFilter {
        type_name: "user",
        relation: None,
    };
    let object = Object::parse("doc:1").unwrap();
    let listed = query.list_users(object, "view", filter).unwrap();
    assert_eq!((listed.found.len(), listed.conditional.len()), (0, 1));
    assert_eq!(listed.unsettled, why);
}

#[test]
fn batches_answer_each_for_itself() {
    let (tuples, plan) = world(TREE, &["folder:1#viewer@user:anne"]);
    let query = query(&tuples, &plan, 0, Budget::default());
    let (one, anne) = (
        Object::parse("folder:1").unwrap(),
        Subject::parse("user:anne").unwrap(),
    );
    let found = query.batch_check(&[
        (one, "viewer", anne),
        (one, "owner", anne),
        (one, "parent", anne),
    ]);
    assert_eq!(found[0], Ok(Decision::Allowed));
    assert!(matches!(found[1], Err(QueryError::UnknownRelation(..))));
    assert_eq!(found[2], Ok(Decision::Denied));
}

#[test]
fn usersets_of_objects_that_no_tuple_names_are_in_themselves() {
    let (tuples, plan) = world(TREE, &[]);
    assert!(allowed(&tuples, &plan, "folder:n#viewer@folder:n#viewer"));
    assert!(!allowed(&tuples, &plan, "folder:n#viewer@folder:m#viewer"));
    let query = query(&tuples, &plan, 0, Budget::default());
    let itself = query
        .list_objects(
            "folder",
            "viewer",
            Subject::parse("folder:n#viewer").unwrap(),
        )
        .unwrap();
    assert_eq!(itself.found.into_iter().collect::<Vec<_>>(), ["folder:n"]);
    let filter = UserFilter {
        type_name: "folder",
        relation: Some("viewer"),
    };
    let users = query
        .list_users(Object::parse("folder:n").unwrap(), "viewer", filter)
        .unwrap();
    assert_eq!(
        users.found.into_iter().collect::<Vec<_>>(),
        ["folder:n#viewer"]
    );
}
