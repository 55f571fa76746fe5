//! Random expressions, mostly of fitting types, and random values for parameters, mostly of the right types.

use authz::model::ParameterType;
use serde_json::{Map, Value, json};

/// The parameters that expressions name.
pub const PARAMETERS: [(&str, &str); 14] = [
    ("b", "bool"),
    ("i", "int"),
    ("j", "int"),
    ("u", "uint"),
    ("d", "double"),
    ("s", "string"),
    ("z", "string"),
    ("t", "timestamp"),
    ("e", "duration"),
    ("p", "ipaddress"),
    ("l", "list<int>"),
    ("k", "list<string>"),
    ("m", "map<string>"),
    ("a", "any"),
];

/// A sequence of numbers that a seed decides (splitmix64).
pub struct Dice(u64);

const INTS: [&str; 9] = [
    "0",
    "1",
    "2",
    "-1",
    "3",
    "7",
    "10",
    "0x10",
    "9223372036854775807",
];
const UINTS: [&str; 4] = ["0u", "1u", "2u", "18446744073709551615u"];
const DOUBLES: [&str; 7] = ["0.0", "1.0", "1.5", "-2.25", "1e3", "100000.0", "1e21"];
const TEXTS: [&str; 9] = [
    "''", "'a'", "\"ab\"", "'A'", "'日本'", "'1'", "'1.5'", "r'\\d'", "'true'",
];
const PATTERNS: [&str; 9] = [
    "'^a'",
    "'b$'",
    "'^[a-z]+$'",
    "'\\\\d'",
    "'^\\\\w*$'",
    "'(a|b)+'",
    "'.'",
    "'^$'",
    "'(?i)A'",
];
const TIMES: [&str; 6] = [
    "timestamp('2024-02-29T23:59:59.5Z')",
    "timestamp('2023-10-11T10:00:00+02:00')",
    "timestamp('1970-01-01T00:00:00Z')",
    "timestamp('9999-12-31T23:59:59Z')",
    "timestamp('0001-01-01T00:00:00Z')",
    "timestamp(1700000000)",
];
const LENGTHS: [&str; 6] = [
    "duration('1h')",
    "duration('-1.5s')",
    "duration('0')",
    "duration('90m3ms')",
    "duration('2562047h')",
    "duration(5)",
];
const ADDRESSES: [&str; 3] = [
    "ipaddress('10.1.2.3')",
    "ipaddress('::ffff:10.1.2.3')",
    "ipaddress('2001:db8::1')",
];
const RANGES: [&str; 7] = [
    "'10.0.0.0/8'",
    "'0.0.0.0/0'",
    "'2001:db8::/32'",
    "'::ffff:10.0.0.0/104'",
    "'10.1.2.3/32'",
    "'10.0.0.0/33'",
    "'x'",
];
const ZONES: [&str; 6] = [
    "'UTC'",
    "'Europe/Berlin'",
    "'America/New_York'",
    "'-03:30'",
    "'05:45'",
    "'No/Where'",
];
const PARTS: [&str; 10] = [
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    /// A condition.
    pub fn expression(&mut self) -> String {
        self.of("bool", 3)
    }

    fn of(&mut self, mut kind: &'static str, depth: usize) -> String {
        if self.chance(2) {
            let kinds = [
                "bool",
                "int",
                "uint",
                "double",
                "string",
                "timestamp",
                "duration",
                "address",
                "list<int>",
                "any",
            ];
            kind = self.pick(&kinds);
        }
        let next = depth.saturating_sub(1);
        if depth == 0 || self.chance(12) {
            return self.leaf(kind);
        }
        if self.chance(6) {
            let (x, y, z) = (
                self.of("bool", next),
                self.of(kind, next),
                self.of(kind, next),
            );
            return format!("({x} ? {y} : {z})");
        }
        match kind {
            "bool" => self.truth(next),
            "int" => self.int(next),
            "uint" => {
                let (x, y, op) = (
                    self.of(kind, next),
                    self.of(kind, next),
                    self.pick(&["+", "-", "*", "/", "%"]),
                );
                match self.below(3) {
                    0 => format!("uint({})", self.of("int", next)),
                    _ => format!("({x} {op} {y})"),
                }
            }
            "double" => {
                let (x, y, op) = (
                    self.of(kind, next),
                    self.of(kind, next),
                    self.pick(&["+", "-", "*", "/"]),
                );
                match self.below(3) {
                    0 => format!("double({})", self.of("int", next)),
                    _ => format!("({x} {op} {y})"),
                }
            }
            "string" => match self.below(4) {
                0 => {
                    let kinds = [
                        "int",
                        "uint",
                        "double",
                        "bool",
                        "timestamp",
                        "duration",
                        "string",
                    ];
                    let kind = self.pick(&kinds);
                    format!("string({})", self.of(kind, next))
                }
                1 => format!("m[{}]", self.of(kind, next)),
                _ => format!("({} + {})", self.of(kind, next), self.of(kind, next)),
            },
            "timestamp" => {
                let op = self.pick(&["+", "-"]);
                format!(
                    "({} {op} {})",
                    self.of(kind, next),
                    self.of("duration", next)
                )
            }
            "duration" => match self.below(2) {
                0 => format!(
                    "({} - {})",
                    self.of("timestamp", next),
                    self.of("timestamp", next)
                ),
                _ => format!("({} + {})", self.of(kind, next), self.of(kind, next)),
            },
            "list<int>" => match self.below(4) {
                0 => format!("({} + {})", self.of(kind, next), self.of(kind, next)),
                1 => format!("{}.map(x, {})", self.of(kind, next), self.of("int", next)),
                2 => format!(
                    "{}.filter(x, x > {})",
                    self.of(kind, next),
                    self.of("int", next)
                ),
                _ => format!("[{}, {}]", self.of("int", next), self.of("int", next)),
            },
            _ => self.leaf(kind),
        }
    }

    fn leaf(&mut self, kind: &str) -> String {
        let (parameters, literals): (&[&str], &[&str]) = match kind {
            "bool" => (&["b"], &["true", "false"]),
            "int" => (&["i", "j"], &INTS),
            "uint" => (&["u"], &UINTS),
            "double" => (&["d"], &DOUBLES),
            "string" => (&["s", "z"], &TEXTS),
            "timestamp" => (&["t"], &TIMES),
            "duration" => (&["e"], &LENGTHS),
            "address" => (&["p"], &ADDRESSES),
            "list<int>" => (&["l"], &["[]", "[1]", "[1, 2, 3]"]),
            _ => (
                &["a"],
                &["dyn(1)", "dyn('a')", "null", "a.b", "a[0]", "{'b': 1}"],
            ),
        };
        let from = if self.chance(60) {
            parameters
        } else {
            literals
        };
        self.pick(from).to_owned()
    }

    fn truth(&mut self, next: usize) -> String {
        let ordered = [
            "int",
            "uint",
            "double",
            "string",
            "timestamp",
            "duration",
            "bool",
        ];
        let equal = [
            "int",
            "uint",
            "double",
            "string",
            "timestamp",
            "duration",
            "bool",
            "address",
            "list<int>",
            "any",
        ];
        match self.below(15) {
            0..=3 => {
                let (kind, op) = (self.pick(&ordered), self.pick(&["<", "<=", ">", ">="]));
                format!("{} {op} {}", self.of(kind, next), self.of(kind, next))
            }
            4..=5 => {
                let (kind, op) = (self.pick(&equal), self.pick(&["==", "!="]));
                format!("{} {op} {}", self.of(kind, next), self.of(kind, next))
            }
            6 => format!("({} && {})", self.of("bool", next), self.of("bool", next)),
            7 => format!("({} || {})", self.of("bool", next), self.of("bool", next)),
            8 => format!("!({})", self.of("bool", next)),
            9 => match self.below(3) {
                0 => format!("{} in k", self.of("string", next)),
                1 => format!("{} in m", self.of("string", next)),
                _ => format!("{} in {}", self.of("int", next), self.of("list<int>", next)),
            },
            10 => {
                let function = self.pick(&["contains", "startsWith", "endsWith"]);
                format!(
                    "{}.{function}({})",
                    self.of("string", next),
                    self.of("string", next)
                )
            }
            11 => format!(
                "{}.matches({})",
                self.of("string", next),
                self.pick(&PATTERNS)
            ),
            12 => format!("{}.in_cidr({})", self.leaf("address"), self.pick(&RANGES)),
            13 => {
                let fold = self.pick(&["all", "exists", "exists_one"]);
                match self.below(3) {
                    0 => format!("k.{fold}(x, x.startsWith({}))", self.of("string", next)),
                    1 => format!("m.{fold}(x, m[x] == {})", self.of("string", next)),
                    _ => format!(
                        "{}.{fold}(x, x > {})",
                        self.of("list<int>", next),
                        self.of("int", next)
                    ),
                }
            }
            _ => self
                .pick(&[
                    "has(m.x)",
                    "has(a.b)",
                    "a.b == 'x'",
                    "a == 1",
                    "a > 1.0",
                    "type(a) == string",
                    "'x' in a",
                    "a.size() > 0",
                ])
                .to_owned(),
        }
    }

    fn int(&mut self, next: usize) -> String {
        match self.below(9) {
            0..=3 => {
                let op = self.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {op} {})", self.of("int", next), self.of("int", next))
            }
            4 => {
                let kind = self.pick(&["string", "list<int>"]);
                format!("size({})", self.of(kind, next))
            }
            5 => {
                let kind = self.pick(&["double", "uint", "string", "timestamp", "duration"]);
                format!("int({})", self.of(kind, next))
            }
            6 => match self.chance(50) {
                true => format!("{}.{}()", self.of("timestamp", next), self.pick(&PARTS)),
                false => format!(
                    "{}.{}({})",
                    self.of("timestamp", next),
                    self.pick(&PARTS),
                    self.pick(&ZONES)
                ),
            },
            7 => {
                let part = self.pick(&["getHours", "getMinutes", "getSeconds", "getMilliseconds"]);
                format!("{}.{part}()", self.of("duration", next))
            }
            _ => format!("{}[{}]", self.of("list<int>", next), self.of("int", next)),
        }
    }

    /// Values for the parameters of a condition; now and then one is missing.
    pub fn context(&mut self, parameters: &[(String, ParameterType)]) -> Map<String, Value> {
        let mut context = Map::new();
        for (name, of) in parameters {
            if !self.chance(3) {
                context.insert(name.clone(), self.value(&of.to_string()));
            }
        }
        context
    }

    fn value(&mut self, of: &str) -> Value {
        let wrong = [
            json!(null),
            json!(true),
            json!("x"),
            json!(1),
            json!([]),
            json!({}),
            json!("-1"),
            json!(0.5),
        ];
        let right = match of {
            "bool" => vec![json!(true), json!(false)],
            "int" => vec![
                json!(0),
                json!(1),
                json!(-1),
                json!(2.0),
                json!("3"),
                json!("1e1"),
                json!("7.0"),
                json!(1_000_000),
            ],
            "uint" => vec![json!(0), json!(1), json!("2"), json!(4_294_967_296_u64)],
            "double" => vec![
                json!(0),
                json!(1.5),
                json!("1.5"),
                json!(-0.5),
                json!("0.1"),
                json!(1e21),
                json!("1e2"),
                json!("abc"),
            ],
            "string" => vec![
                json!(""),
                json!("a"),
                json!("ab"),
                json!("A1"),
                json!("日本"),
                json!("1"),
                json!("é"),
            ],
            "timestamp" => vec![
                json!("2024-02-29T23:59:59.123456789Z"),
                json!("2023-10-11T10:00:00-05:00"),
                json!("1969-12-31T23:59:59Z"),
                json!("9999-12-31T23:59:59Z"),
                json!("2023-13-01T00:00:00Z"),
                json!("2023-10-11"),
            ],
            "duration" => vec![
                json!("1h"),
                json!("1h1m1.5s"),
                json!("-3us"),
                json!("0"),
                json!("+.5s"),
                json!("1.s"),
                json!("1"),
                json!("5d"),
            ],
            "ipaddress" => vec![
                json!("10.1.2.3"),
                json!("::ffff:10.1.2.3"),
                json!("2001:db8::1"),
                json!("10.1.2"),
                json!("01.1.2.3"),
                json!("::"),
            ],
            "list<int>" => vec![
                json!([]),
                json!([1]),
                json!([1, "2", 3.0]),
                json!([0, -1]),
                json!(["a"]),
            ],
            "list<string>" => vec![json!([]), json!(["a"]), json!(["ab", "b"]), json!([1])],
            "map<string>" => vec![
                json!({}),
                json!({ "x": "a" }),
                json!({ "x": "a", "a": "ab" }),
                json!({ "x": 1 }),
            ],
            _ => vec![
                json!(null),
                json!(1),
                json!(1.5),
                json!("a"),
                json!([1, 2]),
                json!({ "b": "x" }),
                json!({ "b": 1 }),
                json!({}),
                json!(true),
            ],
        };
        match self.chance(3) {
            true => self.pick(&wrong),
            false => self.pick(&right),
        }
    }
}
