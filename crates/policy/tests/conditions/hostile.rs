//! Whatever text and whatever values: an answer or a refusal within a bound, never a panic.

use super::ask::{context, model};
use authz::relation::{Conditions, Holds};
use policy::cel::Compiled;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const PARAMETERS: &str = "a: any, b: bool, d: double, e: duration, i: int, p: ipaddress, l: list<any>, m: map<any>, s: string, t: timestamp, u: uint";

const WORDS: &str = "a b d e i p l m s t u x a.a m['a'] l[0] ( ) [ ] { } , : ? . && || == != < <= > >= in + - * / % ! \
    1 0 2 -1 1u 1.5 9223372036854775807 'a' \"\" b'a' r'\\' ''' true false null has( size( .size() .all(x, .exists(x, .map(x, .filter(x, \
    .matches( .contains( .startsWith( int( uint( double( string( bytes( bool( dyn( type( timestamp( duration( ipaddress( .in_cidr( \
    .getHours() .getFullYear('Europe/Berlin') .getMilliseconds() '2024-02-29T00:00:00Z' '1h' '10.0.0.0/8' '(a|b)*' // \n \\ @ é";

fn json_value() -> impl Strategy<Value = Value> {
    let texts = [
        "",
        "a",
        "1",
        "1.5",
        "1h",
        "-1ns",
        "2024-02-29T00:00:00Z",
        "10.0.0.1",
        "::1",
        "é\0",
        "(a*)*",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-3_i64..4).prop_map(Value::from),
        select(texts.to_vec()).prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        let object = vec((select(vec!["a", "b", "é"]), inner.clone()), 0..4);
        prop_oneof![
            vec(inner, 0..6).prop_map(Value::from),
            object.prop_map(|all| {
                let all = all.into_iter().map(|(k, v)| (k.to_owned(), v));
                Value::Object(all.collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Compiles and, if that goes, evaluates for values that are mostly of the right types.
fn run(expression: &str, values: &[Value]) -> Option<Holds> {
    let compiled = Compiled::new(&model(PARAMETERS, expression)).ok()?;
    let mut given = json!({ "a": { "a": [1] }, "b": true, "d": 1.5, "e": "1h", "i": 1, "p": "10.0.0.1", "l": [1, "a"],
        "m": { "a": 1 }, "s": "a", "t": "2024-02-29T00:00:00Z", "u": 1 });
    let names = ["a", "l", "m", "d", "i", "u", "s", "t", "e", "p", "b"];
    for (name, value) in names.iter().zip(values) {
        given[*name] = value.clone();
    }
    let given = context(&given);
    Some(compiled.request(&given).holds("c", None))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_words_and_values(words in vec(select(WORDS.split(' ').collect::<Vec<_>>()), 0..24), values in vec(json_value(), 0..11)) {
        run(&words.join(" "), &values);
        run(&words.concat(), &values);
    }

    #[test]
    fn any_text(text in ".{0,200}") {
        run(&text, &[]);
        let quoted: String = text.chars().filter(|c| *c != '"').collect();
        run(&format!("s.matches(\"{quoted}\") || s == \"{quoted}\""), &[]);
    }

    #[test]
    fn any_values(values in vec(json_value(), 11)) {
        run("a == l || m.a == a || i > 0 && d < 1.5 || u in l || s.size() > 2 || t + e > t || p.in_cidr(s) || b", &values);
        run("string(i) + string(u) + string(d) + string(t) + string(e) == s", &values);
        run("t.getFullYear(s) > 0 && t - e < t && e + e > e && timestamp(i) < t && duration(i) < e", &values);
        run("s.matches(s) || int(s) == int(d) || uint(d) == uint(s) || double(s) == double(i)", &values);
        run("l.exists(x, x == a) && m.all(k, m[k] == a) && l.map(x, x).size() == l.filter(x, true).size()", &values);
    }
}
