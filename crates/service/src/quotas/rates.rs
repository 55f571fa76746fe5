//! The warning that an organization uses four fifths of its requests a second: an entry of its log, once an hour and
//! node at most, because a rate crosses its line again and again. Refuses nothing; that is the gate's.

use super::warning;
use crate::{Platform, audit};
use domain::Stream;
use kernel::{Id, Micros, Monotonic, Org};
use std::collections::HashMap;

/// How long a warning stands.
const STANDS: Micros = Micros::seconds(3_600);

/// Who was warned, and when.
#[derive(Debug, Default)]
pub struct Warned(HashMap<Id<Org>, Monotonic>);

impl Warned {
    /// Whether a warning is due; notes it.
    fn is_due(&mut self, org: Id<Org>, now: Monotonic) -> bool {
        self.0.retain(|_, at| now.since(*at) < STANDS);
        if self.0.contains_key(&org) {
            return false;
        }
        self.0.insert(org, now);
        true
    }
}

/// Warns the organizations that came near their quota of requests since this was last called.
pub async fn warn_of_rates(platform: &Platform, warned: &mut Warned) {
    for org in platform.gate.take_near() {
        let most = {
            let instance = platform.node.cells().instance();
            let known = instance.organization(org);
            known.and_then(|known| known.quotas.requests_per_second)
        };
        let Some(most) = most else { continue };
        if warned.is_due(org, platform.clock.boot()) {
            let act = warning("requests_per_second", most);
            audit::record_own_in(platform, Stream::org(org), act).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_8_a_rate_is_warned_of_once_an_hour() {
        let mut warned = Warned::default();
        let org = |n: u8| Id::from_bytes([n; 16]);
        let at = |seconds: i64| Monotonic::from_micros(seconds * 1_000_000);
        assert!(warned.is_due(org(1), at(0)) && warned.is_due(org(2), at(0)));
        assert!(!warned.is_due(org(1), at(3_599)));
        assert!(warned.is_due(org(1), at(3_600)));
        assert!(!warned.is_due(org(1), at(3_601)));
        assert_eq!(warned.0.len(), 1, "what is past is let go");
    }
}
