//! From a model's names to a plan's numbers, one relation at a time. The model has been checked before.

use super::names::{NONE, Symbol, Symbols, WILDCARD};
use super::plan::{Allowed, Node, Op, Place};
use crate::model::{Model, Relation, Rewrite, SubjectKind};
use hashbrown::HashMap;

/// A model that is being compiled.
pub(super) struct Compiler<'a> {
    pub model: &'a Model,
    pub symbols: &'a mut Symbols,
    pub places: &'a HashMap<(Symbol, Symbol), Place>,
}

impl Compiler<'_> {
    pub(super) fn node(&mut self, of: &str, relation: &Relation) -> Option<Node> {
        let allowed = relation.restrictions.iter().map(|one| {
            let of = self.symbols.intern(&one.type_name)?;
            let (kind, relation) = match &one.kind {
                SubjectKind::Object => (of, NONE),
                SubjectKind::Wildcard => (of | WILDCARD, NONE),
                SubjectKind::Userset(relation) => (of, self.symbols.intern(relation)?),
            };
            let condition = match &one.condition {
                Some(name) => self.symbols.intern(name)?,
                None => NONE,
            };
            let target = self.places.get(&(of, relation)).copied();
            Some(Allowed {
                kind,
                relation,
                condition,
                target,
            })
        });
        let allowed: Box<[Allowed]> = allowed.collect::<Option<_>>()?;
        let usersets = allowed.iter().any(|one| one.relation != NONE);
        Some(Node {
            of: self.symbols.get(of)?,
            relation: self.symbols.get(&relation.name)?,
            leaf: relation.rewrite == Rewrite::Direct && !usersets,
            op: self.op(of, &relation.rewrite)?,
            union_only: false,
            usersets,
            allowed,
        })
    }

    fn place(&self, of: &str, relation: &str) -> Option<Place> {
        let key = (self.symbols.get(of)?, self.symbols.get(relation)?);
        self.places.get(&key).copied()
    }

    fn op(&self, of: &str, rewrite: &Rewrite) -> Option<Op> {
        let ops = |parts: &[Rewrite]| {
            parts
                .iter()
                .map(|part| self.op(of, part))
                .collect::<Option<Box<[Op]>>>()
        };
        Some(match rewrite {
            Rewrite::Direct => Op::Direct,
            Rewrite::Computed(relation) => Op::Computed(self.place(of, relation)?),
            Rewrite::TupleToUserset { tupleset, computed } => {
                let named = self.model.relation(of, tupleset)?;
                let target = |to| Some((self.symbols.get(to)?, self.place(to, computed)?));
                let mut targets: Vec<_> = named.types().filter_map(target).collect();
                targets.sort_unstable();
                targets.dedup();
                Op::Through(self.place(of, tupleset)?, targets.into())
            }
            Rewrite::Union(parts) => Op::Union(ops(parts)?),
            Rewrite::Intersection(parts) => Op::Intersection(ops(parts)?),
            Rewrite::Exclusion { base, subtract } => {
                Op::Exclusion(Box::new((self.op(of, base)?, self.op(of, subtract)?)))
            }
        })
    }
}
