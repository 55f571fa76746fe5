//! How long a request that arrives now would wait: for a processor, measured by how late a timer is, and for the
//! database, reckoned from what waits there and how fast it goes. Pure arithmetic over atomics; it refuses nobody.

use kernel::{Micros, Monotonic};
use std::sync::atomic::{AtomicI64, Ordering};

/// How often the measurement runs.
pub(super) const TICK: Micros = Micros::new(10_000);

/// The longest delay that is believed; beyond it the machine slept or the clock was set.
const PLAUSIBLE: i64 = 5_000_000;

/// The present delays, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Pressure {
    runtime: AtomicI64,
    store: AtomicI64,
    /// When the next measurement is due; zero before the first.
    due: AtomicI64,
}

impl Pressure {
    /// The measurement ran at `now`; it is due again a tick later.
    pub(super) fn measured(&self, now: Monotonic) {
        let late = self.overdue(now);
        // Half of the last one stays, so that one quick turn in a long queue does not hide it.
        let kept = self.runtime.load(Ordering::Relaxed) / 2;
        self.runtime.store(late.max(kept), Ordering::Relaxed);
        self.due.store(now.micros() + TICK.get(), Ordering::Relaxed);
    }

    pub(super) fn store_waits(&self, wait: Micros) {
        self.store.store(wait.get(), Ordering::Relaxed);
    }

    fn overdue(&self, now: Monotonic) -> i64 {
        match self.due.load(Ordering::Relaxed) {
            0 => 0,
            due => match (now.micros() - due).max(0) {
                late if late <= PLAUSIBLE => late,
                _ => 0,
            },
        }
    }

    /// How long until a task runs. A measurement that is itself late says so before it has run.
    pub(super) fn runtime(&self, now: Monotonic) -> Micros {
        let known = self.runtime.load(Ordering::Relaxed);
        Micros::new(known.max(self.overdue(now)))
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
        if passed > 0 && (done > 0 || waiting == 0) {
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

    #[test]
    fn a_timer_that_is_late_or_overdue_tells_the_delay() {
        let pressure = Pressure::default();
        assert_eq!(pressure.runtime(at(5_000)).get(), 0, "nothing measured yet");
        pressure.measured(at(1_000));
        assert_eq!(pressure.runtime(at(1_010)).get(), 0);
        assert_eq!(
            pressure.runtime(at(1_310)).get(),
            300_000,
            "overdue, and it did not run yet"
        );
        pressure.measured(at(1_310));
        assert_eq!(pressure.runtime(at(1_311)).get(), 300_000);
        pressure.measured(at(1_320));
        assert_eq!(pressure.runtime(at(1_321)).get(), 150_000, "it decays");
        pressure.measured(at(3_600_000));
        pressure.measured(at(3_600_010));
        let slept = pressure.runtime(at(7_200_000));
        assert!(slept.get() < 150_000, "the machine slept: {slept:?}");
    }

    #[test]
    fn a_queue_is_as_long_as_its_pace_makes_it() {
        let mut pace = Pace::default();
        let mut taken = 0;
        for tick in 1..=50 {
            taken += 100;
            pace.wait(at(tick * 10), 0, taken);
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
