//! Failed attempts of one organization: by source in the present minute, with those that other nodes told of, and all
//! together in the present second. Bounded: sources without end are counted as one. It knows no names and keeps nothing
//! longer than a minute.

use kernel::{Micros, Monotonic, limits};
use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
};

const MINUTE: i64 = Micros::seconds(60).get();
const SECOND: i64 = Micros::seconds(1).get();
/// Sources that are told apart.
const SOURCES: usize = 10_000;
/// How many failures of one source other nodes are told of at a time. So a name in the shared counts costs whoever
/// wants to fill them this many requests, and what a node does not know of another is less than this.
pub(super) const TOLD: u64 = 100;

#[derive(Debug, Default)]
struct Minute {
    number: i64,
    counts: HashMap<Option<IpAddr>, Count>,
    /// The present second, and how many there were in it of all sources.
    second: (i64, u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    own: u64,
    /// How many of them the others were told of.
    told: u64,
    others: u64,
}

/// What is known of a source after one more failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Under which its failures are counted.
    pub(super) source: Option<IpAddr>,
    pub(super) own: u64,
    pub(super) others: u64,
    /// Those of all sources in this second.
    pub(super) in_second: u64,
    /// Whether others are to be told of [`TOLD`] more.
    pub(super) tell: bool,
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Failed(Mutex<Minute>);

impl Failed {
    fn minute(&self, now: Monotonic) -> MutexGuard<'_, Minute> {
        let mut minute = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.micros() / MINUTE;
        // Never back: somebody who read the clock a little earlier would wipe out what was counted since.
        if minute.number < number {
            *minute = Minute {
                number,
                ..Minute::default()
            };
        }
        minute
    }

    /// Counts one more.
    pub(super) fn count(&self, source: Option<IpAddr>, now: Monotonic) -> Seen {
        let mut minute = self.minute(now);
        let second = now.micros() / SECOND;
        if minute.second.0 != second {
            minute.second = (second, 0);
        }
        minute.second.1 += 1;
        let in_second = minute.second.1;
        let source = source.map(network);
        let crowded = minute.counts.len() >= SOURCES && !minute.counts.contains_key(&source);
        let source = if crowded { None } else { source };
        let count = minute.counts.entry(source).or_default();
        count.own += 1;
        let tell = count.own - count.told >= TOLD;
        if tell {
            count.told = count.own;
        }
        Seen {
            source,
            own: count.own,
            others: count.others,
            in_second,
            tell,
        }
    }

    /// Takes in how many there were on all nodes together.
    pub(super) fn heard(&self, source: Option<IpAddr>, together: u64, now: Monotonic) {
        let mut minute = self.minute(now);
        if minute.number != now.micros() / MINUTE {
            return;
        }
        if let Some(count) = minute.counts.get_mut(&source) {
            count.others = together.saturating_sub(count.told);
        }
    }

    /// Lets go what is past.
    pub(super) fn forget(&self, now: Monotonic) {
        drop(self.minute(now));
    }
}

/// Of whom there were too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// Of one source in a minute.
    OfSource,
    /// Of the organization in a second.
    OfOrganization,
}

/// Whether so many are too many. Whoever counts a source without the others allows half.
pub(super) fn too_many(seen: Seen, alone: bool) -> Option<TooMany> {
    let more = |failed: u64, most: usize| usize::try_from(failed).is_ok_and(|failed| failed > most);
    let own = if alone { seen.own * 2 } else { seen.own };
    if more(own + seen.others, limits::FAILED_PER_SOURCE) {
        return Some(TooMany::OfSource);
    }
    more(seen.in_second, limits::FAILED_PER_SECOND).then_some(TooMany::OfOrganization)
}

/// The network that one host has for itself: an address of IPv4, or 64 bits of one of IPv6.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
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
        let count = |n: u32, now: i64| failed.count(source(n), at(now)).own;
        assert_eq!(count(1, 1), 1);
        assert_eq!(count(1, 2), 2);
        assert_eq!(count(2, 3), 1);
        assert_eq!(count(1, MINUTE), 1);
        for n in 0..20_000 {
            count(n, MINUTE + 1);
        }
        assert!(count(99_999, MINUTE + 2) > 5_000);
        let kept = |failed: &Failed| failed.0.lock().unwrap().counts.len();
        assert!(kept(&failed) <= SOURCES + 1, "{}", kept(&failed));
        failed.forget(at(MINUTE * 2));
        assert_eq!(kept(&failed), 0);
    }

    #[test]
    fn a_host_is_one_source_however_many_addresses_it_takes() {
        let failed = Failed::default();
        let count = |ip: &str| {
            let source = Some(ip.parse().unwrap());
            failed.count(source, Monotonic::from_micros(1)).own
        };
        assert_eq!(count("2001:db8:1:2::1"), 1);
        assert_eq!(count("2001:db8:1:2:ffff::9"), 2);
        assert_eq!(count("2001:db8:1:3::1"), 1);
        assert_eq!(count("192.0.2.1"), 1);
        assert_eq!(count("::ffff:192.0.2.1"), 2);
    }

    #[test]
    fn others_are_told_a_hundred_at_a_time_and_believed() {
        let failed = Failed::default();
        let now = Monotonic::from_micros(1);
        let source = Some(IpAddr::from([192, 0, 2, 1]));
        let told: Vec<u64> = (0..250)
            .map(|_| failed.count(source, now))
            .filter_map(|seen| seen.tell.then_some(seen.own))
            .collect();
        assert_eq!(told, [100, 200]);
        let limit = u64::try_from(limits::FAILED_PER_SOURCE).unwrap();
        let of_source = Some(TooMany::OfSource);
        assert_ne!(too_many(failed.count(source, now), false), of_source);
        failed.heard(source, limit, now);
        let seen = failed.count(source, now);
        assert_eq!((seen.own, seen.others), (252, limit - 200));
        assert_eq!(too_many(seen, false), of_source);
    }

    #[test]
    fn an_answer_from_the_minute_before_changes_nothing() {
        let failed = Failed::default();
        let source = Some(IpAddr::from([192, 0, 2, 1]));
        let (before, now) = (Monotonic::from_micros(1), Monotonic::from_micros(MINUTE));
        failed.count(source, before);
        failed.count(source, now);
        failed.heard(source, 5_000, before);
        let seen = failed.count(source, now);
        assert_eq!((seen.own, seen.others), (2, 0));
        assert_eq!(failed.count(source, before).own, 3, "late, and counted");
    }

    #[test]
    fn alone_half_as_many_are_too_many() {
        let seen = |own| Seen {
            source: None,
            own,
            others: 0,
            in_second: 1,
            tell: false,
        };
        let limit = u64::try_from(limits::FAILED_PER_SOURCE).unwrap();
        let of_source = |own, alone| too_many(seen(own), alone) == Some(TooMany::OfSource);
        assert!(!of_source(limit, false) && of_source(limit + 1, false));
        assert!(!of_source(limit / 2, true) && of_source(limit / 2 + 1, true));
    }

    #[test]
    fn an_organization_has_so_many_a_second_from_wherever_they_come() {
        let failed = Failed::default();
        let count = |n: usize, now: i64| {
            let source = IpAddr::from(Ipv4Addr::from(u32::try_from(n).unwrap()));
            too_many(
                failed.count(Some(source), Monotonic::from_micros(now)),
                false,
            )
        };
        for n in 0..limits::FAILED_PER_SECOND {
            assert_eq!(count(n, 1), None);
        }
        assert_eq!(count(0, SECOND - 1), Some(TooMany::OfOrganization));
        assert_eq!(count(0, SECOND), None, "the next second");
    }
}
