//! Random models, tuples and questions from one seed. Small names on purpose: what goes wrong goes wrong among few.

use super::fact::Fact;
use super::spec::allowed;
use authz::model::{
    Condition, Model, ParameterType, Relation, Restriction, Rewrite, SubjectKind, TypeDefinition,
};
use authz::relation::Truth;

/// A sequence of numbers that a seed decides (splitmix64).
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
    pub fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

const TYPES: [&str; 3] = ["group", "folder", "doc"];
pub const OBJECTS: usize = 3;

/// A model that can be compiled.
pub fn model(dice: &mut Dice) -> Model {
    loop {
        let model = attempt(dice);
        if model.problems().is_empty() {
            return model;
        }
    }
}

fn attempt(dice: &mut Dice) -> Model {
    // Every other model is of one type whose relations lead into each other, for circles in circles.
    let dense = dice.chance(50);
    let types = &TYPES[..if dense { 1 } else { 1 + dice.below(3) }];
    let sizes: Vec<usize> = types
        .iter()
        .map(|_| if dense { 3 } else { 1 + dice.below(4) })
        .collect();
    let mut all = vec![TypeDefinition {
        name: "user".into(),
        module: None,
        relations: Vec::new(),
    }];
    for (of, size) in types.iter().zip(&sizes) {
        let mut relations: Vec<Relation> = (0..*size)
            .map(|i| relation(dice, i, *size, types, &sizes))
            .collect();
        relations.push(tupleset(dice, types));
        all.push(TypeDefinition {
            name: (*of).into(),
            module: None,
            relations,
        });
    }
    let parameter = ParameterType {
        name: "bool",
        of: None,
    };
    Model {
        schema: "1.1".into(),
        types: all,
        conditions: vec![Condition {
            name: "c".into(),
            module: None,
            parameters: vec![("x".into(), parameter)],
            expression: "x".into(),
        }],
    }
}

fn tupleset(dice: &mut Dice, types: &[&str]) -> Relation {
    let mut restrictions = Vec::new();
    for _ in 0..=dice.below(2) {
        restrictions.push(Restriction {
            type_name: (*dice.pick(types)).into(),
            kind: SubjectKind::Object,
            condition: dice.chance(15).then(|| "c".into()),
        });
    }
    restrictions.sort();
    restrictions.dedup();
    Relation {
        name: "p".into(),
        module: None,
        rewrite: Rewrite::Direct,
        restrictions,
    }
}

fn relation(dice: &mut Dice, i: usize, size: usize, types: &[&str], sizes: &[usize]) -> Relation {
    let rewrite = rewrite(dice, size, 0);
    let mut restrictions = Vec::new();
    if directs(&rewrite) {
        for _ in 0..=1 + dice.below(4) {
            let at = dice.below(types.len());
            let (type_name, kind) = match dice.below(14) {
                0..=3 => ("user", SubjectKind::Object),
                4 => ("user", SubjectKind::Wildcard),
                5 => (types[at], SubjectKind::Object),
                6 => (types[at], SubjectKind::Wildcard),
                _ => (
                    types[at],
                    SubjectKind::Userset(format!("r{}", dice.below(sizes[at]))),
                ),
            };
            restrictions.push(Restriction {
                type_name: type_name.into(),
                kind,
                condition: dice.chance(20).then(|| "c".into()),
            });
        }
        restrictions.sort();
        restrictions.dedup();
    }
    Relation {
        name: format!("r{i}"),
        module: None,
        rewrite,
        restrictions,
    }
}

fn directs(rewrite: &Rewrite) -> bool {
    match rewrite {
        Rewrite::Direct => true,
        Rewrite::Computed(_) | Rewrite::TupleToUserset { .. } => false,
        Rewrite::Union(parts) | Rewrite::Intersection(parts) => parts.iter().any(directs),
        Rewrite::Exclusion { base, subtract } => directs(base) || directs(subtract),
    }
}

fn rewrite(dice: &mut Dice, size: usize, depth: usize) -> Rewrite {
    let inside = |dice: &mut Dice| rewrite(dice, size, depth + 1);
    match dice.below(if depth < 2 { 16 } else { 9 }) {
        0..=4 => Rewrite::Direct,
        5..=6 => Rewrite::Computed(format!("r{}", dice.below(size))),
        7..=8 => Rewrite::TupleToUserset {
            tupleset: "p".into(),
            computed: format!("r{}", dice.below(4)),
        },
        9..=11 => Rewrite::Union((0..2 + dice.below(2)).map(|_| inside(dice)).collect()),
        12..=13 => Rewrite::Intersection((0..2 + dice.below(2)).map(|_| inside(dice)).collect()),
        _ => Rewrite::Exclusion {
            base: Box::new(inside(dice)),
            subtract: Box::new(inside(dice)),
        },
    }
}

/// Tuples, most of which the model allows, no two with the same key.
pub fn facts(dice: &mut Dice, model: &Model) -> Vec<Fact> {
    let types: Vec<_> = model
        .types
        .iter()
        .filter(|of| !of.relations.is_empty())
        .collect();
    let mut facts: Vec<Fact> = Vec::new();
    for _ in 0..4 + dice.below(40) {
        let of = *dice.pick(&types);
        let relation = dice.pick(&of.relations);
        let restriction = match relation.restrictions.is_empty() || dice.chance(5) {
            true => {
                let other = *dice.pick(&types);
                dice.pick(&other.relations).restrictions.first().cloned()
            }
            false => Some(dice.pick(&relation.restrictions).clone()),
        };
        let Some(restriction) = restriction else {
            continue;
        };
        let id = dice.below(OBJECTS);
        let named = &restriction.type_name;
        let truths = [Truth::True, Truth::True, Truth::Unknown, Truth::False];
        let from = dice.chance(8).then(|| 90 + dice.below(20) as i64);
        let until = dice
            .chance(8)
            .then(|| from.unwrap_or(90) + 1 + dice.below(20) as i64);
        let fact = Fact {
            object: format!("{}:{}", of.name, dice.below(OBJECTS)),
            relation: relation.name.clone(),
            user: match &restriction.kind {
                SubjectKind::Object => format!("{named}:{id}"),
                SubjectKind::Wildcard => format!("{named}:*"),
                SubjectKind::Userset(relation) => format!("{named}:{id}#{relation}"),
            },
            condition: restriction
                .condition
                .filter(|_| !dice.chance(8))
                .map(|name| (name, *dice.pick(&truths))),
            from,
            until,
        };
        if !facts.iter().any(|one| one.key() == fact.key()) {
            facts.push(fact);
        }
    }
    facts
}

/// Whether the model allows it.
pub fn fits(model: &Model, fact: &Fact) -> bool {
    let of = fact.object.split(':').next().unwrap();
    model
        .relation(of, &fact.relation)
        .is_some_and(|relation| allowed(relation, fact))
}
