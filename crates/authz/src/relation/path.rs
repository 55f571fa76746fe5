//! By which tuples somebody is in a relation: one way of those that there are, from the object to the subject. It
//! follows what a check says is true and nothing else, so where a check permits nothing there is no way.

use super::check::{Check, Who};
use super::names::{NONE, ObjectId, Symbol, WILDCARD};
use super::plan::{Node, Op, Place};
use super::segment::{End, Limit, Way};
use super::{Conditions, Exceeded, Object, Query, QueryError, Subject, Truth};

impl<C: Conditions> Query<'_, C> {
    /// The tuples by which the subject is in the relation of the object, `object#relation@subject` each, with the name
    /// of its condition; none where it is not, or where finding a way would cost more than a check.
    pub fn path(
        &self,
        object: Object<'_>,
        relation: &str,
        subject: Subject<'_>,
    ) -> Result<Option<Vec<String>>, QueryError> {
        let place = self.place(object.type_name, relation)?;
        let who = self.who(subject)?;
        let Some(object) = self.tuples.object(object) else {
            return Ok(None);
        };
        let mut walk = Walk {
            query: self,
            who,
            check: Check::new(self, who, self.budget.nodes),
            left: self.budget.nodes,
            open: Vec::new(),
            path: Vec::new(),
        };
        Ok(walk.relation(object, place)?.then_some(walk.path))
    }
}

struct Walk<'a, C> {
    query: &'a Query<'a, C>,
    who: Who,
    check: Check<'a, C>,
    /// Relations that may still be looked at.
    left: usize,
    /// What is being looked at: no way goes in a circle.
    open: Vec<(ObjectId, Place)>,
    path: Vec<String>,
}

impl<'a, C: Conditions> Walk<'a, C> {
    fn relation(&mut self, object: ObjectId, place: Place) -> Result<bool, Exceeded> {
        let again = self.open.contains(&(object, place));
        if again || self.left == 0 || self.check.truth(object, place)? != Truth::True {
            return Ok(false);
        }
        if self.who.itself == Some((object, place)) {
            return Ok(true);
        }
        let Some(node) = self.query.plan.node(place) else {
            return Ok(false);
        };
        self.left -= 1;
        self.open.push((object, place));
        let found = self.op(&node.op, object, node);
        self.open.pop();
        found
    }

    /// A part that leads nowhere leaves no step behind.
    fn op(&mut self, op: &'a Op, object: ObjectId, node: &'a Node) -> Result<bool, Exceeded> {
        let mark = self.path.len();
        let found = match op {
            Op::Direct => self.direct(object, node)?,
            Op::Computed(place) => self.relation(object, *place)?,
            Op::Through(tupleset, targets) => self.through(object, *tupleset, targets)?,
            Op::Union(parts) => {
                let mut found = false;
                for part in parts {
                    found = found || self.op(part, object, node)?;
                }
                found
            }
            Op::Intersection(parts) => {
                let mut found = true;
                for part in parts {
                    found = found && self.op(part, object, node)?;
                }
                found
            }
            Op::Exclusion(parts) => {
                self.op(&parts.0, object, node)? && self.excluded(&parts.1, object, node)?
            }
        };
        if !found {
            self.path.truncate(mark);
        }
        Ok(found)
    }

    /// Whether nothing is taken away here; that it is not is no step.
    fn excluded(&mut self, op: &'a Op, object: ObjectId, node: &'a Node) -> Result<bool, Exceeded> {
        if let Op::Computed(place) = op {
            return Ok(self.check.truth(object, *place)? == Truth::False);
        }
        let mark = self.path.len();
        let taken = self.op(op, object, node)?;
        self.path.truncate(mark);
        Ok(!taken)
    }

    fn direct(&mut self, object: ObjectId, node: &'a Node) -> Result<bool, Exceeded> {
        let tuples = self.query.tuples;
        let at = End::new(object, node.relation);
        for (end, kind) in [
            (Some(self.who.end), self.who.kind),
            (self.who.everyone, self.who.kind | WILDCARD),
        ] {
            let named = end.and_then(|end| Some((end, tuples.find(at, end)?)));
            let Some((end, limit)) = named else { continue };
            let (counts, _) = self.check.counts(node, kind, end.relation(), limit);
            if counts == Truth::True {
                self.step(at, end, limit);
                return Ok(true);
            }
        }
        for (end, kind, limit) in tuples.row(Way::Forward, at, true) {
            let (counts, target) = self.check.counts(node, kind, end.relation(), limit);
            if let (Truth::True, Some(target)) = (counts, target)
                && self.follow(at, end, limit, target)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn through(
        &mut self,
        object: ObjectId,
        tupleset: Place,
        targets: &'a [(Symbol, Place)],
    ) -> Result<bool, Exceeded> {
        let Some(naming) = self.query.plan.node(tupleset) else {
            return Ok(false);
        };
        let at = End::new(object, naming.relation);
        for (end, kind, limit) in self.query.tuples.row(Way::Forward, at, false) {
            let target = targets.iter().find(|(of, _)| *of == kind);
            let (counts, _) = self.check.counts(naming, kind, end.relation(), limit);
            if let (Truth::True, Some((_, target))) = (counts, target)
                && self.follow(at, end, limit, *target)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One step and everything behind it, or nothing.
    fn follow(
        &mut self,
        at: End,
        end: End,
        limit: Option<&Limit>,
        target: Place,
    ) -> Result<bool, Exceeded> {
        let mark = self.path.len();
        self.step(at, end, limit);
        let found = self.relation(end.object(), target)?;
        if !found {
            self.path.truncate(mark);
        }
        Ok(found)
    }

    fn step(&mut self, at: End, end: End, limit: Option<&Limit>) {
        let tuples = self.query.tuples;
        let mut step = format!("{}@{}", tuples.end_name(at), tuples.end_name(end));
        let condition = limit.map_or(NONE, |limit| limit.condition);
        if condition != NONE {
            step.push_str(" with ");
            step.push_str(tuples.symbols.name(condition));
        }
        self.path.push(step);
    }
}
