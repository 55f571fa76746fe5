//! Cells: per stream one immutable state behind an atomic pointer, its revision, and when it was last known to
//! be current. A cell never goes back (I5), never skips a revision, and stops giving views when it is stale.

use crate::{InstanceState, OrgState, View};
use arc_swap::ArcSwap;
use domain::{Change, Stream};
use kernel::{Id, Micros, Monotonic, Org, Timestamp};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// How many steps the state has taken.
    pub state: u64,
    /// How many of them moved authority.
    pub authority: u64,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The state is at this revision, or was already past it.
    Reached,
    /// Steps are missing; the state is at the revision given.
    Gap(u64),
    /// The stream is not loaded.
    NotLoaded,
}

#[derive(Clone)]
struct At<S> {
    state: Arc<S>,
    revision: Revision,
}

struct Cell<S> {
    at: ArcSwap<At<S>>,
    /// Boot-time microseconds up to which the state is known to have been current.
    known: AtomicI64,
    step: Mutex<()>,
}

impl<S: Clone + Default> Cell<S> {
    fn new(state: S, revision: Revision, known: Monotonic) -> Self {
        let at = At {
            state: Arc::new(state),
            revision,
        };
        Self {
            at: ArcSwap::from_pointee(at),
            known: AtomicI64::new(known.micros()),
            step: Mutex::new(()),
        }
    }

    fn advance(&self, rev: u64, changes: &[Change], apply: impl Fn(&mut S, &Change)) -> Advance {
        let _one = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.at.load_full();
        if rev <= at.revision.state {
            return Advance::Reached;
        }
        if rev != at.revision.state + 1 {
            return Advance::Gap(at.revision.state);
        }
        let mut state = (*at.state).clone();
        changes.iter().for_each(|change| apply(&mut state, change));
        let moved = changes.iter().any(Change::moves_authority);
        let revision = Revision {
            state: rev,
            authority: at.revision.authority + u64::from(moved),
        };
        self.at.store(Arc::new(At {
            state: Arc::new(state),
            revision,
        }));
        Advance::Reached
    }

    fn is_fresh(&self, boot: Monotonic, bound: Micros) -> bool {
        boot.since(Monotonic::from_micros(self.known.load(Ordering::Acquire))) <= bound
    }

    fn confirm(&self, as_of: Monotonic) {
        self.known.fetch_max(as_of.micros(), Ordering::AcqRel);
    }
}

/// All cells of a node.
pub struct Cells {
    instance: Cell<InstanceState>,
    orgs: ArcSwap<HashMap<Id<Org>, Arc<Cell<OrgState>>>>,
    bound: Micros,
    loading: Mutex<()>,
    stepped: OnceLock<Listener>,
}

/// Hears of each stream that took a step; called often, so it must be quick and never wait.
pub type Listener = Box<dyn Fn(Stream) + Send + Sync>;

/// Folds changes into a fresh state.
fn fold<S: Default>(changes: &[Change], apply: impl Fn(&mut S, &Change)) -> S {
    let mut state = S::default();
    changes.iter().for_each(|change| apply(&mut state, change));
    state
}

impl Cells {
    /// A node's cells with the instance loaded. `bound` is how old a view may be.
    pub fn new(changes: &[Change], revision: Revision, known: Monotonic, bound: Micros) -> Self {
        Self {
            instance: Cell::new(fold(changes, InstanceState::apply), revision, known),
            orgs: ArcSwap::default(),
            bound,
            loading: Mutex::new(()),
            stepped: OnceLock::new(),
        }
    }

    /// Loads an organization from the fold of its changes; an older load never replaces a newer cell.
    pub fn load(&self, org: Id<Org>, changes: &[Change], revision: Revision, known: Monotonic) {
        let _one = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.orgs.load_full();
        let newer = current
            .get(&org)
            .is_some_and(|cell| cell.at.load().revision.state >= revision.state);
        if newer {
            return;
        }
        let mut next = (*current).clone();
        next.insert(
            org,
            Arc::new(Cell::new(fold(changes, OrgState::apply), revision, known)),
        );
        self.orgs.store(Arc::new(next));
        self.tell(Stream::org(org));
    }

    /// Whether an organization's cell is loaded.
    pub fn is_loaded(&self, org: Id<Org>) -> bool {
        self.orgs.load().contains_key(&org)
    }

    /// The loaded streams with their revisions, the instance first.
    pub fn revisions(&self) -> Vec<(Stream, Revision)> {
        let instance = (Stream::INSTANCE, self.instance.at.load().revision);
        let orgs = self.orgs.load();
        let rest = orgs
            .iter()
            .map(|(org, cell)| (Stream::org(*org), cell.at.load().revision));
        std::iter::once(instance).chain(rest).collect()
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

    /// Moves a stream one revision forward.
    pub fn advance(&self, stream: Stream, rev: u64, changes: &[Change]) -> Advance {
        let advance = match stream.organization() {
            None => self.instance.advance(rev, changes, InstanceState::apply),
            Some(org) => match self.orgs.load().get(&org) {
                Some(cell) => cell.advance(rev, changes, OrgState::apply),
                None => Advance::NotLoaded,
            },
        };
        if advance == Advance::Reached {
            self.tell(stream);
        }
        advance
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

    /// Says that a stream was seen to be current at that moment.
    pub fn confirm(&self, stream: Stream, as_of: Monotonic) {
        match stream.organization() {
            None => self.instance.confirm(as_of),
            Some(org) => {
                if let Some(cell) = self.orgs.load().get(&org) {
                    cell.confirm(as_of);
                }
            }
        }
    }

    /// Says that a stream is not known to be current: it permits nothing until it is confirmed.
    pub fn doubt(&self, stream: Stream) {
        let forget = |known: &AtomicI64| known.store(i64::MIN, Ordering::Release);
        match stream.organization() {
            None => forget(&self.instance.known),
            Some(org) => {
                if let Some(cell) = self.orgs.load().get(&org) {
                    forget(&cell.known);
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
        let cell = self.orgs.load().get(&org)?.at.load_full();
        Some(View {
            organization: instance.state.organization(org)?.clone(),
            instance: instance.state.clone(),
            instance_revision: instance.revision,
            org: cell.state.clone(),
            revision: cell.revision,
            now,
        })
    }
}
