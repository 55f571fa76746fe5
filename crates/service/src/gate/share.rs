//! What one organization has under way and has asked for: a handful of numbers that requests count without a lock,
//! found by its id. It holds nothing that a request said.

use super::{Class, failed::Failed, rate::Rate};
use kernel::{Id, Monotonic, Org};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering},
    },
};

/// How long after a request an organization counts as one that the others share with.
const RECENT: i64 = 1_000_000;

/// One organization's numbers.
#[derive(Debug, Default)]
pub(super) struct Share {
    /// Whose; none for requests that name no organization.
    pub(super) org: Option<Id<Org>>,
    /// Requests that are being carried out, by class.
    pub(super) running: [AtomicUsize; Class::COUNT],
    /// Requests that came.
    pub(super) asked: AtomicU64,
    /// Requests that were refused because there were too many.
    pub(super) refused: AtomicU64,
    /// Requests that had come when the metrics were last read.
    pub(super) told: AtomicU64,
    /// The period in which it was last seen.
    pub(super) seen: AtomicI64,
    /// Requests of the present second, where there is a quota.
    pub(super) rate: Rate,
    /// Failed attempts by source.
    pub(super) failed: Failed,
}

/// Every organization's numbers.
#[derive(Debug, Default)]
pub(super) struct Shares {
    known: RwLock<HashMap<Id<Org>, Arc<Share>>>,
    nobody: Arc<Share>,
    period: AtomicI64,
    now: AtomicUsize,
    before: AtomicUsize,
    turning: Mutex<()>,
}

impl Shares {
    /// The numbers of this organization.
    pub(super) fn of(&self, org: Option<Id<Org>>) -> Arc<Share> {
        let Some(org) = org else {
            return self.nobody.clone();
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = known.get(&org) {
            return share.clone();
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let new = || {
            Arc::new(Share {
                org: Some(org),
                ..Share::default()
            })
        };
        known.entry(org).or_insert_with(new).clone()
    }

    /// Notes that this organization asks at this moment.
    pub(super) fn note(&self, share: &Share, now: Monotonic) {
        share.asked.fetch_add(1, Ordering::Relaxed);
        let period = now.micros() / RECENT;
        if self.period.load(Ordering::Relaxed) < period {
            self.turn(period);
        }
        // A request whose moment was read before another's may come here after it: it does not count again.
        if share.seen.load(Ordering::Relaxed) < period
            && share.seen.fetch_max(period, Ordering::Relaxed) < period
        {
            self.now.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn turn(&self, period: i64) {
        let _one = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let last = self.period.fetch_max(period, Ordering::Relaxed);
        if last < period {
            let count = self.now.swap(0, Ordering::Relaxed);
            let count = if last + 1 == period { count } else { 0 };
            self.before.store(count, Ordering::Relaxed);
        }
    }

    /// Whether more than one organization asked in this period or the last.
    pub(super) fn contended(&self) -> bool {
        self.now.load(Ordering::Relaxed) > 1 || self.before.load(Ordering::Relaxed) > 1
    }

    /// Every organization's numbers, in no order, those of nobody among them.
    pub(super) fn all(&self) -> Vec<Arc<Share>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known
            .values()
            .cloned()
            .chain([self.nobody.clone()])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn organizations_contend_while_two_were_seen_lately() {
        let shares = Shares::default();
        let at = |millis: i64| Monotonic::from_micros(millis * 1_000);
        let org = |n: u8| shares.of(Some(Id::from_bytes([n; 16])));
        for millis in 10_000..10_010 {
            shares.note(&org(1), at(millis));
        }
        assert!(!shares.contended());
        shares.note(&org(2), at(10_020));
        assert!(shares.contended());
        shares.note(&org(1), at(11_100));
        assert!(shares.contended(), "a moment ago there were two");
        shares.note(&org(1), at(12_100));
        shares.note(&org(1), at(13_100));
        assert!(!shares.contended());
    }

    #[test]
    fn one_whose_requests_overtake_each_other_is_one() {
        let shares = Shares::default();
        let at = |millis: i64| Monotonic::from_micros(millis * 1_000);
        let org = shares.of(Some(Id::from_bytes([1; 16])));
        for millis in [9_999, 10_000, 9_999, 10_000, 9_999, 10_001] {
            shares.note(&org, at(millis));
        }
        assert!(!shares.contended());
        shares.note(&shares.of(None), at(10_002));
        shares.note(&org, at(9_999));
        assert!(shares.contended(), "what is late takes nothing back");
    }
}
