//! Which objects of a type a subject is in a relation of: backwards from the subject along tuples and plan, then, where
//! `and` or `but not` lies on the way, each one found is checked.

use super::check::{Check, Who};
use super::names::{NONE, ObjectId, WILDCARD};
use super::plan::{Place, Use};
use super::segment::{End, Way};
use super::{Conditions, Exceeded, Listing, Query, QueryError, Subject, Truth};
use hashbrown::HashMap;

impl<C: Conditions> Query<'_, C> {
    /// All objects of a type in whose relation the subject is.
    pub fn list_objects(
        &self,
        of: &str,
        relation: &str,
        subject: Subject<'_>,
    ) -> Result<Listing, QueryError> {
        let place = self.place(of, relation)?;
        let who = self.who(subject)?;
        let mut reach = Reach {
            query: self,
            check: Check::new(self, who, self.budget.list_nodes),
            wanted: self.plan.below(place),
            seen: HashMap::new(),
            open: Vec::new(),
            later: Vec::new(),
        };
        reach.begin(who)?;
        reach.finish()?;
        let mut listing = Listing::default();
        let Reach {
            mut check, seen, ..
        } = reach;
        let union_only = self.plan.node(place).is_some_and(|node| node.union_only);
        let found = seen.into_iter().filter(|((_, at), _)| *at == place);
        for ((object, _), reached) in found {
            let truth = if union_only {
                reached
            } else {
                check.truth(object, place)?
            };
            // A userset of an object that no tuple names: only the question knows the name.
            let known = (object as usize) < self.tuples.objects.len();
            let name = || match subject {
                Subject::Userset(unknown, _) if !known => unknown.to_string(),
                _ => self.tuples.object_name(object),
            };
            listing.add(truth, name);
            self.budget
                .names(listing.found.len() + listing.conditional.len())?;
        }
        listing.unsettled = check.unsettled;
        Ok(listing)
    }
}

struct Reach<'a, C> {
    query: &'a Query<'a, C>,
    check: Check<'a, C>,
    /// The relations from which the wanted one can be reached.
    wanted: Box<[bool]>,
    seen: HashMap<(ObjectId, Place), Truth>,
    open: Vec<(ObjectId, Place)>,
    /// What is reached only under a condition that lacks a value.
    later: Vec<(ObjectId, Place)>,
}

impl<C: Conditions> Reach<'_, C> {
    fn begin(&mut self, who: Who) -> Result<(), Exceeded> {
        if let Some((object, place)) = who.itself {
            self.reach(object, place, Truth::True)?;
        }
        self.named(who.end, who.kind)?;
        match who.everyone {
            Some(everyone) => self.named(everyone, who.kind | WILDCARD),
            None => Ok(()),
        }
    }

    /// First everything that is certain, then what hangs on conditions.
    fn finish(&mut self) -> Result<(), Exceeded> {
        let mut truth = Truth::True;
        loop {
            while let Some((object, place)) = self.open.pop() {
                self.follow(object, place, truth)?;
            }
            if self.later.is_empty() {
                return Ok(());
            }
            truth = Truth::Unknown;
            for (object, place) in std::mem::take(&mut self.later) {
                self.reach(object, place, Truth::Unknown)?;
            }
        }
    }

    fn reach(&mut self, object: ObjectId, place: Place, truth: Truth) -> Result<(), Exceeded> {
        let wanted = self.wanted.get(place as usize).copied().unwrap_or(false);
        if !wanted || self.seen.contains_key(&(object, place)) {
            return Ok(());
        }
        if let Some(node) = self.query.plan.node(place) {
            self.check.visit(object, node)?;
        }
        self.seen.insert((object, place), truth);
        self.open.push((object, place));
        Ok(())
    }

    fn step(
        &mut self,
        object: ObjectId,
        place: Place,
        so_far: Truth,
        counts: Truth,
    ) -> Result<(), Exceeded> {
        match so_far.and(counts) {
            Truth::False => Ok(()),
            Truth::Unknown if so_far == Truth::True => {
                self.later.push((object, place));
                Ok(())
            }
            truth => self.reach(object, place, truth),
        }
    }

    /// The tuples that name an object, or everyone.
    fn named(&mut self, end: End, kind: u16) -> Result<(), Exceeded> {
        let tuples = self.query.tuples;
        for (at, of, limit) in tuples.row(Way::Reverse, end, false) {
            let Some(place) = self.query.plan.place(of, at.relation()) else {
                continue;
            };
            let Some(node) = self.query.plan.node(place) else {
                continue;
            };
            let (counts, _) = self.check.counts(node, kind, end.relation(), limit);
            self.step(at.object(), place, Truth::True, counts)?;
        }
        Ok(())
    }

    /// Where a member of this relation of this object may be a member too.
    fn follow(&mut self, object: ObjectId, place: Place, truth: Truth) -> Result<(), Exceeded> {
        let plan = self.query.plan;
        for one in plan.uses(place) {
            match *one {
                Use::Computed(to) => self.reach(object, to, truth)?,
                Use::Userset(to) => {
                    let relation = plan.node(place).map_or(NONE, |node| node.relation);
                    self.back(End::new(object, relation), to, to, truth)?;
                }
                Use::Through(tupleset, to) => {
                    self.back(End::new(object, NONE), tupleset, to, truth)?;
                }
            }
        }
        Ok(())
    }

    /// The objects whose relation `naming` names this end are reached in `to`.
    fn back(&mut self, end: End, naming: Place, to: Place, truth: Truth) -> Result<(), Exceeded> {
        let tuples = self.query.tuples;
        let Some(node) = self.query.plan.node(naming) else {
            return Ok(());
        };
        let kind = tuples.objects.kind(end.object());
        for (at, of, limit) in tuples.row(Way::Reverse, end, false) {
            if at.relation() != node.relation || of != node.of {
                continue;
            }
            let (counts, _) = self.check.counts(node, kind, end.relation(), limit);
            self.step(at.object(), to, truth, counts)?;
        }
        Ok(())
    }
}
