//! What an evaluation may cost. Each of these would take seconds or gigabytes without a bound.

use super::ask::{compiled, context, holds, letter};
use authz::relation::{Conditions, Failure, Holds};
use serde_json::json;

#[test]
fn nothing_grows_without_being_paid_for() {
    let list: Vec<i32> = (0..1_000).collect();
    let text = "a".repeat(10_000);
    let request = json!({ "l": list, "s": text });
    let doubled = format!(
        "['aaaaaaaaaaaaaaaa']{}.size() == 1",
        ".map(x, x + x)".repeat(40)
    );
    let longer = format!("[l]{}.size() == 1", ".map(x, x + x)".repeat(40));
    for expression in [
        doubled.as_str(),
        &longer,
        "l.all(a, l.all(b, a + b >= 0))",
        "l.all(a, l.exists(b, a == b))",
        "l.map(a, l.map(b, b)).size() == 1000",
        "l.all(a, !s.matches('(a*)*b'))",
        "l.all(a, !s.contains(s + 'b'))",
        "l.all(a, s == s + '')",
        "l.all(a, size(string(a).matches(s) ? 'a' : 'b') == 1)",
    ] {
        let found = holds("l: list<int>, s: string", expression, &request);
        assert_eq!(letter(&found), 'c', "{expression}: {found:?}");
    }
}

#[test]
fn a_bound_is_no_error_that_can_be_done_without() {
    let list: Vec<i32> = (0..1_000).collect();
    let request = json!({ "l": list });
    for expression in [
        "true || l.all(a, l.all(b, true))",
        "l.all(a, l.all(b, true)) || true",
        "l.all(a, l.all(b, true)) && false",
        "[1].exists(c, l.all(a, l.all(b, true)) || true)",
    ] {
        let found = letter(&holds("l: list<int>", expression, &request));
        let wanted = if expression.starts_with("true") {
            'y'
        } else {
            'c'
        };
        assert_eq!(found, wanted, "{expression}");
    }
}

#[test]
fn all_conditions_of_a_question_share_a_budget() {
    let compiled = compiled("l: list<int>, x: int", "l.all(a, a >= 0) && x > 0").unwrap();
    let list: Vec<i32> = (0..10_000).collect();
    let request = context(&json!({ "l": list }));
    let question = compiled.request(&request);
    let tuple = context(&json!({ "x": 1 }));
    let first = (0..10_000).position(|_| question.holds("c", Some(&tuple)) != Holds::Yes);
    assert!(
        first.is_some_and(|n| (100..1_000).contains(&n)),
        "{first:?}"
    );
    let Holds::Failed(failure @ Failure::Cost { .. }) = question.holds("c", Some(&tuple)) else {
        panic!("no bound");
    };
    let wanted = "condition `c`: the conditions of this question cost more than 10000000 steps";
    assert_eq!(failure.to_string(), wanted);
    // Another question begins anew.
    assert_eq!(
        compiled.request(&request).holds("c", Some(&tuple)),
        Holds::Yes
    );
}

#[test]
fn a_large_context_is_paid_for_when_it_is_read() {
    let large: Vec<String> = (0..200_000).map(|i| i.to_string()).collect();
    let found = holds("x: list<string>", "true", &json!({ "x": large }));
    assert_eq!(letter(&found), 'c');
}
