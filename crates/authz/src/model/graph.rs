//! Which relation's members depend on which other's, as the model alone says it: for recursion through exclusion,
//! computed relations that only go in circles, and relations that nobody can ever be in. It knows no tuple.

use super::{Model, Relation, Rewrite, SubjectKind};
use std::collections::{HashMap, HashSet};

/// A relation of a type.
pub(super) type Node<'a> = (&'a str, &'a str);

/// How one relation leads to another.
pub(super) struct Edge<'a> {
    pub to: Node<'a>,
    /// What it leads to is taken away.
    pub negative: bool,
    /// It leads there without any tuple.
    pub computed: bool,
}

/// The edges of every relation.
pub(super) struct Graph<'a>(HashMap<Node<'a>, Vec<Edge<'a>>>);

impl<'a> Graph<'a> {
    pub(super) fn of(model: &'a Model) -> Self {
        let edges = model.relations().map(|(of, relation)| {
            let mut to = Vec::new();
            collect(model, &of.name, relation, &relation.rewrite, false, &mut to);
            ((of.name.as_str(), relation.name.as_str()), to)
        });
        Self(edges.collect())
    }

    pub(super) fn edges(&self, node: Node<'a>) -> &[Edge<'a>] {
        self.0.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Whether one relation's members may depend on another's, over the edges that count.
    pub(super) fn leads(
        &self,
        from: Node<'a>,
        to: Node<'a>,
        counts: impl Fn(&Edge<'a>) -> bool,
    ) -> bool {
        let (mut open, mut seen) = (vec![from], HashSet::new());
        while let Some(node) = open.pop() {
            if node == to {
                return true;
            }
            if seen.insert(node) {
                open.extend(
                    self.edges(node)
                        .iter()
                        .filter(|edge| counts(edge))
                        .map(|edge| edge.to),
                );
            }
        }
        false
    }
}

fn collect<'a>(
    model: &'a Model,
    type_name: &'a str,
    relation: &'a Relation,
    rewrite: &'a Rewrite,
    negative: bool,
    to: &mut Vec<Edge<'a>>,
) {
    let edge = |to, computed| Edge {
        to,
        negative,
        computed,
    };
    match rewrite {
        Rewrite::Direct => to.extend(relation.restrictions.iter().filter_map(
            |one| match &one.kind {
                SubjectKind::Userset(of) => Some(edge((&one.type_name, of), false)),
                SubjectKind::Object | SubjectKind::Wildcard => None,
            },
        )),
        Rewrite::Computed(of) => to.push(edge((type_name, of), true)),
        Rewrite::TupleToUserset { tupleset, computed } => {
            let tupleset = model.relation(type_name, tupleset);
            let types = tupleset.into_iter().flat_map(Relation::types);
            let has = types.filter(|of| model.relation(of, computed).is_some());
            to.extend(has.map(|of| edge((of, computed), false)));
        }
        Rewrite::Union(_) | Rewrite::Intersection(_) | Rewrite::Exclusion { .. } => {
            for (part, taken) in rewrite.parts() {
                collect(model, type_name, relation, part, negative || taken, to);
            }
        }
    }
}

/// The relations that somebody can be in: those from which tuples lead to an object or a wildcard.
pub(super) fn reachable(model: &Model) -> HashSet<Node<'_>> {
    let mut found = HashSet::new();
    loop {
        let before = found.len();
        for (of, relation) in model.relations() {
            if enters(model, &of.name, relation, &relation.rewrite, &found) {
                found.insert((of.name.as_str(), relation.name.as_str()));
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

fn enters<'a>(
    model: &'a Model,
    type_name: &'a str,
    relation: &'a Relation,
    rewrite: &'a Rewrite,
    found: &HashSet<Node<'a>>,
) -> bool {
    let inside = |part| enters(model, type_name, relation, part, found);
    match rewrite {
        Rewrite::Direct => relation.restrictions.iter().any(|one| match &one.kind {
            SubjectKind::Userset(of) => found.contains(&(one.type_name.as_str(), of.as_str())),
            SubjectKind::Object | SubjectKind::Wildcard => true,
        }),
        Rewrite::Computed(of) => found.contains(&(type_name, of.as_str())),
        Rewrite::TupleToUserset { tupleset, computed } => {
            let tupleset = model.relation(type_name, tupleset);
            let mut types = tupleset.into_iter().flat_map(Relation::types);
            types.any(|of| found.contains(&(of, computed.as_str())))
        }
        Rewrite::Union(parts) => parts.iter().any(inside),
        Rewrite::Intersection(parts) => parts.iter().all(inside),
        Rewrite::Exclusion { base, subtract } => inside(base) && inside(subtract),
    }
}
