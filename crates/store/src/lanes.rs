//! A bounded queue for each stream, served in turn, so that one organization's burst waits behind itself and not
//! in front of the others; what takes authority away goes first and has room of its own. Knows nothing of what it carries.

use crate::{Load, Priority, StoreError};
use domain::Stream;
use kernel::limits;
use std::{
    array,
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// One stream's place in the queue, for jobs of one priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Lane {
    stream: Stream,
    priority: Priority,
    /// Whether a second job waits until `done` is said of the first.
    single: bool,
}

impl Lane {
    /// Jobs that may be under way at the same time.
    pub(crate) const fn shared(stream: Stream, priority: Priority) -> Self {
        Self {
            stream,
            priority,
            single: false,
        }
    }

    /// Jobs that follow one another.
    pub(crate) const fn single(stream: Stream, priority: Priority) -> Self {
        Self {
            single: true,
            ..Self::shared(stream, priority)
        }
    }
}

/// The lanes of one priority.
struct Band<J> {
    waiting: BTreeMap<Lane, VecDeque<J>>,
    turn: VecDeque<Lane>,
    count: usize,
}

struct State<J> {
    bands: [Band<J>; Priority::ALL.len()],
    taken: u64,
    closed: bool,
    /// How many threads wait for any job, and how many for an urgent one: telling nobody would cost a system call.
    waiting: usize,
    waiting_for_urgent: usize,
}

/// What a thread waits for.
#[derive(Clone, Copy)]
enum Waiter {
    Any,
    Urgent,
}

impl Waiter {
    const fn takes(self) -> &'static [Priority] {
        match self {
            Self::Any => Priority::ALL,
            Self::Urgent => &[Priority::Urgent],
        }
    }
}

/// The queue.
pub(crate) struct Lanes<J> {
    state: Mutex<State<J>>,
    ready: Condvar,
    /// For whoever takes nothing but what is urgent.
    urgent: Condvar,
    name: &'static str,
    bound: usize,
}

impl<J> Lanes<J> {
    /// A queue with at most `bound` jobs waiting in each lane.
    pub(crate) fn new(name: &'static str, bound: usize) -> Self {
        Self {
            state: Mutex::new(State {
                bands: array::from_fn(|_| Band::new()),
                taken: 0,
                closed: false,
                waiting: 0,
                waiting_for_urgent: 0,
            }),
            ready: Condvar::new(),
            urgent: Condvar::new(),
            name,
            bound,
        }
    }

    fn state(&self) -> MutexGuard<'_, State<J>> {
        // No code of others runs under the lock, so a poisoned one is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, lane: Lane, job: J) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.closed {
            return Err(StoreError::closed());
        }
        let [_, usual, bulk] = &state.bands;
        // Only what is not urgent counts: whoever fills the queue fills none of the room that revocation needs.
        if lane.priority != Priority::Urgent && usual.count + bulk.count >= limits::QUEUE_TOTAL {
            return Err(StoreError::Overloaded);
        }
        state.band(lane.priority).push(lane, job, self.bound)?;
        let (any, urgent) = (state.waiting > 0, state.waiting_for_urgent > 0);
        drop(state);
        if urgent && lane.priority == Priority::Urgent {
            self.urgent.notify_one();
        }
        if any {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Waits for jobs and takes up to `most`, the urgent first and a lane's at a time; nothing once closed and empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<(Lane, J)>> {
        self.wait(Waiter::Any, most, None)
    }

    /// The same, but nothing at all once it has waited this long.
    pub(crate) fn take_within(&self, most: usize, patience: Duration) -> Option<Vec<(Lane, J)>> {
        self.wait(Waiter::Any, most, Some(patience))
    }

    /// The same for urgent jobs alone.
    pub(crate) fn take_urgent(&self, most: usize) -> Option<Vec<(Lane, J)>> {
        self.wait(Waiter::Urgent, most, None)
    }

    fn wait(
        &self,
        waiter: Waiter,
        most: usize,
        patience: Option<Duration>,
    ) -> Option<Vec<(Lane, J)>> {
        let of = waiter.takes();
        let mut state = self.state();
        loop {
            let taken = state.take(most, of);
            if !taken.is_empty() {
                return Some(taken);
            }
            if state.closed && of.iter().all(|of| state.band(*of).waiting.is_empty()) {
                return None;
            }
            let (told, timed_out) = self.sleep(state, waiter, patience);
            state = told;
            if timed_out {
                return Some(state.take(most, of));
            }
        }
    }

    /// Sleeps until something is told, or as long as it may; says whether it was that long.
    fn sleep<'a>(
        &self,
        mut state: MutexGuard<'a, State<J>>,
        waiter: Waiter,
        patience: Option<Duration>,
    ) -> (MutexGuard<'a, State<J>>, bool) {
        let ready = match waiter {
            Waiter::Any => &self.ready,
            Waiter::Urgent => &self.urgent,
        };
        *state.asleep(waiter) += 1;
        let (mut state, timed_out) = match patience {
            None => {
                let state = ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                (state, false)
            }
            Some(patience) => {
                let waited = ready.wait_timeout(state, patience);
                let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                (state, timeout.timed_out())
            }
        };
        *state.asleep(waiter) -= 1;
        (state, timed_out)
    }

    /// Up to `most` further jobs of a lane whose job is under way, as long as they fit.
    pub(crate) fn more(&self, lane: Lane, most: usize, fits: impl Fn(&J) -> bool) -> Vec<J> {
        let mut state = self.state();
        let more = state.band(lane.priority).more(lane, most, fits);
        state.taken += u64::try_from(more.len()).unwrap_or(u64::MAX);
        more
    }

    /// The job that was taken from this lane is finished.
    pub(crate) fn done(&self, lane: Lane) {
        if lane.single {
            self.state().band(lane.priority).done(lane);
            // Everybody: whoever waits for the end of a closed queue must look again too.
            self.wake_all();
        }
    }

    /// Accepts nothing more; what waits is still handed out.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.wake_all();
    }

    /// Takes back what nobody will serve.
    pub(crate) fn abandon(&self) {
        let mut state = self.state();
        state.closed = true;
        state.bands = array::from_fn(|_| Band::new());
        drop(state);
        self.wake_all();
    }

    fn wake_all(&self) {
        self.ready.notify_all();
        self.urgent.notify_all();
    }

    /// How much waits, and how much was ever taken.
    pub(crate) fn load(&self) -> Load {
        let state = self.state();
        let [urgent, usual, bulk] = &state.bands;
        Load {
            queue: self.name,
            urgent: urgent.count,
            usual: usual.count,
            bulk: bulk.count,
            taken: state.taken,
        }
    }
}

impl<J> State<J> {
    const fn asleep(&mut self, waiter: Waiter) -> &mut usize {
        match waiter {
            Waiter::Any => &mut self.waiting,
            Waiter::Urgent => &mut self.waiting_for_urgent,
        }
    }

    const fn band(&mut self, priority: Priority) -> &mut Band<J> {
        let [urgent, usual, bulk] = &mut self.bands;
        match priority {
            Priority::Urgent => urgent,
            Priority::Usual => usual,
            Priority::Bulk => bulk,
        }
    }

    /// Bulk comes last, and yet one at each turn: it is late under load and never forgotten.
    fn take(&mut self, most: usize, of: &[Priority]) -> Vec<(Lane, J)> {
        let mut taken = Vec::new();
        if most > 1 && of.contains(&Priority::Bulk) {
            taken.extend(self.band(Priority::Bulk).next());
        }
        for priority in of {
            while taken.len() < most
                && let Some(job) = self.band(*priority).next()
            {
                taken.push(job);
            }
        }
        // A dozen entries at most are out of order: what is urgent runs first in its group too.
        taken.sort_by_key(|(lane, _)| lane.priority);
        self.taken += u64::try_from(taken.len()).unwrap_or(u64::MAX);
        taken
    }
}

impl<J> Band<J> {
    const fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            turn: VecDeque::new(),
            count: 0,
        }
    }

    fn push(&mut self, lane: Lane, job: J, bound: usize) -> Result<(), StoreError> {
        let queue = self.waiting.entry(lane).or_insert_with(|| {
            self.turn.push_back(lane);
            VecDeque::new()
        });
        if queue.len() >= bound {
            return Err(StoreError::Busy);
        }
        queue.push_back(job);
        self.count += 1;
        Ok(())
    }

    /// The next job of the lane whose turn it is. A lane is known while it has jobs or one is under way.
    fn next(&mut self) -> Option<(Lane, J)> {
        let lane = self.turn.pop_front()?;
        let queue = self.waiting.get_mut(&lane)?;
        let job = queue.pop_front()?;
        self.count -= 1;
        match (lane.single, queue.is_empty()) {
            (true, _) => {}
            (false, true) => drop(self.waiting.remove(&lane)),
            (false, false) => self.turn.push_back(lane),
        }
        Some((lane, job))
    }

    fn more(&mut self, lane: Lane, most: usize, fits: impl Fn(&J) -> bool) -> Vec<J> {
        let Some(queue) = self.waiting.get_mut(&lane) else {
            return Vec::new();
        };
        let fitting = queue.iter().take(most).take_while(|job| fits(job)).count();
        self.count -= fitting;
        queue.drain(..fitting).collect()
    }

    fn done(&mut self, lane: Lane) {
        match self.waiting.get(&lane).map(VecDeque::is_empty) {
            Some(false) => self.turn.push_back(lane),
            _ => drop(self.waiting.remove(&lane)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{Bulk, Urgent, Usual};

    fn stream(n: u8) -> Stream {
        Stream::from_bytes([n; 16])
    }

    fn jobs(taken: Option<Vec<(Lane, u32)>>) -> Vec<u32> {
        taken.unwrap().into_iter().map(|(_, job)| job).collect()
    }

    #[test]
    fn lanes_take_turns_and_a_full_one_refuses_alone() {
        let lanes = Lanes::new("test", 2);
        let (a, b) = (
            Lane::shared(stream(1), Usual),
            Lane::shared(stream(2), Usual),
        );
        lanes.push(a, 1).unwrap();
        lanes.push(a, 2).unwrap();
        assert_eq!(lanes.push(a, 3), Err(StoreError::Busy));
        lanes.push(b, 4).unwrap();
        assert_eq!(lanes.take(9), Some(vec![(a, 1), (b, 4), (a, 2)]));
    }

    #[test]
    fn a_single_lane_waits_for_its_job_and_closing_drains() {
        let lanes = Lanes::new("test", 9);
        let (a, b) = (
            Lane::single(stream(1), Usual),
            Lane::single(stream(2), Usual),
        );
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

    #[test]
    fn aud_9_what_is_urgent_goes_first_and_a_full_queue_has_room_for_it() {
        let lanes = Lanes::new("test", limits::QUEUE_TOTAL);
        let own = |priority| Lane::shared(stream(1), priority);
        for _ in 0..limits::QUEUE_TOTAL {
            lanes.push(own(Usual), 1).unwrap();
        }
        assert_eq!(
            lanes.push(own(Usual), 1),
            Err(StoreError::Overloaded),
            "for everybody"
        );
        assert_eq!(lanes.push(own(Bulk), 1), Err(StoreError::Overloaded));
        lanes.push(own(Urgent), 0).unwrap();
        lanes
            .push(Lane::shared(stream(2), Urgent), 0)
            .expect("also for another organization");
        assert_eq!(jobs(lanes.take(3)), [0, 0, 1]);
    }

    #[test]
    fn bulk_is_last_and_never_forgotten() {
        let lanes = Lanes::new("test", 9);
        let own = |priority| Lane::shared(stream(1), priority);
        for (priority, job) in [(Bulk, 3), (Bulk, 3), (Usual, 2), (Usual, 2), (Urgent, 1)] {
            lanes.push(own(priority), job).unwrap();
        }
        assert_eq!(jobs(lanes.take(3)), [1, 2, 3]);
        assert_eq!(jobs(lanes.take(3)), [2, 3]);
    }

    #[test]
    fn whoever_serves_urgent_jobs_takes_no_other() {
        let lanes = Lanes::new("test", 9);
        lanes.push(Lane::single(stream(1), Usual), 2).unwrap();
        lanes.push(Lane::single(stream(1), Urgent), 1).unwrap();
        assert_eq!(jobs(lanes.take_urgent(9)), [1]);
        lanes.done(Lane::single(stream(1), Urgent));
        lanes.close();
        assert_eq!(lanes.take_urgent(9), None);
        assert_eq!(jobs(lanes.take(9)), [2]);
        let load = lanes.load();
        assert_eq!((load.usual, load.taken), (0, 2));
    }
}
