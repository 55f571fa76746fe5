//! How long a request that arrives now would wait: for a processor, measured by how late a timer is, and for the
//! database, reckoned from what waits there and how fast it goes. Pure arithmetic over atomics; it refuses nobody.

use kernel::{Micros, Monotonic};
use std::sync::atomic::{AtomicI64, Ordering};

/// How often the measurement runs.
pub(super) const TICK: Micros = Micros::new(10_000);

/// The longest delay that is believed; beyond it the machine slept or the clock was set.
const PLAUSIBLE: i64 = 5_000_000;

/// How many measurements in a row must show a delay before it is believed: a burst that is over is no queue.
const RUNTIME: usize = 3;
const STORE: usize = 10;

/// The present delays, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    runtime: AtomicI64,
    store: AtomicI64,
}

/// What the one who measures remembers.
#[derive(Debug, Default)]
pub(super) struct Measured {
    due: Option<Monotonic>,
    runtime: Least<RUNTIME>,
    store: Least<STORE>,
}

/// The least of the last few.
#[derive(Debug)]
struct Least<const N: usize> {
    last: [i64; N],
    next: usize,
}

impl<const N: usize> Default for Least<N> {
    fn default() -> Self {
        Self {
            last: [0; N],
            next: 0,
        }
    }
}

impl<const N: usize> Least<N> {
    fn of(&mut self, value: i64) -> i64 {
        if let Some(place) = self.last.get_mut(self.next % N) {
            *place = value;
        }
        self.next = self.next.wrapping_add(1);
        self.last.iter().copied().min().unwrap_or_default()
    }
}

impl Pressure {
    /// A measurement that was due a tick after the last one ran at `now`, while the database's queues were this long.
    pub(super) fn measured(&self, memory: &mut Measured, now: Monotonic, store: Micros) {
        let late = memory.due.map_or(0, |due| now.since(due).get().max(0));
        let late = if late <= PLAUSIBLE { late } else { 0 };
        memory.due = Some(Monotonic::from_micros(now.micros() + TICK.get()));
        self.runtime
            .store(memory.runtime.of(late), Ordering::Relaxed);
        self.store
            .store(memory.store.of(store.get()), Ordering::Relaxed);
    }

    /// How long until a task runs.
    pub(super) fn runtime(&self) -> Micros {
        Micros::new(self.runtime.load(Ordering::Relaxed))
    }

    /// How long until the database takes up what is given to it.
    pub(super) fn store(&self) -> Micros {
        Micros::new(self.store.load(Ordering::Relaxed))
    }
}

/// Reckons the wait in a queue from how much is taken from it.
#[derive(Debug, Default)]
pub(super) struct Pace {
    taken: u64,
    at: Monotonic,
    /// Jobs a second, smoothed.
    rate: f64,
    /// Since when something has been waiting and nothing was taken.
    stuck: Option<Monotonic>,
}

impl Pace {
    /// The wait of whoever comes now, behind `waiting` others, when `taken` were taken in all.
    pub(super) fn wait(&mut self, now: Monotonic, waiting: usize, taken: u64) -> Micros {
        let passed = now.since(self.at).get();
        let done = taken.saturating_sub(self.taken);
        (self.at, self.taken) = (now, taken);
        self.stuck = match self.stuck {
            _ if waiting == 0 || done > 0 => None,
            None => Some(now),
            since => since,
        };
        // Only a queue that was not emptied shows how fast it goes.
        if passed > 0 && done > 0 && waiting > 0 {
            #[expect(clippy::cast_precision_loss, reason = "a rate needs no last digit")]
            let current = done as f64 * 1e6 / passed as f64;
            self.rate = self.rate.mul_add(0.7, current * 0.3);
        }
        let stuck = self.stuck.map_or(Micros::new(0), |since| now.since(since));
        stuck.max(self.behind(waiting))
    }

    fn behind(&self, waiting: usize) -> Micros {
        if waiting == 0 || self.rate <= f64::EPSILON {
            return Micros::new(0);
        }
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "an estimate; the cast saturates"
        )]
        let micros = (waiting as f64 / self.rate * 1e6) as i64;
        Micros::new(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: i64) -> Monotonic {
        Monotonic::from_micros(millis * 1_000)
    }

    fn runtime(pressure: &Pressure, memory: &mut Measured, millis: i64) -> i64 {
        pressure.measured(memory, at(millis), Micros::new(0));
        pressure.runtime().get() / 1_000
    }

    #[test]
    fn a_timer_that_is_late_again_and_again_tells_the_delay() {
        let (pressure, mut memory) = (Pressure::default(), Measured::default());
        let mut measure = |millis| runtime(&pressure, &mut memory, millis);
        assert_eq!(measure(1_000), 0, "nothing measured yet");
        assert_eq!(measure(1_310), 0, "once");
        assert_eq!(measure(1_620), 0, "twice");
        assert_eq!(measure(1_930), 300);
        assert_eq!(measure(1_940), 0, "it is over");
    }

    #[test]
    fn a_machine_that_slept_was_not_late() {
        let (pressure, mut memory) = (Pressure::default(), Measured::default());
        for night in 0..9 {
            let late = runtime(&pressure, &mut memory, night * 3_600_000);
            assert_eq!(late, 0);
        }
    }

    #[test]
    fn a_queue_that_is_long_for_a_moment_is_none() {
        let (pressure, mut memory) = (Pressure::default(), Measured::default());
        for tick in 1..STORE {
            let tick = i64::try_from(tick).unwrap();
            pressure.measured(&mut memory, at(tick * 10), Micros::seconds(3));
            assert_eq!(pressure.store().get(), 0);
        }
        pressure.measured(&mut memory, at(1_000), Micros::seconds(3));
        assert_eq!(pressure.store(), Micros::seconds(3));
    }

    #[test]
    fn an_idle_queue_says_nothing_of_its_pace() {
        let mut pace = Pace::default();
        for tick in 1..=500 {
            pace.wait(at(tick * 10), 0, 1);
        }
        assert_eq!(pace.wait(at(5_010), 40, 1).get(), 0);
    }

    #[test]
    fn a_queue_is_as_long_as_its_pace_makes_it() {
        let mut pace = Pace::default();
        let mut taken = 0;
        for tick in 1..=50 {
            taken += 100;
            pace.wait(at(tick * 10), 9, taken);
        }
        let wait = pace.wait(at(510), 5_000, taken + 100);
        assert!(
            (450_000..550_000).contains(&wait.get()),
            "5,000 at 10,000 a second: {wait:?}"
        );
    }

    #[test]
    fn a_queue_that_stands_still_waits_longer_and_longer() {
        let mut pace = Pace::default();
        pace.wait(at(0), 0, 0);
        assert_eq!(pace.wait(at(10), 1, 0).get(), 0);
        assert_eq!(pace.wait(at(3_010), 1, 0).get(), 3_000_000);
        assert_eq!(pace.wait(at(3_020), 0, 1).get(), 0);
    }
}
