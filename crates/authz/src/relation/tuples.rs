//! The tuples of one store at one revision: a compact base and what changed since. A copy costs nothing and shares all
//! that is equal, so whoever holds one is not disturbed by later writes. Which tuples a model allows is the plan's.

use super::names::{NONE, ObjectId, Objecting, Objects, Symbol, Symbols, WILDCARD};
use super::segment::{Edge, End, Limit, Named, Segment, Way};
use super::{Context, Object, Subject, Tuple, TupleError, TupleKey};
use kernel::Timestamp;
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::Bound;
use std::sync::Arc;

/// What a change did to a tuple.
#[derive(Clone, PartialEq)]
enum Change {
    Put(Option<Arc<Limit>>),
    Gone,
}

type Delta = imbl::OrdMap<(End, End), Change>;

/// The tuples of one store at one revision.
#[derive(Clone)]
pub struct Tuples {
    pub(super) symbols: Symbols,
    pub(super) objects: Objects,
    base: Arc<Segment>,
    forward: Delta,
    reverse: Delta,
    count: usize,
}

impl Default for Tuples {
    fn default() -> Self {
        Self {
            symbols: Symbols::new(),
            objects: Objects::new(),
            base: Arc::default(),
            forward: Delta::new(),
            reverse: Delta::new(),
            count: 0,
        }
    }
}

/// Tuples that are being loaded, one after the other.
pub struct Loading {
    symbols: Symbols,
    objects: Objecting,
    edges: Vec<Edge>,
}

impl Default for Loading {
    fn default() -> Self {
        Self {
            symbols: Symbols::new(),
            objects: Objecting::default(),
            edges: Vec::new(),
        }
    }
}

impl Loading {
    /// Takes in one more.
    pub fn add(&mut self, tuple: &Tuple<'_>) -> Result<(), TupleError> {
        let Self {
            symbols, objects, ..
        } = self;
        let edge = edge(symbols, tuple, |kind, text| objects.intern(kind, text));
        self.edges.push(edge.ok_or(TupleError::Full)?);
        Ok(())
    }

    /// The tuples that were taken in; of two with the same key the later one stays.
    pub fn done(self) -> Result<Tuples, TupleError> {
        let Self {
            symbols,
            objects,
            edges,
        } = self;
        Tuples::based(symbols, objects.done(), edges).ok_or(TupleError::Full)
    }
}

/// Equal when they hold the same tuples, whatever their numbers are. It takes time in proportion to all of them.
impl PartialEq for Tuples {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.told() == other.told()
    }
}

impl Tuples {
    /// All tuples of a store at once; of two with the same key the later one stays.
    pub fn load<'a>(tuples: impl IntoIterator<Item = Tuple<'a>>) -> Result<Self, TupleError> {
        let mut loading = Loading::default();
        tuples.into_iter().try_for_each(|one| loading.add(&one))?;
        loading.done()
    }

    fn based(symbols: Symbols, objects: Objects, edges: Vec<Edge>) -> Option<Self> {
        let base = Segment::new(edges, objects.len(), |id| objects.kind(id))?;
        Some(Self {
            symbols,
            objects,
            count: base.len(),
            base: Arc::new(base),
            ..Self::default()
        })
    }

    /// The same tuples with everything in the base, and without the objects that no tuple names any more. Plans stay
    /// good for it. It takes time in proportion to all tuples; nobody who holds `self` waits.
    pub fn merged(&self) -> Result<Self, TupleError> {
        let mut objects = Objecting::default();
        let mut anew = |end: End| {
            let id = end.object();
            let id = objects.intern(self.objects.kind(id), self.objects.text(id))?;
            Some(End::new(id, end.relation()))
        };
        let mut edges = Vec::with_capacity(self.count);
        for (from, to, limit) in self.edges() {
            let ends = (anew(from), anew(to));
            let (Some(from), Some(to)) = ends else {
                return Err(TupleError::Full);
            };
            edges.push((from, to, limit.cloned()));
        }
        Self::based(self.symbols.clone(), objects.done(), edges).ok_or(TupleError::Full)
    }

    /// How many tuples there are, also those that do not count now.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no tuple.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many tuples changed since the base was made.
    pub fn changed(&self) -> usize {
        self.forward.len()
    }

    /// Bytes that the base takes in memory: its tuples in both directions without their conditions, and its objects.
    pub fn bytes(&self) -> (usize, usize) {
        (self.base.bytes(), self.objects.bytes())
    }

    /// How many objects the tuples name, or named since the last merge.
    pub fn objects(&self) -> usize {
        self.objects.len()
    }

    /// Adds a tuple, or puts it in the place of the one with the same key; says whether there was one.
    pub fn put(&mut self, tuple: &Tuple<'_>) -> Result<bool, TupleError> {
        let ends = (tuple.valid_from, tuple.valid_until);
        if matches!(ends, (Some(from), Some(until)) if until <= from) {
            return Err(TupleError::Empty);
        }
        let Self {
            symbols, objects, ..
        } = self;
        let edge = edge(symbols, tuple, |kind, text| objects.intern(kind, text));
        let (from, to, limit) = edge.ok_or(TupleError::Full)?;
        let replaced = self.find(from, to).is_some();
        self.change(from, to, Change::Put(limit));
        self.count += usize::from(!replaced);
        Ok(replaced)
    }

    /// Takes a tuple away; says whether it was there.
    pub fn remove(&mut self, key: &TupleKey<'_>) -> bool {
        let Some((from, to)) = self.ends(key) else {
            return false;
        };
        let there = self.find(from, to).is_some();
        if there {
            self.change(from, to, Change::Gone);
            self.count -= 1;
        }
        there
    }

    /// Whether there is a tuple with this key.
    pub fn contains(&self, key: &TupleKey<'_>) -> bool {
        let ends = self.ends(key);
        ends.is_some_and(|(from, to)| self.find(from, to).is_some())
    }

    fn change(&mut self, from: End, to: End, change: Change) {
        self.forward.insert((from, to), change.clone());
        self.reverse.insert((to, from), change);
    }

    fn ends(&self, key: &TupleKey<'_>) -> Option<(End, End)> {
        let from = End::new(self.object(key.object)?, self.symbols.get(key.relation)?);
        Some((from, self.subject(key.subject)?))
    }

    pub(super) fn object(&self, object: Object<'_>) -> Option<ObjectId> {
        self.objects
            .find(self.symbols.get(object.type_name)?, object.id)
    }

    pub(super) fn subject(&self, subject: Subject<'_>) -> Option<End> {
        Some(match subject {
            Subject::Object(object) => End::new(self.object(object)?, NONE),
            Subject::Wildcard(of) => End::new(self.wildcard(self.symbols.get(of)?)?, NONE),
            Subject::Userset(object, relation) => {
                End::new(self.object(object)?, self.symbols.get(relation)?)
            }
        })
    }

    /// The number that stands for all objects of a type, if any tuple names them.
    pub(super) fn wildcard(&self, of: Symbol) -> Option<ObjectId> {
        self.objects.find(of | WILDCARD, "")
    }

    /// A tuple from one end to the other.
    pub(super) fn find(&self, from: End, to: End) -> Option<Option<&Limit>> {
        if !self.forward.is_empty() {
            match self.forward.get(&(from, to)) {
                Some(Change::Put(limit)) => return Some(limit.as_deref()),
                Some(Change::Gone) => return None,
                None => {}
            }
        }
        let found = self.base.find(from, to)?;
        Some(found.map(AsRef::as_ref))
    }

    /// The ends that tuples lead to; only usersets if so asked.
    pub(super) fn row(
        &self,
        way: Way,
        from: End,
        usersets: bool,
    ) -> impl Iterator<Item = Named<&Limit>> {
        let delta = match way {
            Way::Forward => &self.forward,
            Way::Reverse => &self.reverse,
        };
        let fresh = delta.is_empty();
        let base = self.base.row(way, from, usersets);
        let base = base.filter(move |(to, ..)| fresh || !delta.contains_key(&(from, *to)));
        let first = End::new(0, Symbol::from(usersets));
        let range = (
            Bound::Included((from, first)),
            Bound::Included((from, End::MAX)),
        );
        // In a box, because the range is large and a store that was merged just now has none.
        let since = (!fresh).then(|| Box::new(delta.range(range)));
        let since = since.into_iter().flatten();
        let since = since.filter_map(|((_, to), change)| match change {
            Change::Put(limit) => Some((*to, self.objects.kind(to.object()), limit.as_deref())),
            Change::Gone => None,
        });
        base.map(|(to, kind, limit)| (to, kind, limit.map(AsRef::as_ref)))
            .chain(since)
    }

    fn edges(&self) -> impl Iterator<Item = (End, End, Option<&Arc<Limit>>)> {
        let base = self.base.edges();
        let base = base.filter(|(from, to, _)| !self.forward.contains_key(&(*from, *to)));
        let since = self
            .forward
            .iter()
            .filter_map(|((from, to), change)| match change {
                Change::Put(limit) => Some((*from, *to, limit.as_ref())),
                Change::Gone => None,
            });
        base.chain(since)
    }

    /// Every tuple by its names, with what limits it.
    fn told(&self) -> BTreeMap<(String, String), Option<Told>> {
        let told = |(from, to, limit): (End, End, Option<&Arc<Limit>>)| {
            let limit = limit.map(|limit| Told {
                condition: self.symbols.name(limit.condition).to_owned(),
                context: limit.context.clone(),
                times: (limit.valid_from, limit.valid_until),
            });
            ((self.end_name(from), self.end_name(to)), limit)
        };
        self.edges().map(told).collect()
    }

    /// The ids of objects of a type that tuples name, or named since the last merge: the first `most` after one, in
    /// order. It takes time in proportion to all objects.
    pub fn ids(&self, of: &str, after: Option<&str>, most: usize) -> Vec<String> {
        let Some(kind) = self.symbols.get(of) else {
            return Vec::new();
        };
        let mut first = BinaryHeap::new();
        let objects = (0..).take(self.objects.len());
        for id in objects.filter(|id| self.objects.kind(*id) == kind) {
            let text = self.objects.text(id);
            if after.is_none_or(|after| text > after) {
                first.push(text);
                if first.len() > most {
                    first.pop();
                }
            }
        }
        let first = first.into_sorted_vec();
        first.into_iter().map(str::to_owned).collect()
    }

    /// `document:1`, or `user:*`.
    pub(super) fn object_name(&self, id: ObjectId) -> String {
        let kind = self.objects.kind(id);
        let of = self.symbols.name(kind & !WILDCARD);
        match kind & WILDCARD {
            0 => format!("{of}:{}", self.objects.text(id)),
            _ => format!("{of}:*"),
        }
    }

    /// `document:1` or `document:1#viewer`.
    pub(super) fn end_name(&self, end: End) -> String {
        let object = self.object_name(end.object());
        match end.relation() {
            NONE => object,
            relation => format!("{object}#{}", self.symbols.name(relation)),
        }
    }
}

/// What limits a tuple, by name.
#[derive(PartialEq)]
struct Told {
    condition: String,
    context: Option<Arc<Context>>,
    times: (Option<Timestamp>, Option<Timestamp>),
}

fn edge(
    symbols: &mut Symbols,
    tuple: &Tuple<'_>,
    mut object: impl FnMut(Symbol, &str) -> Option<ObjectId>,
) -> Option<Edge> {
    let mut id =
        |symbols: &mut Symbols, of: Object<'_>| object(symbols.intern(of.type_name)?, of.id);
    let from = id(symbols, tuple.key.object)?;
    let from = End::new(from, symbols.intern(tuple.key.relation)?);
    let to = match tuple.key.subject {
        Subject::Object(of) => End::new(id(symbols, of)?, NONE),
        Subject::Userset(of, relation) => End::new(id(symbols, of)?, symbols.intern(relation)?),
        Subject::Wildcard(of) => {
            let of = symbols.intern(of)?;
            End::new(object(of | WILDCARD, "")?, NONE)
        }
    };
    let condition = match tuple.condition {
        Some(name) => symbols.intern(name)?,
        None => NONE,
    };
    let limit = Limit {
        condition,
        context: tuple.context.clone(),
        valid_from: tuple.valid_from,
        valid_until: tuple.valid_until,
    };
    let limited = condition != NONE || limit.valid_from.is_some() || limit.valid_until.is_some();
    Some((from, to, limited.then(|| Arc::new(limit))))
}
