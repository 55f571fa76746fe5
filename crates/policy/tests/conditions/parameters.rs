//! Every type of a parameter, and what a request or a tuple may give for it.

use super::ask::{compiled, context, holds, letter};
use authz::relation::{Conditions, Failure, Holds};
use serde_json::{Value, json};

/// The letter of an expression about `x` for each value.
fn each(of: &str, expression: &str, table: &[(Value, char)]) {
    for (value, wanted) in table {
        let found = holds(&format!("x: {of}"), expression, &json!({ "x": value }));
        assert_eq!(letter(&found), *wanted, "{of} {value}: {found:?}");
    }
}

#[test]
fn numbers_come_as_numbers_and_as_text() {
    let whole = [
        (json!(100), 'y'),
        (json!(100.0), 'y'),
        (json!("100"), 'y'),
        (json!("1e2"), 'y'),
        (json!("+100.000"), 'y'),
        (json!(99), 'n'),
        (json!(100.5), 'v'),
        (json!("100.5"), 'v'),
        (json!("a"), 'v'),
        (json!(""), 'v'),
        (json!("0x64"), 'v'),
        (json!(1e300), 'v'),
        (json!("1e300"), 'v'),
        (json!("1e-999999999999"), 'v'),
        (json!(true), 'v'),
        (json!(null), 'v'),
        (json!([100]), 'v'),
    ];
    each("int", "x == 100", &whole);
    each("uint", "x == 100u", &whole);
    each("int", "x == -5", &[(json!(-5), 'y'), (json!("-5"), 'y')]);
    each("uint", "x > 0u", &[(json!(-5), 'v'), (json!("-5"), 'v')]);
    let large = [(json!(u64::MAX), 'y'), (json!("18446744073709551615"), 'y')];
    each("uint", "x == 18446744073709551615u", &large);
    each(
        "int",
        "x > 0",
        &[(json!(u64::MAX), 'v'), (json!(i64::MAX), 'y')],
    );
    let double = [
        (json!(1.5), 'y'),
        (json!("1.5"), 'y'),
        (json!("15e-1"), 'y'),
        (json!(2), 'n'),
        (json!("0.1"), 'v'),
        (json!("nan"), 'v'),
        (json!("inf"), 'v'),
        (json!("1e999"), 'v'),
        (json!({}), 'v'),
    ];
    each("double", "x == 1.5", &double);
    each(
        "double",
        "x == 100.0",
        &[(json!("100"), 'y'), (json!("1e2"), 'y')],
    );
}

#[test]
fn truths_and_text_come_only_as_themselves() {
    each(
        "bool",
        "x",
        &[
            (json!(true), 'y'),
            (json!(false), 'n'),
            (json!("true"), 'v'),
            (json!(1), 'v'),
        ],
    );
    each(
        "string",
        "x == '1'",
        &[
            (json!("1"), 'y'),
            (json!(""), 'n'),
            (json!(1), 'v'),
            (json!(null), 'v'),
        ],
    );
}

#[test]
fn times_lengths_and_addresses_come_as_text() {
    let times = [
        (json!("2023-10-11T09:00:00.000Z"), 'y'),
        (json!("2023-10-11T10:59:59+01:00"), 'y'),
        (json!("2023-10-11T10:00:00Z"), 'n'),
        (json!("2023-10-11"), 'v'),
        (json!("2023-10-11T24:00:00Z"), 'v'),
        (json!("2023-10-11t09:00:00z"), 'v'),
        (json!("2023-10-11T09:00:60Z"), 'v'),
        (json!(1_696_000_000), 'v'),
    ];
    each("timestamp", "x < timestamp('2023-10-11T10:00:00Z')", &times);
    let lengths = [
        (json!("1h"), 'y'),
        (json!("60m"), 'y'),
        (json!("1h0m0.000s"), 'y'),
        (json!("3600000000000ns"), 'y'),
        (json!("-1h"), 'n'),
        (json!("0"), 'n'),
        (json!("1"), 'v'),
        (json!("h"), 'v'),
        (json!("1d"), 'v'),
        (json!("9999999h"), 'v'),
        (json!(3600), 'v'),
    ];
    each("duration", "x == duration('3600s')", &lengths);
    let addresses = [
        (json!("10.1.2.3"), 'y'),
        (json!("::ffff:10.1.2.3"), 'y'),
        (json!("11.1.2.3"), 'n'),
        (json!("::1"), 'n'),
        (json!("10.1.2"), 'v'),
        (json!("10.1.2.03"), 'v'),
        (json!("fe80::1%eth0"), 'v'),
        (json!(167_838_211), 'v'),
    ];
    each("ipaddress", "x.in_cidr('10.0.0.0/8')", &addresses);
}

#[test]
fn lists_and_maps_hold_their_type_and_any_holds_everything() {
    let lists = [
        (json!(["1", 2]), 'y'),
        (json!([]), 'n'),
        (json!([1, "a"]), 'v'),
        (json!("2"), 'v'),
        (json!(null), 'v'),
    ];
    each("list<int>", "2 in x", &lists);
    let maps = [
        (json!({ "a": "1h" }), 'y'),
        (json!({ "b": "1h" }), 'e'),
        (json!({ "a": 1 }), 'v'),
        (json!([]), 'v'),
    ];
    each(
        "map<duration>",
        "x.a == duration('1h') && x['a'] > duration('1s')",
        &maps,
    );
    let anything = [
        (json!({ "a": [1, { "b": "c" }] }), 'y'),
        (json!({ "a": [1, {}] }), 'e'),
        (json!(null), 'e'),
        (json!(1), 'e'),
    ];
    each("any", "x.a[1].b == 'c' && x.a[0] == 1", &anything);
    each("any", "x", &[]);
    each("any", "x == null", &[(json!(null), 'y'), (json!(0), 'n')]);
}

#[test]
fn every_parameter_needs_a_value_and_the_tuples_wins() {
    let compiled = compiled("x: int, y: int", "x < 100 || y < 50").unwrap();
    let ask = |request: Value, tuple: Value| {
        let (request, tuple) = (context(&request), context(&tuple));
        compiled.request(&request).holds("c", Some(&tuple))
    };
    let missing = |names: &[&str]| Holds::Missing(names.iter().map(|n| (*n).into()).collect());
    assert_eq!(ask(json!({ "x": 1 }), json!({})), missing(&["y"]));
    assert_eq!(ask(json!({}), json!({})), missing(&["x", "y"]));
    assert_eq!(ask(json!({ "x": 1 }), json!({ "y": 1 })), Holds::Yes);
    assert_eq!(
        ask(json!({ "x": 1, "y": 1 }), json!({ "x": 100, "y": 50 })),
        Holds::No
    );
    assert_eq!(
        ask(json!({ "x": "wrong", "y": 1, "z": 1 }), json!({ "x": 1 })),
        Holds::Yes
    );
    let Holds::Failed(Failure::Value {
        condition,
        parameter,
        message,
    }) = ask(json!({ "x": 1, "y": 1 }), json!({ "x": "wrong" }))
    else {
        panic!("no failure");
    };
    assert_eq!((condition.as_str(), parameter.as_str()), ("c", "x"));
    assert_eq!(message, "takes a whole number, or one as text");
    let empty = context(&json!({}));
    let unknown = compiled.request(&empty).holds("d", None);
    assert_eq!(unknown, Holds::Failed(Failure::Unknown("d".into())));
}

#[test]
fn a_tuple_is_written_only_with_values_that_fit() {
    let compiled = compiled("x: int, y: list<string>", "x < size(y)").unwrap();
    let ask = |tuple: Value| {
        let said = compiled.accepts("c", &context(&tuple));
        said.map_err(|failure| failure.to_string())
    };
    assert_eq!(ask(json!({})), Ok(()));
    assert_eq!(ask(json!({ "x": "7", "y": ["a"] })), Ok(()));
    let said = |text: &str| Err(text.to_owned());
    assert_eq!(
        ask(json!({ "x": [] })),
        said("condition `c`: parameter `x` takes a whole number, or one as text")
    );
    assert_eq!(
        ask(json!({ "y": [1] })),
        said("condition `c`: parameter `y` takes text")
    );
    assert_eq!(
        ask(json!({ "z\n": 1 })),
        said("condition `c`: parameter `z\\n` is not a parameter of the condition")
    );
    for value in [json!({ "y": ["a\0"] }), json!({ "y": ["\n"] })] {
        let wanted = "condition `c`: parameter `y` has a value with control characters";
        assert_eq!(ask(value), said(wanted));
    }
    let deep = context(&json!({ "a": [{ "b\u{7}": 1 }] }));
    assert_eq!(policy::cel::unprintable(&deep), Some("a"));
    let long = "a".repeat(33_000);
    assert_eq!(
        ask(json!({ "y": [long] })),
        said("condition `c`: its context is longer than 32768 bytes")
    );
    assert!(compiled.accepts("d", &context(&json!({}))).is_err());
}
