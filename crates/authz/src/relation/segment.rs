//! Tuples that do not change any more, as sorted rows of numbers in both directions: from an object's relation to who
//! is named in it, and from who is named to where. Conditions and times stand beside the few rows that have them.

use super::Context;
use super::names::{ObjectId, Symbol};
use hashbrown::HashMap;
use kernel::Timestamp;
use std::sync::Arc;

/// One end of a tuple: an object, and a relation of it unless the end is the object itself. Ordered by relation first,
/// so that within a row the usersets come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct End(u64);

// From the highest bit: the relation (15), the object (32), and in a row the object's kind (16) and whether the tuple
// has a limit (1), so that a row alone says what a check needs of those it names.
const RELATION: u32 = 49;
const OBJECT: u32 = 17;
const KIND: u32 = 1;
const LIMITED: u64 = 1;

impl End {
    /// The last end there can be.
    pub(super) const MAX: Self = Self(u64::MAX);

    pub(super) const fn new(object: ObjectId, relation: Symbol) -> Self {
        Self(((relation as u64) << RELATION) | ((object as u64) << OBJECT))
    }
    pub(super) const fn object(self) -> ObjectId {
        ((self.0 >> OBJECT) & 0xffff_ffff) as ObjectId
    }
    pub(super) const fn relation(self) -> Symbol {
        (self.0 >> RELATION) as Symbol
    }
    const fn kind(self) -> Symbol {
        ((self.0 >> KIND) & 0xffff) as Symbol
    }
    const fn limited(self) -> bool {
        self.0 & LIMITED != 0
    }
    const fn bare(self) -> Self {
        Self(self.0 >> OBJECT << OBJECT)
    }
    const fn stored(self, kind: Symbol, limited: bool) -> Self {
        Self(self.0 | ((kind as u64) << KIND) | limited as u64)
    }
    /// What stands before a row: its relation and how many ends follow.
    const fn header(relation: Symbol, length: u64) -> Self {
        Self(((relation as u64) << RELATION) | length)
    }
    const fn length(self) -> usize {
        (self.0 & ((1 << RELATION) - 1)) as usize
    }
}

/// What limits a tuple.
#[derive(Debug, PartialEq)]
pub(super) struct Limit {
    /// The condition under which it counts.
    pub condition: Symbol,
    pub context: Option<Arc<Context>>,
    pub valid_from: Option<Timestamp>,
    pub valid_until: Option<Timestamp>,
}

/// A tuple as numbers: the object's relation, who is named, and what limits it.
pub(super) type Edge = (End, End, Option<Arc<Limit>>);

/// One direction. What belongs to an object lies together, so that a look costs two reads of far memory.
#[derive(Default)]
struct Side {
    /// By object: where its rows begin; one more at the end.
    objects: Vec<u32>,
    /// The rows, each behind its header.
    rows: Vec<End>,
}

impl Side {
    /// From pairs in order of the first end's object, its relation and the second end.
    fn new(pairs: &[(End, End)], objects: usize) -> Self {
        let mut side = Self::default();
        let chunks = || pairs.chunk_by(|(a, _), (b, _)| a == b);
        side.rows.reserve_exact(pairs.len() + chunks().count());
        side.objects.reserve_exact(objects + 1);
        for row in chunks() {
            let Some((from, _)) = row.first() else {
                continue;
            };
            let object = from.object() as usize;
            if side.objects.len() <= object {
                side.objects.resize(object + 1, count(side.rows.len()));
            }
            side.rows
                .push(End::header(from.relation(), row.len() as u64));
            side.rows.extend(row.iter().map(|(_, to)| to));
        }
        side.objects.resize(objects + 1, count(side.rows.len()));
        side
    }

    /// The rows of an object, each with its relation.
    fn of(&self, object: ObjectId) -> impl Iterator<Item = (Symbol, &[End])> {
        let object = object as usize;
        let at = |i: usize| self.objects.get(i).map(|at| *at as usize);
        let range = at(object).zip(at(object + 1));
        let mut rest = range
            .and_then(|(from, to)| self.rows.get(from..to))
            .unwrap_or_default();
        std::iter::from_fn(move || {
            let (header, after) = rest.split_first()?;
            let (row, after) = after.split_at_checked(header.length())?;
            rest = after;
            Some((header.relation(), row))
        })
    }

    fn row(&self, from: End) -> &[End] {
        let mut rows = self.of(from.object());
        let found = rows.find(|(relation, _)| *relation == from.relation());
        found.map_or(&[], |(_, row)| row)
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.objects) + size_of_val(&*self.rows)
    }
}

/// A segment is refused before it holds more tuples than this can count.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Who is named by a tuple of a row: the end, the kind of its object, and what limits the tuple.
pub(super) type Named<L> = (End, Symbol, Option<L>);

/// Which way to look at tuples.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From an object's relation to who is named in it.
    Forward,
    /// From who is named to the objects' relations.
    Reverse,
}

/// Tuples that do not change any more.
#[derive(Default)]
pub(super) struct Segment {
    forward: Side,
    reverse: Side,
    limits: HashMap<(End, End), Arc<Limit>>,
    tuples: usize,
}

impl Segment {
    /// From tuples in any order; of two with the same ends the later one stays. None when there are too many.
    pub(super) fn new(
        mut edges: Vec<Edge>,
        objects: usize,
        kind: impl Fn(ObjectId) -> Symbol,
    ) -> Option<Self> {
        // A row takes a header and its ends.
        u32::try_from(2 * edges.len()).ok()?;
        let by = |from: End, to: End| (from.object(), from.relation(), to);
        edges.reverse();
        edges.sort_by_key(|(from, to, _)| by(*from, *to));
        edges.dedup_by_key(|(from, to, _)| (*from, *to));
        let tuples = edges.len();
        let stored = |to: End, limit: &Option<_>| to.stored(kind(to.object()), limit.is_some());
        let pairs: Vec<_> = edges
            .iter()
            .map(|(from, to, limit)| (*from, stored(*to, limit)))
            .collect();
        let forward = Side::new(&pairs, objects);
        edges.sort_unstable_by_key(|(from, to, _)| by(*to, *from));
        let pairs: Vec<_> = edges
            .iter()
            .map(|(from, to, limit)| (*to, stored(*from, limit)))
            .collect();
        let reverse = Side::new(&pairs, objects);
        let limited = edges
            .into_iter()
            .filter_map(|(from, to, limit)| Some(((from, to), limit?)));
        let mut limits: HashMap<_, _> = limited.collect();
        limits.shrink_to_fit();
        Some(Self {
            forward,
            reverse,
            limits,
            tuples,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.tuples
    }

    /// What the rows take in memory, without what limits them.
    pub(super) fn bytes(&self) -> usize {
        self.forward.bytes() + self.reverse.bytes()
    }

    fn limit(&self, way: Way, from: End, to: End) -> Option<&Arc<Limit>> {
        if !to.limited() {
            return None;
        }
        self.limits.get(&match way {
            Way::Forward => (from, to.bare()),
            Way::Reverse => (to.bare(), from),
        })
    }

    /// A tuple from one end to the other.
    pub(super) fn find(&self, from: End, to: End) -> Option<Option<&Arc<Limit>>> {
        let row = self.forward.row(from);
        let place = row.binary_search_by_key(&to, |one| one.bare()).ok()?;
        Some(self.limit(Way::Forward, from, *row.get(place)?))
    }

    /// The ends that a row leads to, in order; only usersets if so asked.
    pub(super) fn row(
        &self,
        way: Way,
        from: End,
        usersets: bool,
    ) -> impl Iterator<Item = Named<&Arc<Limit>>> {
        let row = match way {
            Way::Forward => self.forward.row(from),
            Way::Reverse => self.reverse.row(from),
        };
        let skipped = match usersets {
            true => row.partition_point(|to| to.relation() == 0),
            false => 0,
        };
        let row = row.get(skipped..).unwrap_or_default().iter();
        row.map(move |to| (to.bare(), to.kind(), self.limit(way, from, *to)))
    }

    /// Every tuple.
    pub(super) fn edges(&self) -> impl Iterator<Item = (End, End, Option<&Arc<Limit>>)> {
        let objects = 0..count(self.forward.objects.len()).saturating_sub(1);
        let froms = objects.flat_map(|object| {
            let rows = self.forward.of(object);
            rows.map(move |(relation, row)| (End::new(object, relation), row))
        });
        froms.flat_map(move |(from, row)| {
            row.iter()
                .map(move |to| (from, to.bare(), self.limit(Way::Forward, from, *to)))
        })
    }
}
