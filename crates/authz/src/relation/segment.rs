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

/// In a row: the tuple has a [`Limit`].
const LIMITED: u64 = 1;

impl End {
    /// The last end there can be.
    pub(super) const MAX: Self = Self(u64::MAX);

    pub(super) const fn new(object: ObjectId, relation: Symbol) -> Self {
        Self(((relation as u64) << 48) | ((object as u64) << 16))
    }
    pub(super) const fn object(self) -> ObjectId {
        ((self.0 >> 16) & 0xffff_ffff) as ObjectId
    }
    pub(super) const fn relation(self) -> Symbol {
        (self.0 >> 48) as Symbol
    }
    const fn limited(self) -> bool {
        self.0 & LIMITED != 0
    }
    const fn bare(self) -> Self {
        Self(self.0 & !LIMITED)
    }
    const fn marked(self, limited: bool) -> Self {
        Self(self.0 | limited as u64)
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

#[derive(Default)]
struct Side {
    /// By object: where its relations begin in the two lists that follow; one more at the end.
    objects: Vec<u32>,
    relations: Vec<Symbol>,
    /// Where the row of a relation begins; one more at the end.
    rows: Vec<u32>,
    ends: Vec<End>,
}

impl Side {
    /// From pairs in order of the first end's object, its relation and the second end.
    fn new(pairs: impl ExactSizeIterator<Item = (End, End)>, objects: usize) -> Self {
        let mut side = Self::default();
        side.ends.reserve_exact(pairs.len());
        side.objects.reserve_exact(objects + 1);
        let mut last = None;
        for (from, to) in pairs {
            if last != Some(from) {
                let at = count(side.relations.len());
                side.objects.resize(from.object() as usize + 1, at);
                side.relations.push(from.relation());
                side.rows.push(count(side.ends.len()));
                last = Some(from);
            }
            side.ends.push(to);
        }
        side.objects
            .resize(objects + 1, count(side.relations.len()));
        side.rows.push(count(side.ends.len()));
        side.relations.shrink_to_fit();
        side.rows.shrink_to_fit();
        side
    }

    fn row(&self, from: End) -> &[End] {
        self.find(from).unwrap_or_default()
    }

    fn find(&self, from: End) -> Option<&[End]> {
        let object = from.object() as usize;
        let (first, last) = (
            *self.objects.get(object)? as usize,
            *self.objects.get(object + 1)? as usize,
        );
        let relation = from.relation();
        let place = self
            .relations
            .get(first..last)?
            .iter()
            .position(|one| *one == relation)?;
        let row = first + place;
        self.ends
            .get(*self.rows.get(row)? as usize..*self.rows.get(row + 1)? as usize)
    }
}

/// A segment is refused before it holds more tuples than this can count.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

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
}

impl Segment {
    /// From tuples in any order; of two with the same ends the later one stays. None when there are too many.
    pub(super) fn new(mut edges: Vec<Edge>, objects: usize) -> Option<Self> {
        u32::try_from(edges.len()).ok()?;
        let by = |from: End, to: End| (from.object(), from.relation(), to);
        edges.reverse();
        edges.sort_by_key(|(from, to, _)| by(*from, *to));
        edges.dedup_by_key(|(from, to, _)| (*from, *to));
        let pair = |(from, to, limit): &Edge| (*from, to.marked(limit.is_some()));
        let forward = Side::new(edges.iter().map(pair), objects);
        edges.sort_unstable_by_key(|(from, to, _)| by(*to, *from));
        let pair = |(from, to, limit): &Edge| (*to, from.marked(limit.is_some()));
        let reverse = Side::new(edges.iter().map(pair), objects);
        let limited = edges
            .into_iter()
            .filter_map(|(from, to, limit)| Some(((from, to), limit?)));
        let mut limits: HashMap<_, _> = limited.collect();
        limits.shrink_to_fit();
        Some(Self {
            forward,
            reverse,
            limits,
        })
    }

    pub(super) fn len(&self) -> usize {
        self.forward.ends.len()
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
    ) -> impl Iterator<Item = (End, Option<&Arc<Limit>>)> {
        let row = match way {
            Way::Forward => self.forward.row(from),
            Way::Reverse => self.reverse.row(from),
        };
        let skipped = match usersets {
            true => row.partition_point(|to| to.relation() == 0),
            false => 0,
        };
        let row = row.get(skipped..).unwrap_or_default().iter();
        row.map(move |to| (to.bare(), self.limit(way, from, *to)))
    }

    /// Every tuple.
    pub(super) fn edges(&self) -> impl Iterator<Item = (End, End, Option<&Arc<Limit>>)> {
        let side = &self.forward;
        let objects = 0..count(side.objects.len()).saturating_sub(1);
        objects.flat_map(move |object| {
            let at = |i: u32| side.objects.get(i as usize).map_or(0, |at| *at as usize);
            let relations = side
                .relations
                .get(at(object)..at(object + 1))
                .unwrap_or_default();
            let froms = relations
                .iter()
                .map(move |relation| End::new(object, *relation));
            froms.flat_map(move |from| {
                self.row(Way::Forward, from, false)
                    .map(move |(to, limit)| (from, to, limit))
            })
        })
    }
}
