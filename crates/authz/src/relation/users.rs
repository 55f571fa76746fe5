//! Who is in a relation of an object: forwards along tuples and plan to everyone who is named, then each one is checked.
//! Whoever is in it only as one of `user:*` is not named; `user:*` is.

use super::check::{Check, Who};
use super::names::{NONE, ObjectId, Symbol, WILDCARD};
use super::plan::{Op, Place};
use super::query::NOBODY;
use super::segment::{End, Way};
use super::{Conditions, Exceeded, Listing, Object, Query, QueryError, Truth};
use hashbrown::HashSet;

/// Which subjects a listing is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserFilter<'a> {
    /// Their type.
    pub type_name: &'a str,
    /// For usersets of that type, their relation.
    pub relation: Option<&'a str>,
}

impl<C: Conditions> Query<'_, C> {
    /// All subjects of a kind that are named and in the relation of the object.
    pub fn list_users(
        &self,
        object: Object<'_>,
        relation: &str,
        filter: UserFilter<'_>,
    ) -> Result<Listing, QueryError> {
        let place = self.place(object.type_name, relation)?;
        let of = self.type_symbol(filter.type_name)?;
        let userset = filter
            .relation
            .map(|relation| self.place(filter.type_name, relation))
            .transpose()?;
        // An object that no tuple names still has its own usersets; only the question knows its name.
        let id = self.tuples.object(object).unwrap_or(NOBODY);
        let everyone = self.everyone(of);
        let who = |end: End| match userset {
            Some(place) => self.userset(end.object(), of, place),
            None if Some(end) == everyone => Who {
                end,
                kind: of | WILDCARD,
                everyone: None,
                itself: None,
            },
            None => Who {
                end,
                kind: of,
                everyone,
                itself: None,
            },
        };
        let check = Check::new(self, who(End::new(id, NONE)), self.budget.list_nodes);
        let mut naming = Naming {
            query: self,
            check,
            of,
            userset,
            found: HashSet::new(),
            seen: HashSet::new(),
            open: Vec::new(),
        };
        naming.reach(id, place)?;
        while let Some((object, place)) = naming.open.pop() {
            naming.follow(object, place)?;
        }
        let Naming {
            mut check, found, ..
        } = naming;
        let (mut listing, mut unsettled) =
            (Listing::default(), std::mem::take(&mut check.unsettled));
        for end in found {
            check.turn(who(end));
            let relation = self.tuples.symbols.name(end.relation());
            listing.add(check.truth(id, place)?, || match end.object() {
                NOBODY => format!("{object}#{relation}"),
                _ => self.tuples.end_name(end),
            });
            unsettled.missing.append(&mut check.unsettled.missing);
            unsettled.failed.append(&mut check.unsettled.failed);
        }
        listing.unsettled = unsettled;
        Ok(listing)
    }
}

struct Naming<'a, C> {
    query: &'a Query<'a, C>,
    check: Check<'a, C>,
    of: Symbol,
    userset: Option<Place>,
    found: HashSet<End>,
    seen: HashSet<(ObjectId, Place)>,
    open: Vec<(ObjectId, Place)>,
}

impl<'a, C: Conditions> Naming<'a, C> {
    fn reach(&mut self, object: ObjectId, place: Place) -> Result<(), Exceeded> {
        let Some(node) = self.query.plan.node(place) else {
            return Ok(());
        };
        if !self.seen.insert((object, place)) {
            return Ok(());
        }
        self.check.visit(object, node)?;
        if self.userset == Some(place) {
            self.found.insert(End::new(object, node.relation));
        }
        self.open.push((object, place));
        Ok(())
    }

    fn follow(&mut self, object: ObjectId, place: Place) -> Result<(), Exceeded> {
        match self.query.plan.node(place) {
            Some(node) => self.rewrite(object, place, &node.op),
            None => Ok(()),
        }
    }

    fn rewrite(&mut self, object: ObjectId, place: Place, op: &'a Op) -> Result<(), Exceeded> {
        match op {
            Op::Direct => self.direct(object, place),
            Op::Computed(to) => self.reach(object, *to),
            Op::Through(tupleset, targets) => self.through(object, *tupleset, targets),
            Op::Union(parts) | Op::Intersection(parts) => parts
                .iter()
                .try_for_each(|part| self.rewrite(object, place, part)),
            Op::Exclusion(parts) => {
                self.rewrite(object, place, &parts.0)?;
                self.rewrite(object, place, &parts.1)
            }
        }
    }

    fn direct(&mut self, object: ObjectId, place: Place) -> Result<(), Exceeded> {
        let (plan, tuples) = (self.query.plan, self.query.tuples);
        let Some(node) = plan.node(place) else {
            return Ok(());
        };
        for (end, kind, limit) in tuples.row(Way::Forward, End::new(object, node.relation), false) {
            let (counts, target) = self.check.counts(node, kind, end.relation(), limit);
            match (counts, end.relation(), target) {
                (Truth::False, _, _) => {}
                (_, NONE, _) if self.userset.is_none() && kind & !WILDCARD == self.of => {
                    self.found.insert(end);
                    self.query.budget.names(self.found.len())?;
                }
                (_, NONE, _) | (_, _, None) => {}
                (_, _, Some(target)) => self.reach(end.object(), target)?,
            }
        }
        Ok(())
    }

    fn through(
        &mut self,
        object: ObjectId,
        tupleset: Place,
        targets: &[(Symbol, Place)],
    ) -> Result<(), Exceeded> {
        let (plan, tuples) = (self.query.plan, self.query.tuples);
        let Some(node) = plan.node(tupleset) else {
            return Ok(());
        };
        for (end, kind, limit) in tuples.row(Way::Forward, End::new(object, node.relation), false) {
            let target = targets.iter().find(|(of, _)| *of == kind);
            let (counts, _) = self.check.counts(node, kind, end.relation(), limit);
            if let Some((_, target)) = target.filter(|_| counts != Truth::False) {
                self.reach(end.object(), *target)?;
            }
        }
        Ok(())
    }
}
