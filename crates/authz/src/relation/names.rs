//! Names as numbers. Types, relations and conditions become symbols, objects become ids; each number keeps its meaning
//! as long as the store's snapshots descend from one another. Nothing is ever compared but bytes.

use hashbrown::{DefaultHashBuilder, HashTable};
use kernel::limits::RELATION_SYMBOLS;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use std::sync::Arc;

/// The number of a type, a relation or a condition. Zero is none.
pub(super) type Symbol = u16;

/// The number of an object.
pub(super) type ObjectId = u32;

/// No symbol.
pub(super) const NONE: Symbol = 0;

/// Set in a kind: not one object of the type but all of them.
pub(super) const WILDCARD: Symbol = 0x8000;

/// The names of a store's models.
#[derive(Clone)]
pub(super) struct Symbols {
    ids: imbl::HashMap<Arc<str>, Symbol>,
    names: imbl::Vector<Arc<str>>,
    origin: Arc<()>,
}

impl Symbols {
    pub(super) fn new() -> Self {
        Self {
            ids: imbl::HashMap::new(),
            names: std::iter::once(Arc::from("")).collect(),
            origin: Arc::new(()),
        }
    }

    /// Whether both number the names of one store.
    pub(super) fn akin(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.origin, &other.origin)
    }

    pub(super) fn get(&self, name: &str) -> Option<Symbol> {
        self.ids.get(name).copied()
    }

    /// The symbol of a name, a new one if need be; none when the store knows too many.
    pub(super) fn intern(&mut self, name: &str) -> Option<Symbol> {
        if let Some(known) = self.get(name) {
            return Some(known);
        }
        let id = Symbol::try_from(self.names.len()).ok()?;
        if self.names.len() > RELATION_SYMBOLS {
            return None;
        }
        let name: Arc<str> = Arc::from(name);
        self.names.push_back(Arc::clone(&name));
        self.ids.insert(name, id);
        Some(id)
    }

    pub(super) fn name(&self, symbol: Symbol) -> &str {
        self.names.get(usize::from(symbol)).map_or("", |name| name)
    }
}

/// Objects that do not change any more: one text, and a table of numbers into it.
#[derive(Default)]
struct Arena {
    kinds: Vec<Symbol>,
    /// Where each id ends in the text.
    ends: Vec<u32>,
    text: String,
    table: HashTable<ObjectId>,
}

impl Arena {
    fn id_text(&self, id: ObjectId) -> Option<&str> {
        let id = id as usize;
        let end = *self.ends.get(id)? as usize;
        let start = match id.checked_sub(1) {
            Some(before) => *self.ends.get(before)? as usize,
            None => 0,
        };
        self.text.get(start..end)
    }

    fn kind(&self, id: ObjectId) -> Option<Symbol> {
        self.kinds.get(id as usize).copied()
    }

    fn find(&self, hash: u64, kind: Symbol, text: &str) -> Option<ObjectId> {
        let same = |id: &ObjectId| self.kind(*id) == Some(kind) && self.id_text(*id) == Some(text);
        self.table.find(hash, same).copied()
    }
}

/// The objects of a store: an arena and what came since.
#[derive(Clone)]
pub(super) struct Objects {
    hasher: DefaultHashBuilder,
    base: Arc<Arena>,
    added: imbl::Vector<(Symbol, Arc<str>)>,
    index: imbl::HashMap<u64, SmallVec<[ObjectId; 1]>>,
}

impl Objects {
    pub(super) fn new() -> Self {
        Objecting::default().done()
    }

    pub(super) fn len(&self) -> usize {
        self.base.kinds.len() + self.added.len()
    }

    /// What the base takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let Arena {
            kinds,
            ends,
            text,
            table,
        } = &*self.base;
        size_of_val(&**kinds) + size_of_val(&**ends) + text.len() + table.allocation_size()
    }

    fn since(&self, id: ObjectId) -> Option<&(Symbol, Arc<str>)> {
        self.added
            .get((id as usize).checked_sub(self.base.kinds.len())?)
    }

    /// The number of `kind` and the text of its id; for a wildcard the text is empty.
    pub(super) fn find(&self, kind: Symbol, text: &str) -> Option<ObjectId> {
        let hash = self.hasher.hash_one((kind, text));
        let found = self.base.find(hash, kind, text);
        if found.is_some() || self.index.is_empty() {
            return found;
        }
        let same = |id: &&ObjectId| {
            self.since(**id)
                .is_some_and(|(k, t)| *k == kind && **t == *text)
        };
        self.index.get(&hash)?.iter().find(same).copied()
    }

    pub(super) fn intern(&mut self, kind: Symbol, text: &str) -> Option<ObjectId> {
        if let Some(known) = self.find(kind, text) {
            return Some(known);
        }
        // The two highest numbers are for objects that a question names and the store does not know.
        let id = ObjectId::try_from(self.len())
            .ok()
            .filter(|id| *id < ObjectId::MAX - 1)?;
        let hash = self.hasher.hash_one((kind, text));
        self.added.push_back((kind, Arc::from(text)));
        self.index.entry(hash).or_default().push(id);
        Some(id)
    }

    /// The type of an object, with [`WILDCARD`] for all objects of a type.
    pub(super) fn kind(&self, id: ObjectId) -> Symbol {
        let base = self.base.kind(id);
        base.unwrap_or_else(|| self.since(id).map_or(NONE, |(kind, _)| *kind))
    }

    /// The id's text; empty for a wildcard.
    pub(super) fn text(&self, id: ObjectId) -> &str {
        let base = self.base.id_text(id);
        base.unwrap_or_else(|| self.since(id).map_or("", |(_, text)| text))
    }
}

/// An arena that is being filled.
#[derive(Default)]
pub(super) struct Objecting {
    hasher: DefaultHashBuilder,
    arena: Arena,
}

impl Objecting {
    pub(super) fn intern(&mut self, kind: Symbol, text: &str) -> Option<ObjectId> {
        let Self { hasher, arena } = self;
        let hash = hasher.hash_one((kind, text));
        if let Some(known) = arena.find(hash, kind, text) {
            return Some(known);
        }
        let id = ObjectId::try_from(arena.kinds.len())
            .ok()
            .filter(|id| *id < ObjectId::MAX - 1)?;
        let end = u32::try_from(arena.text.len() + text.len()).ok()?;
        arena.text.push_str(text);
        arena.ends.push(end);
        arena.kinds.push(kind);
        let mut table = std::mem::take(&mut arena.table);
        let again = |id: &ObjectId| {
            let kind = arena.kind(*id).unwrap_or(NONE);
            hasher.hash_one((kind, arena.id_text(*id).unwrap_or("")))
        };
        table.insert_unique(hash, id, again);
        arena.table = table;
        Some(id)
    }

    pub(super) fn done(mut self) -> Objects {
        let Arena {
            kinds, ends, text, ..
        } = &mut self.arena;
        kinds.shrink_to_fit();
        ends.shrink_to_fit();
        text.shrink_to_fit();
        Objects {
            hasher: self.hasher,
            base: Arc::new(self.arena),
            added: imbl::Vector::new(),
            index: imbl::HashMap::new(),
        }
    }
}
