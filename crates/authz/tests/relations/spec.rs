//! The specification: what relations mean, as sets found by repeating until nothing changes. No index, no order of
//! evaluation, no memory between questions, and none of the engine's code. Slow on purpose.
//!
//! For one subject every pair of an object and a relation has a truth. All begin false and grow along False < Unknown <
//! True until they stay; what is taken away must be settled first, which is what the levels are for. A model whose
//! levels have no end (recursion through exclusion) has no meaning here.

use super::fact::Fact;
use authz::model::{Model, Relation, Rewrite, SubjectKind};
use authz::relation::Truth;
use std::collections::{BTreeMap, BTreeSet};

/// `document:1` and `viewer`.
type Node = (String, String);

pub struct Spec<'a> {
    pub model: &'a Model,
    pub facts: &'a [Fact],
    /// Seconds since 1970.
    pub now: i64,
}

fn type_of(name: &str) -> &str {
    name.split(':').next().unwrap()
}

fn userset(name: &str) -> Option<Node> {
    let (object, relation) = name.split_once('#')?;
    Some((object.into(), relation.into()))
}

impl Spec<'_> {
    /// Whether the subject is in the relation of the object.
    pub fn check(&self, object: &str, relation: &str, subject: &str) -> Truth {
        let node = (object.to_owned(), relation.to_owned());
        self.truths(subject, &[object])[&node]
    }

    /// Every object of the type in whose relation the subject is, by truth.
    pub fn list_objects(&self, of: &str, relation: &str, subject: &str) -> BTreeMap<String, Truth> {
        let truths = self.truths(subject, &[]).into_iter();
        let wanted = truths.filter(|((object, r), _)| type_of(object) == of && r == relation);
        let found = wanted.map(|((object, _), truth)| (object, truth));
        found.filter(|(_, truth)| *truth != Truth::False).collect()
    }

    /// Every subject of the kind (`user` or `group#member`) that is named on the way from the object's relation,
    /// taken away or not, and is in it, by truth. Who is in it only as one of `user:*` is not named.
    pub fn list_users(&self, object: &str, relation: &str, kind: &str) -> BTreeMap<String, Truth> {
        let named = self.named(object, relation, kind).into_iter();
        let found = named.map(|subject| (subject.clone(), self.check(object, relation, &subject)));
        found.filter(|(_, truth)| *truth != Truth::False).collect()
    }

    /// The truth for one subject of every relation of every object that is named anywhere.
    pub fn truths(&self, subject: &str, more: &[&str]) -> BTreeMap<Node, Truth> {
        let objects: BTreeSet<&str> = self
            .facts
            .iter()
            .flat_map(|fact| [fact.object.as_str(), fact.user.split('#').next().unwrap()])
            .chain(more.iter().copied())
            .chain([subject.split('#').next().unwrap()])
            .collect();
        let levels = self.levels();
        let mut truths: BTreeMap<Node, Truth> = BTreeMap::new();
        for object in objects {
            for relation in self.relations(type_of(object)) {
                truths.insert((object.into(), relation.name.clone()), Truth::False);
            }
        }
        for level in 0..=levels.values().copied().max().unwrap_or(0) {
            let now =
                |(object, r): &&Node| levels[&(type_of(object).to_owned(), r.clone())] == level;
            let nodes: Vec<Node> = truths.keys().filter(now).cloned().collect();
            loop {
                let before = truths.clone();
                for node in &nodes {
                    let relation = self.model.relation(type_of(&node.0), &node.1).unwrap();
                    let truth = match userset(subject).as_ref() == Some(node) {
                        true => Truth::True,
                        false => self.truth(node, relation, &relation.rewrite, subject, &truths),
                    };
                    truths.insert(node.clone(), truths[node].or(truth));
                }
                if truths == before {
                    break;
                }
            }
        }
        truths
    }

    fn truth(
        &self,
        node: &Node,
        relation: &Relation,
        rewrite: &Rewrite,
        subject: &str,
        truths: &BTreeMap<Node, Truth>,
    ) -> Truth {
        let inside = |part: &Rewrite| self.truth(node, relation, part, subject, truths);
        let at = |object: &str, r: &str| {
            truths
                .get(&(object.into(), r.into()))
                .copied()
                .unwrap_or(Truth::False)
        };
        let any = |all: Vec<Truth>| all.into_iter().fold(Truth::False, Truth::or);
        match rewrite {
            Rewrite::Direct => any(self
                .counting(&node.0, relation)
                .map(|(fact, condition)| {
                    let named = match userset(&fact.user) {
                        Some((object, r)) => at(&object, &r),
                        None if covers(&fact.user, subject) => Truth::True,
                        None => Truth::False,
                    };
                    condition.and(named)
                })
                .collect()),
            Rewrite::Computed(of) => at(&node.0, of),
            Rewrite::TupleToUserset { tupleset, computed } => {
                let tupleset = self.model.relation(type_of(&node.0), tupleset).unwrap();
                let through = self.counting(&node.0, tupleset);
                any(through
                    .map(|(fact, condition)| condition.and(at(&fact.user, computed)))
                    .collect())
            }
            Rewrite::Union(parts) => any(parts.iter().map(inside).collect()),
            Rewrite::Intersection(parts) => parts.iter().map(inside).fold(Truth::True, Truth::and),
            Rewrite::Exclusion { base, subtract } => inside(base).and(inside(subtract).negated()),
        }
    }

    /// The tuples of a relation of an object that the model allows and that count now, and what their conditions say.
    fn counting(&self, object: &str, relation: &Relation) -> impl Iterator<Item = (&Fact, Truth)> {
        let of = move |fact: &&Fact| {
            fact.object == object && fact.relation == relation.name && fact.counts(self.now)
        };
        let facts = self
            .facts
            .iter()
            .filter(of)
            .filter(move |fact| allowed(relation, fact));
        facts.map(|fact| {
            (
                fact,
                fact.condition
                    .as_ref()
                    .map_or(Truth::True, |(_, truth)| *truth),
            )
        })
    }

    /// How many exclusions lie below each relation.
    fn levels(&self) -> BTreeMap<Node, usize> {
        let types = self.model.types.iter();
        let all: Vec<_> = types
            .flat_map(|of| of.relations.iter().map(|r| (of.name.clone(), r)))
            .collect();
        let mut levels: BTreeMap<Node, usize> = all
            .iter()
            .map(|(of, r)| ((of.clone(), r.name.clone()), 0))
            .collect();
        for _ in 0..=all.len() {
            let before = levels.clone();
            for (of, relation) in &all {
                let level = self.level(of, relation, &relation.rewrite, &levels);
                levels.insert((of.clone(), relation.name.clone()), level);
            }
            if levels == before {
                return levels;
            }
        }
        panic!("recursion through exclusion");
    }

    fn level(
        &self,
        of: &str,
        relation: &Relation,
        rewrite: &Rewrite,
        levels: &BTreeMap<Node, usize>,
    ) -> usize {
        let inside = |part: &Rewrite| self.level(of, relation, part, levels);
        let at = |of: &str, r: &str| levels.get(&(of.into(), r.into())).copied().unwrap_or(0);
        match rewrite {
            Rewrite::Direct => (relation.restrictions.iter())
                .map(|one| match &one.kind {
                    SubjectKind::Userset(r) => at(&one.type_name, r),
                    _ => 0,
                })
                .max()
                .unwrap_or(0),
            Rewrite::Computed(r) => at(of, r),
            Rewrite::TupleToUserset { tupleset, computed } => {
                let tupleset = self.model.relation(of, tupleset).unwrap();
                tupleset
                    .restrictions
                    .iter()
                    .map(|one| at(&one.type_name, computed))
                    .max()
                    .unwrap_or(0)
            }
            Rewrite::Union(parts) | Rewrite::Intersection(parts) => {
                parts.iter().map(inside).max().unwrap_or(0)
            }
            Rewrite::Exclusion { base, subtract } => inside(base).max(inside(subtract) + 1),
        }
    }

    fn relations(&self, of: &str) -> &[Relation] {
        self.model
            .types
            .iter()
            .find(|one| one.name == of)
            .map_or(&[], |one| &one.relations)
    }

    /// The subjects of a kind that tuples name on the way from a relation of an object.
    fn named(&self, object: &str, relation: &str, kind: &str) -> BTreeSet<String> {
        let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![(object.to_owned(), relation.to_owned())];
        while let Some(node) = open.pop() {
            let Some(relation) = self.model.relation(type_of(&node.0), &node.1) else {
                continue;
            };
            if !seen.insert(node.clone()) {
                continue;
            }
            if kind == format!("{}#{}", type_of(&node.0), node.1) {
                found.insert(format!("{}#{}", node.0, node.1));
            }
            self.follow(
                &node,
                relation,
                &relation.rewrite,
                &mut |subject| match userset(subject) {
                    Some(next) => open.push(next),
                    None if type_of(subject) == kind => drop(found.insert(subject.into())),
                    None => {}
                },
            );
        }
        found
    }

    fn follow(
        &self,
        node: &Node,
        relation: &Relation,
        rewrite: &Rewrite,
        see: &mut impl FnMut(&str),
    ) {
        let counting = |relation| {
            self.counting(&node.0, relation)
                .filter(|(_, truth)| *truth != Truth::False)
        };
        match rewrite {
            Rewrite::Direct => counting(relation).for_each(|(fact, _)| see(&fact.user)),
            Rewrite::Computed(of) => see(&format!("{}#{of}", node.0)),
            Rewrite::TupleToUserset { tupleset, computed } => {
                let tupleset = self.model.relation(type_of(&node.0), tupleset).unwrap();
                counting(tupleset).for_each(|(fact, _)| see(&format!("{}#{computed}", fact.user)));
            }
            Rewrite::Union(parts) | Rewrite::Intersection(parts) => {
                parts
                    .iter()
                    .for_each(|part| self.follow(node, relation, part, see));
            }
            Rewrite::Exclusion { base, subtract } => {
                self.follow(node, relation, base, see);
                self.follow(node, relation, subtract, see);
            }
        }
    }
}

/// Whether a tuple that names `user` (no userset) names the subject.
fn covers(user: &str, subject: &str) -> bool {
    let everyone = format!("{}:*", type_of(subject));
    user == subject || (user == everyone && !subject.contains('#'))
}

/// Whether the model lets a relation have this tuple: the kind of its subject with exactly its condition.
pub fn allowed(relation: &Relation, fact: &Fact) -> bool {
    relation.restrictions.iter().any(|one| {
        let kind = match &one.kind {
            SubjectKind::Object => !fact.user.contains('#') && !fact.user.ends_with(":*"),
            SubjectKind::Wildcard => fact.user.ends_with(":*"),
            SubjectKind::Userset(of) => {
                userset(&fact.user).is_some_and(|(_, relation)| relation == *of)
            }
        };
        let condition = fact.condition.as_ref().map(|(name, _)| name);
        kind && one.type_name == type_of(&fact.user) && one.condition.as_ref() == condition
    })
}
