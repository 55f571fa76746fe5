//! Failed attempts are counted per organization, source, client and reason: ten a minute become entries of their
//! own, the rest one entry with a count (AUD-9). The same counts slow down guessing.

use domain::Stream;
use kernel::{Timestamp, limits};
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
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
    /// An entry of its own.
    Single,
    /// Nothing now; it is counted.
    Counted,
    /// An entry of its own, and one that says how many were only counted in an earlier minute.
    SingleAfter(u64),
}

#[derive(Default)]
struct Window {
    minute: i64,
    count: u64,
}

/// Counts of failures in the present minute.
#[derive(Default)]
pub struct Failures {
    windows: Mutex<HashMap<Failing, Window>>,
}

impl Failures {
    /// Counts one more failure and says what to write.
    pub fn count(&self, mut failing: Failing, now: Timestamp) -> Write {
        let limit = u64::try_from(limits::FAILURES_PER_MINUTE).unwrap_or(u64::MAX);
        let minute = now.seconds().div_euclid(60);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= KEPT && !windows.contains_key(&failing) {
            // Whoever brings a new name or address with each attempt is counted as one: memory is bounded, and so
            // is what they make us write. Counts of past minutes stay until they are taken.
            failing = Failing {
                source: None,
                client: String::new(),
                ..failing
            };
        }
        let window = windows.entry(failing).or_default();
        let unwritten = window.count.saturating_sub(limit);
        if window.minute != minute {
            *window = Window { minute, count: 1 };
            return if unwritten > 0 {
                Write::SingleAfter(unwritten)
            } else {
                Write::Single
            };
        }
        window.count += 1;
        if window.count <= limit {
            Write::Single
        } else {
            Write::Counted
        }
    }

    /// Takes the counts of past minutes that were never written, with their numbers.
    pub fn take_past(&self, now: Timestamp) -> Vec<(Failing, u64)> {
        let limit = u64::try_from(limits::FAILURES_PER_MINUTE).unwrap_or(u64::MAX);
        let minute = now.seconds().div_euclid(60);
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let past = windows.extract_if(|_, window| window.minute < minute);
        past.filter(|(_, window)| window.count > limit)
            .map(|(who, window)| (who, window.count - limit))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_are_counted_as_one() {
        let failures = Failures::default();
        let who = |client: usize| Failing {
            stream: Stream::INSTANCE,
            source: None,
            client: client.to_string(),
            reason: "r",
        };
        let at = Timestamp::from_seconds(60);
        let written = (0..KEPT + 100)
            .filter(|n| failures.count(who(*n), at) == Write::Single)
            .count();
        assert_eq!(written, KEPT + 10);
        assert!(failures.windows.lock().unwrap().len() <= KEPT + 1);
    }

    #[test]
    fn ten_a_minute_are_single_and_the_rest_is_one_exact_count() {
        let failures = Failures::default();
        let who = || Failing {
            stream: Stream::INSTANCE,
            source: None,
            client: "c".into(),
            reason: "r",
        };
        let at = Timestamp::from_seconds;
        let written: Vec<_> = (0..25).map(|_| failures.count(who(), at(60))).collect();
        assert_eq!(written.iter().filter(|w| **w == Write::Single).count(), 10);
        assert_eq!(failures.take_past(at(119)), vec![]);
        assert_eq!(failures.take_past(at(120)), vec![(who(), 15)]);
        assert_eq!(failures.count(who(), at(121)), Write::Single);
    }
}
