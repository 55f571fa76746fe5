//! Failed attempts of one organization by source, in the present minute. Bounded: sources without end are counted
//! as one. It knows no names and keeps nothing longer than a minute.

use kernel::Monotonic;
use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

const MINUTE: i64 = 60_000_000;
/// Sources that are told apart.
const SOURCES: usize = 10_000;

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    counts: HashMap<Option<IpAddr>, u64>,
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Failed(Mutex<Minute>);

impl Failed {
    /// Counts one more and says how many there were in this minute.
    pub(super) fn count(&self, source: Option<IpAddr>, now: Monotonic) -> u64 {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.micros() / MINUTE;
        if minute.number != number {
            *minute = Minute {
                number,
                counts: HashMap::new(),
            };
        }
        let crowded = minute.counts.len() >= SOURCES && !minute.counts.contains_key(&source);
        let source = if crowded { None } else { source };
        let count = minute.counts.entry(source).or_default();
        *count += 1;
        *count
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn sources_are_counted_apart_for_a_minute_and_without_end_as_one() {
        let failed = Failed::default();
        let source = |n: u32| Some(IpAddr::from(Ipv4Addr::from(n)));
        let at = Monotonic::from_micros;
        assert_eq!(failed.count(source(1), at(1)), 1);
        assert_eq!(failed.count(source(1), at(2)), 2);
        assert_eq!(failed.count(source(2), at(3)), 1);
        assert_eq!(failed.count(source(1), at(MINUTE)), 1);
        for n in 0..20_000 {
            failed.count(source(n), at(MINUTE + 1));
        }
        assert!(failed.count(source(99_999), at(MINUTE + 2)) > 5_000);
        let kept = failed.0.lock().unwrap().counts.len();
        assert!(kept <= SOURCES + 1, "{kept}");
    }
}
