//! A bounded queue for each stream, served in turn, so that one organization's burst waits behind itself and
//! not in front of the others. Knows nothing of what it carries.

use crate::StoreError;
use domain::Stream;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// Whether two jobs of one lane may be under way at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    /// They may.
    Shared(Stream),
    /// The second waits until `done` is said of the first.
    Single(Stream),
}

struct State<J> {
    waiting: BTreeMap<Lane, VecDeque<J>>,
    turn: VecDeque<Lane>,
    closed: bool,
}

/// The queue.
pub(crate) struct Lanes<J> {
    state: Mutex<State<J>>,
    ready: Condvar,
    bound: usize,
}

impl<J> Lanes<J> {
    /// A queue with at most `bound` jobs waiting in each lane.
    pub(crate) fn new(bound: usize) -> Self {
        Self {
            state: Mutex::new(State {
                waiting: BTreeMap::new(),
                turn: VecDeque::new(),
                closed: false,
            }),
            ready: Condvar::new(),
            bound,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        // No code of others runs under the lock, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, lane: Lane, job: J) -> Result<(), StoreError> {
        let mut guard = self.state();
        let state = &mut *guard;
        if state.closed {
            return Err(StoreError::closed());
        }
        let queue = state.waiting.entry(lane).or_insert_with(|| {
            state.turn.push_back(lane);
            VecDeque::new()
        });
        if queue.len() >= self.bound {
            return Err(StoreError::Overloaded);
        }
        queue.push_back(job);
        drop(guard);
        self.ready.notify_one();
        Ok(())
    }

    /// Waits for jobs and takes up to `most`, a lane's at a time; nothing once closed and empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<(Lane, J)>> {
        let mut state = self.state();
        loop {
            let mut taken = Vec::new();
            while taken.len() < most
                && let Some(job) = state.next()
            {
                taken.push(job);
            }
            if !taken.is_empty() {
                return Some(taken);
            }
            if state.closed && state.waiting.is_empty() {
                return None;
            }
            state = self
                .ready
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The job that was taken from this lane is finished.
    pub(crate) fn done(&self, lane: Lane) {
        if let Lane::Single(_) = lane {
            let mut state = self.state();
            match state.waiting.get(&lane).map(VecDeque::is_empty) {
                Some(false) => state.turn.push_back(lane),
                _ => drop(state.waiting.remove(&lane)),
            }
            drop(state);
            // Everybody: whoever waits for the end of a closed queue must look again too.
            self.ready.notify_all();
        }
    }

    /// Accepts nothing more; what waits is still handed out.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.ready.notify_all();
    }

    /// Takes back what nobody will serve.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        state.turn.clear();
        state.waiting.clear();
        drop(state);
        self.ready.notify_all();
    }
}

impl<J> State<J> {
    /// The next job of the lane whose turn it is. A lane is known while it has jobs or one is under way.
    fn next(&mut self) -> Option<(Lane, J)> {
        let lane = self.turn.pop_front()?;
        let queue = self.waiting.get_mut(&lane)?;
        let job = queue.pop_front()?;
        match (lane, queue.is_empty()) {
            (Lane::Single(_), _) => {}
            (Lane::Shared(_), true) => drop(self.waiting.remove(&lane)),
            (Lane::Shared(_), false) => self.turn.push_back(lane),
        }
        Some((lane, job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(n: u8) -> Stream {
        Stream::from_bytes([n; 16])
    }

    #[test]
    fn lanes_take_turns_and_a_full_one_refuses_alone() {
        let lanes = Lanes::new(2);
        let (a, b) = (Lane::Shared(stream(1)), Lane::Shared(stream(2)));
        lanes.push(a, 1).unwrap();
        lanes.push(a, 2).unwrap();
        assert_eq!(lanes.push(a, 3), Err(StoreError::Overloaded));
        lanes.push(b, 4).unwrap();
        assert_eq!(lanes.take(9), Some(vec![(a, 1), (b, 4), (a, 2)]));
    }

    #[test]
    fn a_single_lane_waits_for_its_job_and_closing_drains() {
        let lanes = Lanes::new(9);
        let (a, b) = (Lane::Single(stream(1)), Lane::Single(stream(2)));
        for (lane, job) in [(a, 1), (a, 2), (b, 3)] {
            lanes.push(lane, job).unwrap();
        }
        assert_eq!(lanes.take(9), Some(vec![(a, 1), (b, 3)]));
        lanes.close();
        assert!(lanes.push(b, 4).is_err());
        lanes.done(a);
        assert_eq!(lanes.take(9), Some(vec![(a, 2)]));
        lanes.done(a);
        lanes.done(b);
        assert_eq!(lanes.take(9), None);
    }
}
