//! What is refused when a model is saved, and where it says so.

use super::ask::{compiled, model, refused};
use kernel::limits::{CONDITION_BYTES, CONDITION_NESTING, CONDITION_PARAMETERS, MODEL_CONDITIONS};
use policy::cel::Compiled;

#[test]
fn problems_name_condition_line_and_column() {
    let at = |line: u32, column: u32, said: &str| {
        format!("condition `c`: line {line}, column {column} of its expression: {said}")
    };
    let x = "x: int, s: string, l: list<int>, d: double";
    for (expression, wanted) in [
        ("x < \"a\"", at(1, 3, "`<` does not take (int, string)")),
        ("x == 1 &&\n  nope", at(2, 3, "`nope` is not a parameter")),
        (
            "x",
            at(1, 1, "a condition is a `bool`, and this is a `int`"),
        ),
        ("x < 1.0", at(1, 3, "`<` does not take (int, double)")),
        ("d > 0", at(1, 3, "`>` does not take (double, int)")),
        ("x == s", at(1, 3, "`==` does not take (int, string)")),
        ("s.nope()", at(1, 3, "there is no function `nope`")),
        ("nope(s) == 1", at(1, 1, "there is no function `nope`")),
        (
            "s.startsWith(1)",
            at(1, 3, "`startsWith` does not take (string, int)"),
        ),
        (
            "contains(s, s)",
            at(1, 1, "`contains` does not take (string, string)"),
        ),
        ("x.a == 1", at(1, 3, "a `int` has no field `a`")),
        ("has(s)", at(1, 5, "`has` takes a field: `has(x.field)`")),
        ("x in s", at(1, 3, "`in` does not take (int, string)")),
        ("s in l", at(1, 3, "`in` does not take (string, list<int>)")),
        (
            "l[s] == 1",
            at(1, 2, "`[]` does not take (list<int>, string)"),
        ),
        (
            "l.all(1, true)",
            at(
                1,
                7,
                "the first argument of a macro is the name of its variable",
            ),
        ),
        (
            "l.all(y, y)",
            at(1, 10, "the macro asks for a `bool`, and this is a `int`"),
        ),
        (
            "x.all(y, true)",
            at(1, 3, "a `int` has no elements to go through"),
        ),
        (
            "l.all(y, true) && y == 1",
            at(1, 19, "`y` is not a parameter"),
        ),
        ("!x", at(1, 1, "`!` does not take (int)")),
        (
            "x && true",
            at(1, 1, "`&&` joins what is a `bool`, and this is a `int`"),
        ),
        (
            "true ? x : s",
            at(1, 6, "`?:` does not take (bool, int, string)"),
        ),
        (
            "ipaddress(true).in_cidr('10.0.0.0/8')",
            at(1, 1, "`ipaddress` does not take (bool)"),
        ),
        (
            "s.matches('(')",
            at(1, 3, "the pattern is not a regular expression"),
        ),
        (
            "s.matches('(?=a)')",
            at(1, 3, "the pattern is not a regular expression"),
        ),
        (
            "s.matches('(a)\\\\1')",
            at(1, 3, "the pattern is not a regular expression"),
        ),
        (
            "s.matches('[a--b]')",
            at(1, 3, "the pattern has `--` in brackets: write `\\-`"),
        ),
        (
            "s.matches('((a{500}){500}){500}')",
            at(1, 3, "the pattern is too large when it is compiled"),
        ),
        (
            "timestamp('2023-02-29T10:00:00Z') > timestamp(0)",
            at(1, 1, "`timestamp` has no value for that string"),
        ),
        (
            "uint(-1) == 1u",
            at(1, 1, "`uint` has no value for that int"),
        ),
        (
            "{[1]: 2}.size() == 1",
            at(1, 2, "a `list<int>` cannot be a key"),
        ),
        (
            "s == 'a",
            at(1, 6, "the text does not end: close its quote"),
        ),
        (
            "s == 'a\nb'",
            at(1, 8, "a text of several lines stands between three quotes"),
        ),
        ("s == '\\q'", at(1, 7, "`\\q` is no escape")),
        (
            "x == 99999999999999999999",
            at(1, 6, "the number is too large"),
        ),
        (
            "x == 9223372036854775808",
            at(1, 6, "expected a value, found a number that is too large"),
        ),
        ("x == 12ab", at(1, 8, "a number ends before a letter")),
        ("x = 1", at(1, 3, "`=` has no meaning here")),
        (
            "x == 1 1",
            at(1, 8, "expected an operator or the end, found a literal int"),
        ),
        ("(x == 1", at(1, 8, "expected `)`, found the end")),
        ("x == if", at(1, 6, "`if` is reserved and cannot be a name")),
        ("s.a{}", at(1, 4, "messages cannot be made here")),
        ("x == 1 \u{0} ", at(1, 8, "`\\0` has no meaning here")),
    ] {
        assert_eq!(refused(x, expression), wanted, "{expression}");
    }
}

#[test]
fn sizes_are_bounded() {
    let long = format!("'{}' == ''", "a".repeat(CONDITION_BYTES));
    assert!(refused("", &long).ends_with("the expression is longer than 8192 bytes"));
    let deep = |n: usize| format!("{}true{}", "(".repeat(n), ")".repeat(n));
    assert!(compiled("", &deep(CONDITION_NESTING - 1)).is_ok());
    let sum = |n: usize| format!("{} > 0", vec!["1"; n].join("+"));
    assert!(compiled("", &sum(CONDITION_NESTING - 2)).is_ok());
    let chains = ["[", "!(", "{1:", "-(", "f(", "x.all(y,"];
    let chains = chains.map(|open| open.repeat(1_000));
    let fields = format!("x{}", ".a".repeat(2_000));
    for text in [deep(CONDITION_NESTING), sum(4_000), fields]
        .iter()
        .chain(&chains)
    {
        let said = refused("x: any", text);
        assert!(
            said.ends_with("the expression nests deeper than 64"),
            "{said}"
        );
    }
    // What is joined does not nest.
    let joined = vec!["x == 1"; 800].join(" || ");
    assert!(compiled("x: int", &joined).is_ok());
    let within = |n: usize| format!("{}true{}", "l.all(a, ".repeat(n), ")".repeat(n));
    assert!(compiled("l: list<int>", &within(3)).is_ok());
    let said = refused("l: list<int>", &within(6));
    assert!(
        said.ends_with("costs more than 100000 steps with lists of ten elements"),
        "{said}"
    );
    let many: Vec<_> = (0..=CONDITION_PARAMETERS)
        .map(|i| format!("p{i}: int"))
        .collect();
    assert_eq!(
        refused(&many.join(", "), "true"),
        "condition `c`: it has more than 64 parameters"
    );
    let mut model = model("", "true");
    model.conditions = vec![model.conditions[0].clone(); MODEL_CONDITIONS + 1];
    let problems = Compiled::new(&model).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "the model has more than 500 conditions"
    );
}

#[test]
fn every_condition_has_its_problem_and_names_must_be_sayable() {
    let mut model = model("x: int", "x");
    let mut other = model.conditions[0].clone();
    (other.name, other.expression) = ("d".into(), "y".into());
    let mut third = other.clone();
    (third.name, third.parameters[0].0) = ("e".into(), "a-b".into());
    model.conditions.extend([other, third]);
    let said: Vec<_> = Compiled::new(&model).unwrap_err();
    let said: Vec<_> = said.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 3);
    assert!(
        said[1].starts_with("condition `d`: line 1, column 1"),
        "{}",
        said[1]
    );
    let wanted = "condition `e`: parameter `a-b` cannot be named in an expression: use letters, digits and `_`, and no reserved word";
    assert_eq!(said[2], wanted);
}

#[test]
fn what_has_no_type_before_may_be_anything() {
    for expression in [
        "x.a < 1",
        "x + 1 == x",
        "x in x",
        "x[0].b",
        "x[0].b == 1",
        "x.startsWith('a')",
        "x",
    ] {
        assert_eq!(
            compiled("x: any", expression).is_ok(),
            !matches!(expression, "x" | "x[0].b"),
            "{expression}"
        );
    }
}
