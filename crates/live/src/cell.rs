//! A cell: one immutable state behind an atomic pointer, its revision, and when it was last known to be current.
//! Within one history a cell never goes back (I5) and never skips a revision.

use arc_swap::ArcSwap;
use domain::Change;
use kernel::{Micros, Monotonic};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, AtomicU32, Ordering},
};

/// Where a stream stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revision {
    /// How many steps the state has taken.
    pub state: u64,
    /// How many of them moved authority.
    pub authority: u64,
}

/// One history of the database: what was begun in one is not taken in by cells of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Era(pub(crate) u64);

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// The state is at this revision, or was already past it.
    Reached,
    /// Steps are missing; the state is at the revision given.
    Gap(u64),
    /// The stream is not loaded, or is loaded from another history.
    NotLoaded,
}

#[derive(Clone)]
pub(crate) struct At<S> {
    pub(crate) state: Arc<S>,
    pub(crate) revision: Revision,
    era: Era,
}

pub(crate) struct Cell<S> {
    pub(crate) at: ArcSwap<At<S>>,
    /// Boot-time microseconds up to which the state is known to have been current.
    known: AtomicI64,
    /// How often the state was doubted, and how many of these doubts were settled: it permits nothing between.
    doubts: AtomicU32,
    settled: AtomicU32,
    /// How many sweeps have passed since somebody took a view.
    idle: AtomicU32,
    step: Mutex<()>,
}

/// Folds changes into a fresh state.
pub(crate) fn fold<S: Default>(changes: &[Change], apply: impl Fn(&mut S, &Change)) -> S {
    let mut state = S::default();
    changes.iter().for_each(|change| apply(&mut state, change));
    state
}

impl<S: Clone + Default> Cell<S> {
    pub(crate) fn new(state: S, revision: Revision, known: Monotonic, era: Era) -> Self {
        Self {
            at: ArcSwap::from_pointee(At {
                state: Arc::new(state),
                revision,
                era,
            }),
            known: AtomicI64::new(known.micros()),
            doubts: AtomicU32::new(0),
            settled: AtomicU32::new(0),
            idle: AtomicU32::new(0),
            step: Mutex::new(()),
        }
    }

    pub(crate) fn advance(
        &self,
        era: Era,
        rev: u64,
        changes: &[Change],
        apply: impl Fn(&mut S, &Change),
    ) -> Advance {
        let _one = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.at.load_full();
        if at.era != era {
            return Advance::NotLoaded;
        }
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
            era,
        }));
        Advance::Reached
    }

    /// Changes what the state holds beside its changes, at the revision that it has; nothing when `amend` finds
    /// another history or gives nothing.
    pub(crate) fn amend<T>(
        &self,
        era: Era,
        amend: impl FnOnce(&mut S, Revision) -> Option<T>,
    ) -> Option<T> {
        let _one = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        let at = self.at.load_full();
        if at.era != era {
            return None;
        }
        let mut state = (*at.state).clone();
        let given = amend(&mut state, at.revision)?;
        self.at.store(Arc::new(At {
            state: Arc::new(state),
            ..(*at).clone()
        }));
        Some(given)
    }

    /// Becomes what another history says, wherever that stands.
    pub(crate) fn begin_again(&self, state: S, revision: Revision, known: Monotonic, era: Era) {
        let _one = self.step.lock().unwrap_or_else(PoisonError::into_inner);
        self.at.store(Arc::new(At {
            state: Arc::new(state),
            revision,
            era,
        }));
        self.known.store(known.micros(), Ordering::Release);
        self.settle(self.doubts.load(Ordering::Acquire));
    }

    pub(crate) fn is_fresh(&self, boot: Monotonic, bound: Micros) -> bool {
        self.age(boot) <= bound && self.doubted().is_none()
    }

    /// For how long the state has not been known to be current.
    pub(crate) fn age(&self, boot: Monotonic) -> Micros {
        boot.since(Monotonic::from_micros(self.known.load(Ordering::Acquire)))
    }

    pub(crate) fn confirm(&self, as_of: Monotonic) {
        self.known.fetch_max(as_of.micros(), Ordering::AcqRel);
    }

    pub(crate) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::AcqRel);
    }

    /// The number of the doubt that is not settled.
    pub(crate) fn doubted(&self) -> Option<u32> {
        let doubts = self.doubts.load(Ordering::Acquire);
        (doubts != self.settled.load(Ordering::Acquire)).then_some(doubts)
    }

    /// What was doubted up to this number was looked into; a later doubt stays.
    pub(crate) fn settle(&self, doubt: u32) {
        self.settled.store(doubt, Ordering::Release);
    }

    /// Somebody took a view. Almost always a read of a line that nobody writes.
    pub(crate) fn touch(&self) {
        if self.idle.load(Ordering::Relaxed) != 0 {
            self.idle.store(0, Ordering::Relaxed);
        }
    }

    /// One more sweep has passed; says how many since the last view.
    pub(crate) fn rest(&self) -> u32 {
        self.idle.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}
