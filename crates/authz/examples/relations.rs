//! What a relation check costs on this machine: direct, three and ten steps away, and over a tree with groups; and what
//! a tuple costs in memory. Run it with `cargo run --release -p authz --example relations`; it decides nothing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on stops"
)]

use authz::model::Model;
use authz::relation::{
    Budget, Conditions, Context, Decision, Holds, Object, Query, Subject, TupleKey, Tuples,
};
use kernel::ambient::SystemClock;
use kernel::{Clock, Timestamp};

const MODEL: &str = "model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define parent: [folder]
    define banned: [user]
    define viewer: [user, group#member]
    define view: (viewer or view from parent) but not banned
type doc
  relations
    define parent: [folder]
    define banned: [user]
    define viewer: [user, group#member]
    define view: (viewer or view from parent) but not banned
";

struct NoConditions;
impl Conditions for NoConditions {
    fn holds(&self, _: &str, _: Option<&Context>) -> Holds {
        Holds::No
    }
}

struct Dice(u64);
impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// Text of tuples: users in groups that nest seven deep, folders four deep, documents, and three chains.
fn texts(count: u64) -> Vec<[String; 3]> {
    let mut dice = Dice(0x5eed);
    let mut all = Vec::new();
    let mut add = |object: String, relation: &str, subject: String| {
        all.push([object, relation.to_owned(), subject])
    };
    let (users, groups, folders, docs) = (count / 5, count / 100, count / 20, count / 4);
    for group in 0..groups {
        // Level by level: each group is in one of the level above.
        if group % 7 != 0 {
            let above = group - 1;
            add(
                format!("group:{above}"),
                "member",
                format!("group:{group}#member"),
            );
        }
    }
    for folder in 0..folders {
        if folder % 4 != 0 {
            add(
                format!("folder:{folder}"),
                "parent",
                format!("folder:{}", folder - 1),
            );
        }
        add(
            format!("folder:{folder}"),
            "viewer",
            format!("group:{}#member", dice.below(groups)),
        );
    }
    for doc in 0..docs {
        add(
            format!("doc:{doc}"),
            "parent",
            format!("folder:{}", dice.below(folders)),
        );
        add(
            format!("doc:{doc}"),
            "viewer",
            format!("user:{}", dice.below(users)),
        );
    }
    for i in 0..20 {
        add("group:three-0".into(), "member", format!("user:noise-{i}"));
    }
    for (name, length) in [("three", 3), ("ten", 10)] {
        for i in 1..length {
            add(
                format!("group:{name}-{}", i - 1),
                "member",
                format!("group:{name}-{i}#member"),
            );
        }
        add(
            format!("group:{name}-{}", length - 1),
            "member",
            "user:0".into(),
        );
    }
    for user in 0.. {
        if all.len() as u64 >= count {
            break;
        }
        let of = dice.below(groups);
        all.push([
            format!("group:{of}"),
            "member".into(),
            format!("user:{}", user % users),
        ]);
    }
    all
}

/// Time that this thread had a core to itself, in microseconds, so that a busy machine is not measured with it.
fn micros() -> i64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let on_core: i64 = schedule.split_whitespace().next().unwrap().parse().unwrap();
    on_core / 1000
}

fn wall() -> i64 {
    SystemClock.boot().micros()
}

fn load(count: u64) -> Tuples {
    let texts = texts(count);
    let keys = texts
        .iter()
        .map(|[object, relation, subject]| TupleKey::parse(object, relation, subject).unwrap());
    let began = micros();
    let tuples = Tuples::load(keys.map(TupleKey::always)).unwrap();
    println!(
        "load: {} tuples in {} ms",
        tuples.len(),
        (micros() - began) / 1000
    );
    tuples
}

fn main() {
    let count = std::env::args()
        .nth(1)
        .map_or(1_000_000, |text| text.parse().unwrap());
    let mut tuples = load(count);
    let ((rows, names), objects) = (tuples.bytes(), tuples.objects());
    println!(
        "memory: {:.1} bytes a tuple in both directions, {:.1} bytes an object ({objects} objects), {:.1} a tuple in all",
        rows as f64 / count as f64,
        names as f64 / objects as f64,
        (rows + names) as f64 / count as f64
    );
    let plan = tuples.compile(&Model::read(MODEL).unwrap()).unwrap();
    let query = Query {
        tuples: &tuples,
        plan: &plan,
        conditions: &NoConditions,
        now: Timestamp::from_seconds(0),
        budget: Budget::default(),
    };
    let mut dice = Dice(0xd1ce);
    let (users, docs) = (count / 5, count / 4);
    fixed(&query, "direct", "group:ten-9");
    fixed(&query, "3 hops", "group:three-0");
    fixed(&query, "10 hops", "group:ten-0");
    let questions: Vec<[String; 2]> = (0..200_000)
        .map(|_| {
            [
                format!("doc:{}", dice.below(docs)),
                format!("user:{}", dice.below(users)),
            ]
        })
        .collect();
    let mut times = Vec::with_capacity(questions.len());
    let (mut allowed, began) = (0, micros());
    for [doc, user] in &questions {
        allowed += usize::from(ask(&query, doc, "view", user));
    }
    let taken = micros() - began;
    // In groups of ten, since the clock counts microseconds.
    for ten in questions.chunks(10) {
        let began = wall();
        for [doc, user] in ten {
            ask(&query, doc, "view", user);
        }
        times.push((wall() - began) as f64 / 10.0);
    }
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    println!(
        "random documents: {:.0} checks/s, mean of ten p50 {:.1} µs, p99 {:.1} µs, {allowed} allowed",
        questions.len() as f64 * 1e6 / taken as f64,
        at(0.5),
        at(0.99)
    );
    let subject = Subject::parse("user:0").unwrap();
    // The scheduler counts in steps that are longer than this.
    let began = wall();
    let found = query
        .list_objects("doc", "view", subject)
        .unwrap()
        .found
        .len();
    println!("list objects: {found} in {} µs", wall() - began);
    many();
    let began = micros();
    let merged = tuples.merged().unwrap();
    println!(
        "merge: {} tuples in {} ms",
        merged.len(),
        (micros() - began) / 1000
    );
}

/// One user who sees a hundred thousand documents.
fn many() {
    const DOCS: usize = 100_000;
    let docs: Vec<String> = (0..DOCS).map(|doc| format!("doc:{doc}")).collect();
    let keys = docs
        .iter()
        .map(|doc| TupleKey::parse(doc, "parent", "folder:all").unwrap());
    let viewer = TupleKey::parse("folder:all", "viewer", "user:0").unwrap();
    let mut tuples = Tuples::load(keys.chain([viewer]).map(TupleKey::always)).unwrap();
    let plan = tuples.compile(&Model::read(MODEL).unwrap()).unwrap();
    let query = Query {
        tuples: &tuples,
        plan: &plan,
        conditions: &NoConditions,
        now: Timestamp::from_seconds(0),
        budget: Budget::default(),
    };
    let began = micros();
    let found = query
        .list_objects("doc", "view", Subject::parse("user:0").unwrap())
        .unwrap();
    assert_eq!(found.found.len(), DOCS);
    println!(
        "list objects: {DOCS} in {} ms, complete",
        (micros() - began) / 1000
    );
}

fn ask(query: &Query<'_, NoConditions>, object: &str, relation: &str, user: &str) -> bool {
    let (object, subject) = (
        Object::parse(object).unwrap(),
        Subject::parse(user).unwrap(),
    );
    query.check(object, relation, subject).unwrap() == Decision::Allowed
}

fn fixed(query: &Query<'_, NoConditions>, name: &str, object: &str) {
    const TIMES: i64 = 500_000;
    let began = micros();
    for _ in 0..TIMES {
        assert!(ask(query, object, "member", "user:0"));
    }
    let taken = (micros() - began).max(1);
    println!(
        "{name}: {} checks/s, {} ns each",
        TIMES * 1_000_000 / taken,
        taken * 1000 / TIMES
    );
}
