//! Cases with an answer that a person can see, put to the specification: where it and a reader disagree, it is wrong.
//! The engine answers the same cases in `checks`.

use super::fact::{Fact, facts};
use super::spec::Spec;
use authz::model::Model;
use authz::relation::Truth::{self, False, True, Unknown};

/// A model, tuples, and questions `document:1#viewer@user:anne` with their answers.
pub struct Case {
    pub name: &'static str,
    pub types: &'static str,
    pub facts: &'static [&'static str],
    pub checks: &'static [(&'static str, Truth)],
}

impl Case {
    pub fn model(&self) -> Model {
        let conditions = "condition c(x: bool) {\n x\n}\n";
        let text = format!(
            "model\n schema 1.1\ntype user\n{}\n{conditions}",
            self.types
        );
        Model::read(&text).unwrap_or_else(|problems| panic!("{}: {problems:?}", self.name))
    }

    pub fn facts(&self) -> Vec<Fact> {
        facts(self.facts)
    }
}

const GROUP: &str = "type group\n relations\n  define member: [user, user:*, group#member]\n";

pub const CASES: &[Case] = &[
    Case {
        name: "direct",
        types: "type doc\n relations\n  define viewer: [user]",
        facts: &["doc:1#viewer@user:anne"],
        checks: &[
            ("doc:1#viewer@user:anne", True),
            ("doc:1#viewer@user:Anne", False),
            ("doc:1#viewer@user:bob", False),
            ("doc:2#viewer@user:anne", False),
            ("doc:1#viewer@user:*", False),
            ("doc:1#viewer@doc:1#viewer", True),
            ("doc:1#viewer@doc:2#viewer", False),
        ],
    },
    Case {
        name: "a tuple that the model does not allow does not count",
        types: "type doc\n relations\n  define viewer: [user, user:* with c]",
        facts: &[
            "doc:1#viewer@user:*",
            "doc:2#viewer@user:anne with c=true",
            "doc:3#viewer@user:* with c=true",
        ],
        checks: &[
            ("doc:1#viewer@user:anne", False),
            ("doc:2#viewer@user:anne", False),
            ("doc:3#viewer@user:anne", True),
        ],
    },
    Case {
        name: "wildcard, but not one",
        types: "type doc\n relations\n  define blocked: [user, user:*]\n  define viewer: [user, user:*] but not blocked",
        facts: &[
            "doc:1#viewer@user:*",
            "doc:1#blocked@user:bob",
            "doc:2#viewer@user:anne",
            "doc:2#blocked@user:*",
        ],
        checks: &[
            ("doc:1#viewer@user:anne", True),
            ("doc:1#viewer@user:bob", False),
            ("doc:1#viewer@user:*", True),
            ("doc:2#viewer@user:anne", False),
            ("doc:2#viewer@user:*", False),
        ],
    },
    Case {
        name: "intersection",
        types: "type doc\n relations\n  define a: [user]\n  define b: [user, user:*]\n  define both: a and b",
        facts: &[
            "doc:1#a@user:anne",
            "doc:1#b@user:*",
            "doc:1#a@user:bob",
            "doc:2#a@user:anne",
        ],
        checks: &[
            ("doc:1#both@user:anne", True),
            ("doc:1#both@user:carl", False),
            ("doc:2#both@user:anne", False),
            ("doc:1#both@user:*", False),
        ],
    },
    Case {
        name: "usersets in a circle",
        types: "type group\n relations\n  define member: [user, group#member]",
        facts: &[
            "group:a#member@group:b#member",
            "group:b#member@group:c#member",
            "group:c#member@group:a#member",
            "group:b#member@user:anne",
            "group:c#member@group:c#member",
        ],
        checks: &[
            ("group:a#member@user:anne", True),
            ("group:c#member@user:anne", True),
            ("group:c#member@user:bob", False),
            ("group:a#member@group:c#member", True),
            ("group:a#member@group:d#member", False),
        ],
    },
    Case {
        name: "tuple to userset, up a tree that closes on itself",
        types: "type folder\n relations\n  define parent: [folder]\n  define blocked: [user]\n  define viewer: ([user] or viewer from parent) but not blocked",
        facts: &[
            "folder:1#parent@folder:2",
            "folder:2#parent@folder:3",
            "folder:3#parent@folder:1",
            "folder:3#viewer@user:anne",
            "folder:2#viewer@user:bob",
            "folder:1#blocked@user:bob",
            "folder:1#viewer@user:bob",
        ],
        checks: &[
            ("folder:1#viewer@user:anne", True),
            ("folder:2#viewer@user:anne", True),
            ("folder:1#viewer@user:bob", False),
            ("folder:3#viewer@user:bob", False),
            ("folder:2#viewer@user:carl", False),
        ],
    },
    Case {
        name: "intersection in a circle",
        types: "type doc\n relations\n  define allowed: [user, doc#viewer]\n  define viewer: [user, doc#allowed] and allowed",
        facts: &[
            "doc:1#viewer@user:jon",
            "doc:1#allowed@doc:1#viewer",
            "doc:1#viewer@doc:1#allowed",
        ],
        checks: &[
            ("doc:1#viewer@user:jon", False),
            ("doc:1#allowed@user:jon", False),
        ],
    },
    Case {
        name: "a false inside a circle is not the last word",
        types: "type n\n relations\n  define a: [user, n#b, n#a]\n  define b: [user, n#a] and ok\n  define ok: [user, n#a]",
        facts: &[
            "n:1#a@n:1#b",
            "n:1#b@n:1#a",
            "n:1#ok@n:1#a",
            "n:1#a@n:2#a",
            "n:2#a@n:1#b",
            "n:2#a@user:u",
        ],
        checks: &[
            ("n:1#a@user:u", True),
            ("n:1#b@user:u", True),
            ("n:2#a@user:u", True),
        ],
    },
    Case {
        name: "a false that rests on another one in a circle",
        types: "type n\n relations\n  define late: [user]\n  define p: [user, n#h]\n  define x: [user, n#p]\n  define h: [user, n#p, n#x, n#late]\n  define top: h and x",
        facts: &[
            "n:1#h@n:1#p",
            "n:1#h@n:1#x",
            "n:1#h@n:1#late",
            "n:1#p@n:1#h",
            "n:1#x@n:1#p",
            "n:1#late@user:u",
        ],
        checks: &[("n:1#top@user:u", True), ("n:1#x@user:u", True)],
    },
    Case {
        name: "what is false for another reason settles nothing beside it",
        types: "type n\n relations\n  define yes: [user]\n  define no: [user]\n  define late: [user]\n  define p: [user, n#h]\n  define a: (p or yes) and no\n  define h: [user, n#a, n#late]\n  define top: h and p",
        facts: &[
            "n:1#h@n:1#a",
            "n:1#h@n:1#late",
            "n:1#p@n:1#h",
            "n:1#yes@user:u",
            "n:1#late@user:u",
        ],
        checks: &[
            ("n:1#top@user:u", True),
            ("n:1#p@user:u", True),
            ("n:1#a@user:u", False),
        ],
    },
    Case {
        name: "unknown matters only where it decides",
        types: "type doc\n relations\n  define a: [user with c, user]\n  define b: [user, user with c]\n  define or: a or b\n  define and: a and b\n  define not: a but not b\n  define nor: b but not a",
        facts: &[
            "doc:1#a@user:u with c=unknown",
            "doc:1#b@user:t",
            "doc:1#a@user:t with c=unknown",
            "doc:1#b@user:f with c=false",
            "doc:1#a@user:f with c=unknown",
        ],
        checks: &[
            ("doc:1#a@user:u", Unknown),
            ("doc:1#or@user:u", Unknown),
            ("doc:1#and@user:u", False),
            ("doc:1#not@user:u", Unknown),
            ("doc:1#nor@user:u", False),
            ("doc:1#or@user:t", True),
            ("doc:1#and@user:t", Unknown),
            ("doc:1#not@user:t", False),
            ("doc:1#nor@user:t", Unknown),
            ("doc:1#b@user:f", False),
            ("doc:1#and@user:f", False),
        ],
    },
    Case {
        name: "unknown in a circle",
        types: "type group\n relations\n  define member: [user, group#member with c, group#member]",
        facts: &[
            "group:a#member@group:b#member with c=unknown",
            "group:b#member@group:a#member",
            "group:b#member@user:u",
            "group:a#member@group:c#member",
            "group:c#member@group:a#member",
        ],
        checks: &[
            ("group:a#member@user:u", Unknown),
            ("group:b#member@user:u", True),
            ("group:c#member@user:u", Unknown),
            ("group:c#member@user:v", False),
        ],
    },
    Case {
        name: "usersets as subjects, through computed relations and tuplesets",
        types: "type group\n relations\n  define lead: [user]\n  define member: [user, group#member] or lead\ntype doc\n relations\n  define owner: [group]\n  define viewer: [group#member] or lead from owner",
        facts: &[
            "doc:1#viewer@group:a#member",
            "group:a#member@group:b#member",
            "doc:1#owner@group:c",
            "group:c#lead@user:u",
        ],
        checks: &[
            ("doc:1#viewer@group:a#member", True),
            ("doc:1#viewer@group:b#member", True),
            ("doc:1#viewer@group:b#lead", True),
            ("doc:1#viewer@group:c#lead", True),
            ("doc:1#viewer@group:c#member", False),
            ("doc:1#viewer@user:u", True),
            ("doc:1#viewer@group:c", False),
        ],
    },
];

/// The parts of `document:1#viewer@user:anne`.
pub fn question(text: &str) -> (&str, &str, &str) {
    let (left, subject) = text.split_once('@').unwrap();
    let (object, relation) = left.split_once('#').unwrap();
    (object, relation, subject)
}

#[test]
fn the_specification_answers_as_a_reader_does() {
    for case in CASES {
        let (model, facts) = (case.model(), case.facts());
        let spec = Spec {
            model: &model,
            facts: &facts,
            now: 0,
        };
        for (text, wanted) in case.checks {
            let (object, relation, subject) = question(text);
            assert_eq!(
                spec.check(object, relation, subject),
                *wanted,
                "{}: {text}",
                case.name
            );
        }
    }
}

#[test]
fn the_specification_lists_what_is_named() {
    let types = format!(
        "{GROUP}type doc\n relations\n  define blocked: [user]\n  define viewer: [user, user:*, group#member] but not blocked"
    );
    let model = Model::read(&format!("model\n schema 1.1\ntype user\n{types}")).unwrap();
    let facts = facts(&[
        "doc:1#viewer@user:*",
        "doc:1#viewer@group:a#member",
        "group:a#member@user:anne",
        "doc:1#blocked@user:bob",
        "doc:1#viewer@user:bob",
        "doc:2#viewer@user:carl",
    ]);
    let spec = Spec {
        model: &model,
        facts: &facts,
        now: 0,
    };
    let names =
        |found: std::collections::BTreeMap<String, Truth>| found.into_keys().collect::<Vec<_>>();
    assert_eq!(
        names(spec.list_users("doc:1", "viewer", "user")),
        ["user:*", "user:anne"]
    );
    assert_eq!(
        names(spec.list_users("doc:1", "viewer", "group#member")),
        ["group:a#member"]
    );
    assert_eq!(
        names(spec.list_objects("doc", "viewer", "user:carl")),
        ["doc:1", "doc:2"]
    );
    assert_eq!(
        names(spec.list_objects("doc", "viewer", "user:bob")),
        [""; 0]
    );
}
