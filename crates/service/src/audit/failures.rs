//! Failed attempts are counted per organization, source, client and reason: ten a minute become entries of their
//! own, the rest one entry with a count (AUD-9). The counts are exact: what could not be written is owed until it
//! is. The same counts slow down guessing.

use domain::Stream;
use kernel::{Timestamp, limits};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

const KEPT: usize = 100_000;

/// Who fails at what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Failing {
    /// The organization.
    pub stream: Stream,
    /// The source address.
    pub source: Option<IpAddr>,
    /// What the source claims to be; bounded by the caller.
    pub client: String,
    /// The stable code.
    pub reason: &'static str,
}

/// What to write for one more failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// An entry of its own. Whoever does not write it owes it.
    Single,
    /// Nothing now; it is counted.
    Counted,
}

#[derive(Default)]
struct Window {
    minute: i64,
    /// Failures in that minute.
    count: u64,
    /// Failures of any minute that no entry tells of.
    owed: u64,
}

/// Counts of failures in the present minute, and of those that no entry tells of yet. Clones share them.
#[derive(Clone, Default)]
pub struct Failures {
    windows: Arc<Mutex<HashMap<Failing, Window>>>,
}

const fn minute_of(now: Timestamp) -> i64 {
    now.seconds().div_euclid(60)
}

impl Failures {
    fn windows(&self) -> MutexGuard<'_, HashMap<Failing, Window>> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts one more failure and says what to write.
    pub fn count(&self, failing: Failing, now: Timestamp) -> Write {
        let limit = u64::try_from(limits::FAILURES_PER_MINUTE).unwrap_or(u64::MAX);
        let mut windows = self.windows();
        let window = window(&mut windows, failing);
        if window.minute != minute_of(now) {
            (window.minute, window.count) = (minute_of(now), 0);
        }
        window.count += 1;
        if window.count <= limit {
            return Write::Single;
        }
        window.owed += 1;
        Write::Counted
    }

    /// So many failures were to be written and were not. They are taken again in a later minute.
    pub fn owe(&self, failing: Failing, count: u64, now: Timestamp) {
        let mut windows = self.windows();
        let window = window(&mut windows, failing);
        window.minute = window.minute.max(minute_of(now));
        window.owed += count;
    }

    /// Takes what is owed from past minutes, with its numbers. Whoever takes it writes it, or owes it again.
    pub fn take_past(&self, now: Timestamp) -> Vec<(Failing, u64)> {
        let minute = minute_of(now);
        let mut windows = self.windows();
        let past = windows.extract_if(|_, window| window.minute < minute);
        past.filter(|(_, window)| window.owed > 0)
            .map(|(who, window)| (who, window.owed))
            .collect()
    }

    /// How many failures no entry tells of.
    pub fn owed(&self) -> u64 {
        self.windows().values().map(|window| window.owed).sum()
    }
}

/// Whoever brings a new name or address with each attempt is counted as one: memory is bounded, and so is what they
/// make us write. Counts of past minutes stay until they are taken.
fn window(windows: &mut HashMap<Failing, Window>, mut failing: Failing) -> &mut Window {
    if windows.len() >= KEPT && !windows.contains_key(&failing) {
        failing = Failing {
            source: None,
            client: String::new(),
            ..failing
        };
    }
    windows.entry(failing).or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn who(client: usize) -> Failing {
        Failing {
            stream: Stream::INSTANCE,
            source: None,
            client: client.to_string(),
            reason: "r",
        }
    }

    #[test]
    fn names_without_end_are_counted_as_one() {
        let failures = Failures::default();
        let at = Timestamp::from_seconds(60);
        let written = (0..KEPT + 100)
            .filter(|n| failures.count(who(*n), at) == Write::Single)
            .count();
        assert_eq!(written, KEPT + 10);
        assert!(failures.windows().len() <= KEPT + 1);
        let owed = failures.take_past(Timestamp::from_seconds(120));
        assert_eq!(owed.iter().map(|(_, count)| count).sum::<u64>(), 90);
        assert_eq!(owed.len(), 1);
    }

    #[test]
    fn ten_a_minute_are_single_and_the_rest_is_one_exact_count() {
        let failures = Failures::default();
        let at = Timestamp::from_seconds;
        let written: Vec<_> = (0..25).map(|_| failures.count(who(1), at(60))).collect();
        assert_eq!(written.iter().filter(|w| **w == Write::Single).count(), 10);
        assert_eq!(failures.take_past(at(119)), vec![]);
        assert_eq!(failures.take_past(at(120)), vec![(who(1), 15)]);
        assert_eq!(failures.count(who(1), at(121)), Write::Single);
    }

    #[test]
    fn counts_of_an_earlier_minute_are_owed_until_they_are_taken() {
        let failures = Failures::default();
        let at = Timestamp::from_seconds;
        for _ in 0..25 {
            failures.count(who(1), at(60));
        }
        for _ in 0..12 {
            failures.count(who(1), at(130));
        }
        assert_eq!(failures.take_past(at(179)), vec![]);
        failures.owe(who(1), 3, at(131));
        assert_eq!(failures.owed(), 20);
        assert_eq!(failures.take_past(at(180)), vec![(who(1), 20)]);
        assert_eq!(failures.owed(), 0);
    }

    #[test]
    fn many_at_once_and_writes_that_fail_lose_and_double_nothing() {
        let (failures, told) = (Failures::default(), AtomicU64::new(0));
        let at = Timestamp::from_seconds;
        // Every third write fails, whether of one failure or of a count.
        let write = |failing: Failing, count: u64, turn: u64, now| match turn % 3 {
            0 => failures.owe(failing, count, now),
            _ => drop(told.fetch_add(count, Ordering::Relaxed)),
        };
        std::thread::scope(|scope| {
            for thread in 0..8u64 {
                let (failures, write) = (&failures, &write);
                scope.spawn(move || {
                    for n in 0..10_000u64 {
                        let now = at(60 + i64::try_from(n / 40).unwrap());
                        let failing = who(usize::try_from(n % 7).unwrap());
                        if failures.count(failing.clone(), now) == Write::Single {
                            write(failing, 1, n + thread, now);
                        }
                        if n % 500 == 0 {
                            for (turn, (failing, count)) in (thread..).zip(failures.take_past(now))
                            {
                                write(failing, count, turn, now);
                            }
                        }
                    }
                });
            }
        });
        let owed: u64 = failures.take_past(at(100_000)).iter().map(|(_, n)| n).sum();
        assert_eq!(told.into_inner() + owed, 80_000);
    }
}
