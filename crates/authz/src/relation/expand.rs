//! Why somebody is in a relation, one step at a time: the rewrite of a relation with what its tuples name. It follows
//! nothing further and says nothing about anybody in particular.

use super::check::Check;
use super::plan::{Node, Op, Place};
use super::segment::{End, Way};
use super::{Conditions, Exceeded, Object, Query, QueryError, Subject, Truth};

/// One step of a relation, as OpenFGA's expand gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expansion {
    /// The subjects that tuples name, in order of their text.
    Users(Vec<String>),
    /// The userset to look at instead.
    Computed(String),
    /// The userset that names other objects, and the usersets to look at there.
    TupleToUserset {
        /// `document:1#parent`.
        tupleset: String,
        /// `folder:2#viewer`, in order of their text.
        computed: Vec<String>,
    },
    /// Any of them.
    Union(Vec<Expansion>),
    /// Each of them.
    Intersection(Vec<Expansion>),
    /// The first without the second.
    Difference(Box<(Expansion, Expansion)>),
}

impl<C: Conditions> Query<'_, C> {
    /// One step of a relation of an object. Tuples that do not count now are left out; those whose condition lacks a
    /// value are not.
    pub fn expand(&self, object: Object<'_>, relation: &str) -> Result<Expansion, QueryError> {
        let place = self.place(object.type_name, relation)?;
        let who = self.who(Subject::Object(object))?;
        let check = Check::new(self, who, self.budget.nodes);
        let mut expand = Expand {
            query: self,
            check,
            object,
            looked: 0,
        };
        let node = self.plan.node(place);
        let unknown = || QueryError::UnknownRelation(object.type_name.into(), relation.into());
        let node = node.ok_or_else(unknown)?;
        Ok(expand.op(&node.op, node)?)
    }
}

struct Expand<'a, C> {
    query: &'a Query<'a, C>,
    check: Check<'a, C>,
    object: Object<'a>,
    looked: usize,
}

impl<C: Conditions> Expand<'_, C> {
    fn op(&mut self, op: &Op, node: &Node) -> Result<Expansion, Exceeded> {
        Ok(match op {
            Op::Direct => Expansion::Users(self.named(node)?.map_names(self.query)),
            Op::Computed(place) => Expansion::Computed(self.userset(*place)),
            Op::Through(tupleset, targets) => {
                let naming = self.query.plan.node(*tupleset);
                let ends = naming.map(|naming| self.named(naming)).transpose()?;
                let ends = ends.unwrap_or_default();
                let tuples = self.query.tuples;
                let computed = ends.0.into_iter().filter_map(|end| {
                    let kind = tuples.objects.kind(end.object());
                    let (_, target) = targets.iter().find(|(of, _)| *of == kind)?;
                    Some(End::new(
                        end.object(),
                        self.query.plan.node(*target)?.relation,
                    ))
                });
                Expansion::TupleToUserset {
                    computed: Ends(computed.collect()).map_names(self.query),
                    tupleset: self.userset(*tupleset),
                }
            }
            Op::Union(parts) => Expansion::Union(self.all(parts, node)?),
            Op::Intersection(parts) => Expansion::Intersection(self.all(parts, node)?),
            Op::Exclusion(parts) => {
                let both = (self.op(&parts.0, node)?, self.op(&parts.1, node)?);
                Expansion::Difference(Box::new(both))
            }
        })
    }

    fn all(&mut self, parts: &[Op], node: &Node) -> Result<Vec<Expansion>, Exceeded> {
        parts.iter().map(|part| self.op(part, node)).collect()
    }

    fn userset(&self, place: Place) -> String {
        let relation = self
            .query
            .plan
            .node(place)
            .map_or("", |node| self.query.tuples.symbols.name(node.relation));
        format!("{}#{relation}", self.object)
    }

    /// All operands together name no more than a listing may.
    fn named(&mut self, node: &Node) -> Result<Ends, Exceeded> {
        let tuples = self.query.tuples;
        let mut ends = Ends::default();
        let Some(object) = tuples.object(self.object) else {
            return Ok(ends);
        };
        let row = tuples.row(Way::Forward, End::new(object, node.relation), false);
        for (end, kind, limit) in row {
            self.looked += 1;
            self.query.budget.names(self.looked)?;
            if self.check.counts(node, kind, end.relation(), limit).0 != Truth::False {
                ends.0.push(end);
            }
        }
        Ok(ends)
    }
}

#[derive(Default)]
struct Ends(Vec<End>);

impl Ends {
    fn map_names<C>(self, query: &Query<'_, C>) -> Vec<String> {
        let mut names: Vec<_> = self
            .0
            .into_iter()
            .map(|end| query.tuples.end_name(end))
            .collect();
        names.sort_unstable();
        names
    }
}
