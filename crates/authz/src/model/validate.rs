//! What a model must keep to before it is compiled: names that exist, tuplesets that name objects, relations that
//! somebody can be in, and no recursion through exclusion, for which "is not a member" would have no one answer.

use super::graph::{Graph, reachable};
use super::parse::{Places, Spot};
use super::{Model, Problem, Relation, Rewrite, SubjectKind, TypeDefinition};
use kernel::limits::{MODEL_NESTING, MODEL_TYPES, RELATION_NAME_CHARS, TYPE_NAME_CHARS};
use std::collections::HashSet;

pub(super) fn problems(model: &Model, places: &Places) -> Vec<Problem> {
    let mut check = Check {
        model,
        places,
        found: Vec::new(),
    };
    check.names();
    for (of, relation) in model.relations() {
        check.relation(of, relation);
    }
    // What follows walks along names, which must exist for it to say something useful.
    if check.found.is_empty() {
        check.recursion();
        check.entry_points();
    }
    check
        .found
        .sort_by(|a, b| (&a.file, a.at).cmp(&(&b.file, b.at)));
    check.found
}

struct Check<'a> {
    model: &'a Model,
    places: &'a Places,
    found: Vec<Problem>,
}

/// What OpenFGA allows in a name: anything but white space and what separates the parts of a tuple.
fn named(name: &str, longest: usize) -> bool {
    let good = |c: char| !c.is_whitespace() && !c.is_control() && !":#@*[](),<>{}".contains(c);
    !name.is_empty() && name.chars().count() <= longest && name.chars().all(good)
}

fn twice<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    names.find(|name| !seen.insert(*name))
}

impl Check<'_> {
    fn say(&mut self, at: Option<Spot>, message: String) {
        let file = at.and_then(|spot| self.places.files.get(spot.file));
        self.found.push(Problem {
            file: file.cloned(),
            ..Problem::new(at.map(|spot| spot.at), message)
        });
    }

    fn names(&mut self) {
        let model = self.model;
        if !matches!(model.schema.as_str(), "1.1" | "1.2") {
            self.say(
                None,
                format!(
                    "schema `{}` is not supported: write `1.1` or `1.2`",
                    model.schema
                ),
            );
        }
        if model.types.is_empty() || model.types.len() > MODEL_TYPES {
            self.say(None, format!("a model has from 1 to {MODEL_TYPES} types"));
        }
        if let Some(name) = twice(model.types.iter().map(|one| one.name.as_str())) {
            self.say(None, format!("type `{name}` is defined twice"));
        }
        if let Some(name) = twice(model.conditions.iter().map(|one| one.name.as_str())) {
            self.say(None, format!("condition `{name}` is defined twice"));
        }
        for one in &model.types {
            let at = self.places.types.get(&one.name).copied();
            if !named(&one.name, TYPE_NAME_CHARS) || matches!(one.name.as_str(), "self" | "this") {
                let longest = TYPE_NAME_CHARS;
                self.say(at, format!("`{}` cannot be the name of a type (at most {longest} characters, not `self` or `this`)", one.name.escape_debug()));
            }
            if let Some(name) = twice(one.relations.iter().map(|one| one.name.as_str())) {
                self.say(
                    at,
                    format!("relation `{name}` of type `{}` is defined twice", one.name),
                );
            }
        }
        for one in &model.conditions {
            let at = self.places.conditions.get(&one.name).copied();
            if !named(&one.name, RELATION_NAME_CHARS) {
                self.say(
                    at,
                    format!(
                        "`{}` cannot be the name of a condition",
                        one.name.escape_debug()
                    ),
                );
            }
            if one.expression.trim().is_empty() {
                self.say(at, format!("condition `{}` has no expression", one.name));
            }
            if let Some(name) = twice(one.parameters.iter().map(|(name, _)| name.as_str())) {
                self.say(
                    at,
                    format!("condition `{}` has the parameter `{name}` twice", one.name),
                );
            }
        }
    }

    fn at(&self, of: &TypeDefinition, relation: &Relation) -> Option<Spot> {
        let key = (of.name.clone(), relation.name.clone());
        self.places.relations.get(&key).copied()
    }

    fn relation(&mut self, of: &TypeDefinition, relation: &Relation) {
        let (at, name) = (self.at(of, relation), &relation.name);
        let full = format!("relation `{}` of type `{}`", name.escape_debug(), of.name);
        if !named(name, RELATION_NAME_CHARS) || matches!(name.as_str(), "self" | "this") {
            let longest = RELATION_NAME_CHARS;
            self.say(at, format!("{full} cannot have that name (at most {longest} characters, not `self` or `this`)"));
        }
        if relation.rewrite.nesting() > MODEL_NESTING {
            self.say(
                at,
                format!("{full} nests operators deeper than {MODEL_NESTING}"),
            );
        }
        match (relation.rewrite.directs(), relation.restrictions.is_empty()) {
            (0, true) | (1.., false) => {}
            (0, false) => self.say(
                at,
                format!("{full} names types that a tuple may use, but is not assigned directly"),
            ),
            (_, true) => self.say(
                at,
                format!("{full} is assigned directly and names no type that a tuple may use"),
            ),
        }
        self.restrictions(at, &full, relation);
        self.rewrite(at, &full, of, &relation.rewrite);
    }

    fn restrictions(&mut self, at: Option<Spot>, full: &str, relation: &Relation) {
        let model = self.model;
        for (i, one) in relation.restrictions.iter().enumerate() {
            let known = model.types.iter().any(|of| of.name == one.type_name);
            if !known {
                self.say(
                    at,
                    format!(
                        "{full} names type `{}`, which is not defined",
                        one.type_name
                    ),
                );
            }
            match &one.kind {
                SubjectKind::Userset(of)
                    if known && model.relation(&one.type_name, of).is_none() =>
                {
                    self.say(
                        at,
                        format!(
                            "{full} names `{}#{of}`, and that type has no such relation",
                            one.type_name
                        ),
                    );
                }
                _ => {}
            }
            let condition = one.condition.as_ref();
            let missing =
                condition.filter(|name| !model.conditions.iter().any(|of| of.name == **name));
            if let Some(name) = missing {
                self.say(
                    at,
                    format!("{full} names condition `{name}`, which is not defined"),
                );
            }
            if relation
                .restrictions
                .iter()
                .take(i)
                .any(|before| before == one)
            {
                self.say(at, format!("{full} names `{one}` twice"));
            }
        }
    }

    fn rewrite(&mut self, at: Option<Spot>, full: &str, of: &TypeDefinition, rewrite: &Rewrite) {
        match rewrite {
            Rewrite::Direct => {}
            Rewrite::Computed(name) => {
                if self.model.relation(&of.name, name).is_none() {
                    self.say(
                        at,
                        format!("{full} uses relation `{name}`, which that type does not have"),
                    );
                }
            }
            Rewrite::TupleToUserset { tupleset, computed } => {
                self.tupleset(at, full, of, tupleset, computed);
            }
            Rewrite::Union(parts) | Rewrite::Intersection(parts) => {
                if parts.len() < 2 {
                    self.say(
                        at,
                        format!("{full} has an operator with fewer than two operands"),
                    );
                }
                parts
                    .iter()
                    .for_each(|part| self.rewrite(at, full, of, part));
            }
            Rewrite::Exclusion { base, subtract } => {
                self.rewrite(at, full, of, base);
                self.rewrite(at, full, of, subtract);
            }
        }
    }

    fn tupleset(
        &mut self,
        at: Option<Spot>,
        full: &str,
        of: &TypeDefinition,
        tupleset: &str,
        computed: &str,
    ) {
        let Some(named) = self.model.relation(&of.name, tupleset) else {
            return self.say(
                at,
                format!("{full} uses relation `{tupleset}`, which that type does not have"),
            );
        };
        if named.rewrite != Rewrite::Direct {
            return self.say(at, format!("{full} uses `from {tupleset}`, which must be assigned directly and nothing else"));
        }
        if named
            .restrictions
            .iter()
            .any(|one| one.kind != SubjectKind::Object)
        {
            return self.say(at, format!("{full} uses `from {tupleset}`, which must name objects, no wildcard and no userset"));
        }
        if !named
            .types()
            .any(|to| self.model.relation(to, computed).is_some())
        {
            self.say(at, format!("{full} uses `{computed} from {tupleset}`, and no type of `{tupleset}` has `{computed}`"));
        }
    }

    fn recursion(&mut self) {
        let graph = Graph::of(self.model);
        for (of, relation) in self.model.relations() {
            let node = (of.name.as_str(), relation.name.as_str());
            let at = self.at(of, relation);
            let mut edges = graph.edges(node).iter();
            if edges.any(|edge| edge.computed && graph.leads(edge.to, node, |edge| edge.computed)) {
                self.say(
                    at,
                    format!(
                        "relation `{}` of type `{}` is defined by itself",
                        node.1, node.0
                    ),
                );
            }
            let mut taken = graph.edges(node).iter().filter(|edge| edge.negative);
            if let Some(edge) = taken.find(|edge| graph.leads(edge.to, node, |_| true)) {
                self.say(at, format!(
                    "relation `{}` of type `{}` takes away `{}#{}`, which depends on it: no recursion may pass through `but not`",
                    node.1, node.0, edge.to.0, edge.to.1
                ));
            }
        }
    }

    fn entry_points(&mut self) {
        let found = reachable(self.model);
        for (of, relation) in self.model.relations() {
            if !found.contains(&(of.name.as_str(), relation.name.as_str())) {
                let at = self.at(of, relation);
                self.say(
                    at,
                    format!(
                        "nobody can ever be in relation `{}` of type `{}`: it has no entry point",
                        relation.name, of.name
                    ),
                );
            }
        }
    }
}
