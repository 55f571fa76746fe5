//! Whether one subject is in relations of objects: depth first along the plan, with what was found remembered for as
//! long as the subject is asked about.
//!
//! Circles. A relation that is still being looked at counts as false when it is met again. What is found with the help
//! of such an assumption is *provisional*: it is used again only while the assumption stands, becomes final when the
//! relation at the head of the circle turns out false, and is forgotten when it turns out otherwise. A true is final at
//! once, because assuming false only ever makes less true: what is taken away never leads back to what is being looked
//! at, since a model with recursion through exclusion is refused. One look at a head suffices: its truth is the least
//! solution of x = b ∨ (a ∧ x), which is b.

use super::memo::{Memo, Memory};
use super::names::{NONE, ObjectId, Symbol};
use super::plan::{Node, Op, Place, Plan};
use super::segment::{End, Limit, Way};
use super::{Conditions, Exceeded, Holds, Query, Truth, Unsettled};
use smallvec::SmallVec;
use std::borrow::Cow;

/// A truth, and the shallowest open relation that it assumed something about.
type Found = (Truth, u32);

/// Nothing was assumed.
const SETTLED: u32 = u32::MAX;

/// The subject of a question as numbers.
#[derive(Clone, Copy)]
pub(super) struct Who {
    pub end: End,
    pub kind: Symbol,
    /// All objects of its type, when it is one of them and some tuple names them.
    pub everyone: Option<End>,
    /// The relation that it is the userset of.
    pub itself: Option<(ObjectId, Place)>,
}

/// One subject and all that was found out about it.
pub(super) struct Check<'a, C> {
    query: &'a Query<'a, C>,
    who: Who,
    relevant: Cow<'a, [bool]>,
    memo: Memory,
    /// The provisional ones, in the order of their finding, each with the shallowest that it assumed something about.
    trail: Vec<(u64, Truth, u32)>,
    /// The shallowest assumption of any on the trail.
    assumed: u32,
    open: SmallVec<[End; 16]>,
    level: u32,
    visited: usize,
    allowance: usize,
    /// Why something was unknown.
    pub unsettled: Unsettled,
}

impl<'a, C: Conditions> Check<'a, C> {
    pub(super) fn new(query: &'a Query<'a, C>, who: Who, allowance: usize) -> Self {
        let plan: &'a Plan = query.plan;
        let relevant = match who.end.relation() {
            NONE => Cow::Borrowed(
                plan.relevant(who.kind & !super::names::WILDCARD)
                    .unwrap_or(&[]),
            ),
            relation => Cow::Owned(plan.relevant_userset(who.kind, relation).into_vec()),
        };
        Self {
            query,
            who,
            relevant,
            memo: Memory::default(),
            trail: Vec::new(),
            assumed: SETTLED,
            open: SmallVec::new(),
            level: 0,
            visited: 0,
            allowance,
            unsettled: Unsettled::default(),
        }
    }

    /// The same with another subject of the same kind; what was spent stays spent.
    pub(super) fn turn(&mut self, who: Who) {
        self.who = who;
        self.memo.clear();
        self.unsettled = Unsettled::default();
    }

    /// Whether the subject is in a relation of an object.
    pub(super) fn truth(&mut self, object: ObjectId, place: Place) -> Result<Truth, Exceeded> {
        Ok(self.node(object, place)?.0)
    }

    fn node(&mut self, object: ObjectId, place: Place) -> Result<Found, Exceeded> {
        let relevant = self.relevant.get(place as usize).copied();
        let Some(node) = self
            .query
            .plan
            .node(place)
            .filter(|_| relevant == Some(true))
        else {
            return Ok((Truth::False, SETTLED));
        };
        if self.who.itself == Some((object, place)) {
            return Ok((Truth::True, SETTLED));
        }
        self.visit(object, node)?;
        if node.leaf {
            return self.direct(object, node);
        }
        let key = u64::from(object) << 32 | u64::from(place);
        match self.memo.get(key) {
            Some(Memo::Final(truth)) => return Ok((truth, SETTLED)),
            Some(Memo::Provisional(truth)) => return Ok((truth, self.assumed)),
            Some(Memo::Open(depth)) => return Ok((Truth::False, depth)),
            None => {}
        }
        self.deeper(object, node)?;
        let depth = u32::try_from(self.open.len()).unwrap_or(SETTLED);
        let mark = self.trail.len();
        self.memo.insert(key, Memo::Open(depth));
        self.open.push(End::new(object, node.relation));
        let found = self.rewrite(&node.op, object, node)?;
        self.open.pop();
        self.level -= 1;
        Ok(self.settle(key, depth, mark, found))
    }

    fn settle(&mut self, key: u64, depth: u32, mark: usize, (truth, assumed): Found) -> Found {
        if truth != Truth::False {
            // What was found while this counted as false.
            for (key, ..) in self.trail.drain(mark..) {
                self.memo.remove(key);
            }
        }
        if truth != Truth::True && assumed < depth {
            self.trail.push((key, truth, assumed));
            self.memo.insert(key, Memo::Provisional(truth));
            self.assumed = self.assumed.min(assumed);
            return (truth, assumed);
        }
        self.memo.insert(key, Memo::Final(truth));
        // This may be false for a reason of its own, while what was found on the way still assumes something.
        let since = self.trail.get(mark..).unwrap_or_default();
        if since.iter().all(|(_, _, assumed)| *assumed >= depth) {
            for (key, truth, _) in self.trail.drain(mark..) {
                self.memo.insert(key, Memo::Final(truth));
            }
        }
        if self.trail.is_empty() {
            self.assumed = SETTLED;
        }
        (truth, SETTLED)
    }

    fn rewrite(&mut self, op: &'a Op, object: ObjectId, node: &'a Node) -> Result<Found, Exceeded> {
        match op {
            Op::Direct => self.direct(object, node),
            Op::Computed(place) => self.node(object, *place),
            Op::Through(tupleset, targets) => self.through(object, *tupleset, targets),
            Op::Union(parts) => self.union(parts, object, node),
            Op::Intersection(parts) => self.intersection(parts, object, node),
            Op::Exclusion(parts) => self.exclusion(&parts.0, &parts.1, object, node),
        }
    }

    fn part(&mut self, op: &'a Op, object: ObjectId, node: &'a Node) -> Result<Found, Exceeded> {
        if !matches!(op, Op::Union(_) | Op::Intersection(_) | Op::Exclusion(_)) {
            return self.rewrite(op, object, node);
        }
        self.deeper(object, node)?;
        let found = self.rewrite(op, object, node);
        self.level -= 1;
        found
    }

    fn union(
        &mut self,
        parts: &'a [Op],
        object: ObjectId,
        node: &'a Node,
    ) -> Result<Found, Exceeded> {
        let mut found = (Truth::False, SETTLED);
        for part in parts {
            let (truth, assumed) = self.part(part, object, node)?;
            found = (found.0.or(truth), found.1.min(assumed));
            if truth == Truth::True {
                return Ok((Truth::True, SETTLED));
            }
        }
        Ok(found)
    }

    fn intersection(
        &mut self,
        parts: &'a [Op],
        object: ObjectId,
        node: &'a Node,
    ) -> Result<Found, Exceeded> {
        let mut found = (Truth::True, SETTLED);
        for part in parts {
            let (truth, assumed) = self.part(part, object, node)?;
            found = (found.0.and(truth), found.1.min(assumed));
            if truth == Truth::False {
                return Ok((Truth::False, assumed));
            }
        }
        Ok(found)
    }

    fn exclusion(
        &mut self,
        base: &'a Op,
        subtract: &'a Op,
        object: ObjectId,
        node: &'a Node,
    ) -> Result<Found, Exceeded> {
        let (base, assumed) = self.part(base, object, node)?;
        if base == Truth::False {
            return Ok((base, assumed));
        }
        let (subtract, below) = self.part(subtract, object, node)?;
        Ok((base.and(subtract.negated()), assumed.min(below)))
    }

    /// The tuples of a relation that name the subject, everyone, or a userset that the subject is in.
    fn direct(&mut self, object: ObjectId, node: &'a Node) -> Result<Found, Exceeded> {
        let at = End::new(object, node.relation);
        let tuples = self.query.tuples;
        let mut found = (Truth::False, SETTLED);
        for (end, kind) in [
            (Some(self.who.end), self.who.kind),
            (self.who.everyone, self.who.kind | super::names::WILDCARD),
        ] {
            let Some(limit) = end.and_then(|end| tuples.find(at, end)) else {
                continue;
            };
            let relation = end.map_or(NONE, End::relation);
            found.0 = found.0.or(self.counts(node, kind, relation, limit).0);
        }
        if found.0 == Truth::True || !node.usersets {
            return Ok(found);
        }
        for (end, kind, limit) in tuples.row(Way::Forward, at, true) {
            let (counts, Some(target)) = self.counts(node, kind, end.relation(), limit) else {
                continue;
            };
            if counts == Truth::False {
                continue;
            }
            let (truth, assumed) = self.node(end.object(), target)?;
            found = (found.0.or(truth.and(counts)), found.1.min(assumed));
            if found.0 == Truth::True {
                return Ok((Truth::True, SETTLED));
            }
        }
        Ok(found)
    }

    fn through(
        &mut self,
        object: ObjectId,
        tupleset: Place,
        targets: &'a [(Symbol, Place)],
    ) -> Result<Found, Exceeded> {
        let mut found = (Truth::False, SETTLED);
        let Some(naming) = self.query.plan.node(tupleset) else {
            return Ok(found);
        };
        let tuples = self.query.tuples;
        for (end, kind, limit) in tuples.row(Way::Forward, End::new(object, naming.relation), false)
        {
            let Some((_, target)) = targets.iter().find(|(of, _)| *of == kind) else {
                continue;
            };
            let (counts, _) = self.counts(naming, kind, end.relation(), limit);
            if counts == Truth::False {
                continue;
            }
            let (truth, assumed) = self.node(end.object(), *target)?;
            found = (found.0.or(truth.and(counts)), found.1.min(assumed));
            if found.0 == Truth::True {
                return Ok((Truth::True, SETTLED));
            }
        }
        Ok(found)
    }

    /// Whether a tuple counts that names such a subject, and the plan of the userset it names.
    pub(super) fn counts(
        &mut self,
        node: &Node,
        kind: Symbol,
        relation: Symbol,
        limit: Option<&Limit>,
    ) -> (Truth, Option<Place>) {
        let condition = limit.map_or(NONE, |limit| limit.condition);
        let Some(allowed) = node.admit(kind, relation, condition) else {
            return (Truth::False, None);
        };
        let truth = limit.map_or(Truth::True, |limit| self.holds(limit));
        (truth, allowed.target)
    }

    fn holds(&mut self, limit: &Limit) -> Truth {
        let now = self.query.now;
        let begun = limit.valid_from.is_none_or(|from| from <= now);
        if !begun || limit.valid_until.is_some_and(|until| until <= now) {
            return Truth::False;
        }
        if limit.condition == NONE {
            return Truth::True;
        }
        let name = self.query.tuples.symbols.name(limit.condition);
        match self.query.conditions.holds(name, limit.context.as_deref()) {
            Holds::Yes => Truth::True,
            Holds::No => Truth::False,
            Holds::Missing(parameters) => {
                self.unsettled.missing.extend(parameters);
                Truth::Unknown
            }
            Holds::Failed(failure) => {
                self.unsettled.failed.insert(failure);
                Truth::Unknown
            }
        }
    }

    /// Counts a relation of an object that is looked at.
    pub(super) fn visit(&mut self, object: ObjectId, node: &Node) -> Result<(), Exceeded> {
        self.visited += 1;
        if self.visited > self.allowance {
            return Err(self.exceeded(object, node, |chain| Exceeded::Nodes(self.allowance, chain)));
        }
        Ok(())
    }

    fn deeper(&mut self, object: ObjectId, node: &Node) -> Result<(), Exceeded> {
        let depth = self.query.budget.depth;
        if self.level as usize >= depth {
            return Err(self.exceeded(object, node, |chain| Exceeded::Depth(depth, chain)));
        }
        self.level += 1;
        Ok(())
    }

    fn exceeded(
        &self,
        object: ObjectId,
        node: &Node,
        how: impl Fn(Vec<String>) -> Exceeded,
    ) -> Exceeded {
        let open = self.open.iter().copied();
        let chain = open.chain([End::new(object, node.relation)]);
        how(chain.map(|end| self.query.tuples.end_name(end)).collect())
    }
}
