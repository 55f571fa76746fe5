//! The cells of a node: the instance's, and one for each organization that somebody asked for. They load on
//! demand, rest when nobody asks, and stop giving permits when they cannot be proven current.

use crate::{
    Advance, Era, InstanceState, OrgState, Relations, Revision, Unusable, View,
    cell::{Cell, fold},
};
use arc_swap::ArcSwap;
use domain::{AuthorizationModelCore, Change, Stream};
use imbl::HashMap;
use kernel::{Id, Micros, Monotonic, Org, RelationStore, Timestamp};
use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicU64, Ordering},
};

type Orgs = HashMap<Id<Org>, Arc<Cell<OrgState>>>;

/// All cells of a node.
pub struct Cells {
    instance: Arc<Cell<InstanceState>>,
    /// Persistent, so that loading one of ten thousand copies none of the others.
    orgs: ArcSwap<Orgs>,
    bound: Micros,
    era: AtomicU64,
    loading: Mutex<()>,
    stepped: OnceLock<Listener>,
}

/// How the installation of a relation store went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Install {
    /// It is part of the state now.
    Done,
    /// The state is at this revision and what was to be installed at another: follow the feed and try again.
    Elsewhere(u64),
    /// The organization is not loaded, or is loaded from another history, or has no such store.
    NotLoaded,
}

/// Hears of each stream that took a step; called often, so it must be quick and never wait.
pub type Listener = Box<dyn Fn(Stream) + Send + Sync>;

/// The cells that were loaded at a moment.
pub struct Loaded {
    instance: Arc<Cell<InstanceState>>,
    orgs: Arc<Orgs>,
}

impl Loaded {
    /// The streams with their revisions now, the instance first.
    pub fn revisions(&self) -> impl Iterator<Item = (Stream, Revision)> + '_ {
        let instance = (Stream::INSTANCE, self.instance.at.load().revision);
        let orgs = self.orgs.iter();
        let rest = orgs.map(|(org, cell)| (Stream::org(*org), cell.at.load().revision));
        std::iter::once(instance).chain(rest)
    }

    /// The streams that permit nothing until somebody has looked into them, each with the number of its doubt.
    pub fn doubted(&self) -> Vec<(Stream, u32)> {
        let instance = self.instance.doubted();
        let instance = instance.map(|doubt| (Stream::INSTANCE, doubt));
        let orgs = self.orgs.iter();
        let rest = orgs.filter_map(|(org, cell)| Some((Stream::org(*org), cell.doubted()?)));
        instance.into_iter().chain(rest).collect()
    }

    /// Says that a doubt was looked into.
    pub fn settle(&self, stream: Stream, doubt: u32) {
        match stream.organization() {
            None => self.instance.settle(doubt),
            Some(org) => {
                if let Some(cell) = self.orgs.get(&org) {
                    cell.settle(doubt);
                }
            }
        }
    }

    /// Says that every one was seen to be current at that moment; what is in doubt stays so.
    pub fn confirm(&self, as_of: Monotonic) {
        self.instance.confirm(as_of);
        self.orgs.values().for_each(|cell| cell.confirm(as_of));
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.orgs.len() + 1
    }

    /// Never: the instance is always loaded.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// The streams that permit nothing now, and for how long the oldest was not known to be current.
    pub fn lagging(&self, boot: Monotonic, bound: Micros) -> (Vec<Stream>, Micros) {
        let own = &self.instance;
        let instance = (Stream::INSTANCE, own.age(boot), own.is_fresh(boot, bound));
        let orgs = self.orgs.iter();
        let rest = orgs.map(|(org, cell)| {
            (
                Stream::org(*org),
                cell.age(boot),
                cell.is_fresh(boot, bound),
            )
        });
        let mut oldest = Micros::new(0);
        let mut late = Vec::new();
        for (stream, age, fresh) in std::iter::once(instance).chain(rest) {
            oldest = oldest.max(age);
            if !fresh {
                late.push(stream);
            }
        }
        (late, oldest)
    }
}

impl Cells {
    /// A node's cells with the instance loaded. `bound` is how old a view may be.
    pub fn new(changes: &[Change], revision: Revision, known: Monotonic, bound: Micros) -> Self {
        let state = fold(changes, InstanceState::apply);
        Self {
            instance: Arc::new(Cell::new(state, revision, known, Era(0))),
            orgs: ArcSwap::default(),
            bound,
            era: AtomicU64::new(0),
            loading: Mutex::new(()),
            stepped: OnceLock::new(),
        }
    }

    /// The history that the cells are of.
    pub fn era(&self) -> Era {
        Era(self.era.load(Ordering::Acquire))
    }

    /// How old a view may be.
    pub const fn bound(&self) -> Micros {
        self.bound
    }

    /// Begins again with another history: the instance is as given, and no organization is loaded.
    pub fn begin_again(&self, changes: &[Change], revision: Revision, known: Monotonic) {
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let era = Era(self.era.fetch_add(1, Ordering::AcqRel) + 1);
        self.orgs.store(Arc::default());
        let state = fold(changes, InstanceState::apply);
        self.instance.begin_again(state, revision, known, era);
    }

    /// Loads an organization from the fold of its changes; an older load never replaces a newer cell, and one of
    /// another history loads nothing.
    pub fn load(
        &self,
        era: Era,
        org: Id<Org>,
        changes: &[Change],
        revision: Revision,
        known: Monotonic,
    ) {
        let state = fold(changes, OrgState::apply);
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.orgs.load_full();
        let newer = current
            .get(&org)
            .is_some_and(|cell| cell.at.load().revision.state >= revision.state);
        if newer || era != self.era() {
            return;
        }
        let cell = Arc::new(Cell::new(state, revision, known, era));
        self.orgs.store(Arc::new(current.update(org, cell)));
        self.tell(Stream::org(org));
    }

    /// Forgets an organization's cell; the next view loads it anew.
    pub fn unload(&self, org: Id<Org>) {
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.orgs.load_full();
        self.orgs.store(Arc::new(current.without(&org)));
    }

    /// Forgets the cells of which nobody took a view during the last `idle` sweeps, and of the others those that
    /// have rested longest while there are more than `most`. Says how many it forgot.
    pub fn sweep(&self, idle: u32, most: usize) -> usize {
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.orgs.load_full();
        let mut rested: Vec<_> = current
            .iter()
            .map(|(org, cell)| (cell.rest(), *org))
            .collect();
        rested.sort_unstable_by_key(|(sweeps, _)| std::cmp::Reverse(*sweeps));
        let above = rested.len().saturating_sub(most);
        let mut next = (*current).clone();
        let leaving = rested.into_iter().enumerate();
        for (_, (_, org)) in leaving.filter(|(at, (sweeps, _))| *sweeps > idle || *at < above) {
            next.remove(&org);
        }
        let gone = current.len() - next.len();
        if gone > 0 {
            self.orgs.store(Arc::new(next));
        }
        gone
    }

    /// Whether an organization's cell is loaded.
    pub fn is_loaded(&self, org: Id<Org>) -> bool {
        self.orgs.load().contains_key(&org)
    }

    /// What is loaded now.
    pub fn loaded(&self) -> Loaded {
        Loaded {
            instance: self.instance.clone(),
            orgs: self.orgs.load_full(),
        }
    }

    /// The revision of one stream.
    pub fn revision(&self, stream: Stream) -> Option<Revision> {
        match stream.organization() {
            None => Some(self.instance.at.load().revision),
            Some(org) => self
                .orgs
                .load()
                .get(&org)
                .map(|cell| cell.at.load().revision),
        }
    }

    /// Moves a stream one revision forward, if it is still of this history.
    pub fn advance(&self, era: Era, stream: Stream, rev: u64, changes: &[Change]) -> Advance {
        let advance = match stream.organization() {
            None => self
                .instance
                .advance(era, rev, changes, InstanceState::apply),
            Some(org) => match self.orgs.load().get(&org) {
                Some(cell) => cell.advance(era, rev, changes, OrgState::apply),
                None => Advance::NotLoaded,
            },
        };
        // What relation stores hold concerns nobody who listens, and is written often.
        if advance == Advance::Reached && !changes.iter().all(Change::is_relations) {
            self.tell(stream);
        }
        advance
    }

    /// Makes what was loaded of a relation store at a revision part of its organization's state, if that is there.
    pub fn install(
        &self,
        era: Era,
        org: Id<Org>,
        store: Id<RelationStore>,
        relations: &Arc<Relations>,
        rev: u64,
    ) -> Install {
        let Some(cell) = self.orgs.load().get(&org).cloned() else {
            return Install::NotLoaded;
        };
        let mut elsewhere = None;
        let done = cell.amend(era, |state, at| {
            elsewhere = (at.state != rev).then_some(at.state);
            let known = state.stores.contains_key(&store) && elsewhere.is_none();
            known.then(|| state.relations.insert(store, relations.clone()))
        });
        match (done, elsewhere) {
            (Some(_), _) => Install::Done,
            (None, Some(at)) => Install::Elsewhere(at),
            (None, None) => Install::NotLoaded,
        }
    }

    /// Compiles a version of a relation store's model for the tuples that are loaded.
    ///
    /// # Errors
    /// When it cannot be compiled.
    pub fn compile(
        &self,
        era: Era,
        org: Id<Org>,
        core: &AuthorizationModelCore,
    ) -> Result<(), Unusable> {
        let Some(cell) = self.orgs.load().get(&org).cloned() else {
            return Ok(());
        };
        let mut refused = None;
        cell.amend(era, |state, _| {
            let mut relations = (**state.relations.get(&core.store)?).clone();
            if let Err(why) = relations.compile(core) {
                refused = Some(why);
                return None;
            }
            state.relations.insert(core.store, Arc::new(relations));
            Some(())
        });
        refused.map_or(Ok(()), Err)
    }

    /// Names the one who hears of steps; the first stays.
    pub fn on_step(&self, listener: Listener) {
        let _first = self.stepped.set(listener);
    }

    fn tell(&self, stream: Stream) {
        if let Some(listener) = self.stepped.get() {
            listener(stream);
        }
    }

    /// Says that a stream is not known to be current: it permits nothing until it is confirmed.
    pub fn doubt(&self, stream: Stream) {
        match stream.organization() {
            None => self.instance.doubt(),
            Some(org) => {
                if let Some(cell) = self.orgs.load().get(&org) {
                    cell.doubt();
                }
            }
        }
    }

    /// The instance's state, however old.
    pub fn instance(&self) -> Arc<InstanceState> {
        self.instance.at.load().state.clone()
    }

    /// Whether a stream is fresh enough to permit anything.
    pub fn is_fresh(&self, stream: Stream, boot: Monotonic) -> bool {
        match stream.organization() {
            None => self.instance.is_fresh(boot, self.bound),
            Some(org) => self
                .orgs
                .load()
                .get(&org)
                .is_some_and(|cell| cell.is_fresh(boot, self.bound)),
        }
    }

    /// A view of one organization, if it is known and loaded. Freshness is asked separately, when a permit leaves.
    pub fn view(&self, org: Id<Org>, now: Timestamp) -> Option<View> {
        let instance = self.instance.at.load();
        let orgs = self.orgs.load();
        let cell = orgs.get(&org)?;
        cell.touch();
        let at = cell.at.load();
        Some(View {
            organization: instance.state.organization(org)?.clone(),
            instance: instance.state.clone(),
            instance_revision: instance.revision,
            org: at.state.clone(),
            revision: at.revision,
            now,
        })
    }
}
