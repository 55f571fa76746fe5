//! A request's turn: let in by class and organization before anything costly, and refused late when it asks too much,
//! so that asking again at once gains nothing. What the turn is is the gate's to say.

use crate::door::Door;
use axum::response::Response;
use kernel::{Code, limit, limits};
use service::{
    Error, Peer, Result,
    gate::{Class, Ticket, TooMany},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Refusals that are answered late at the same time; further ones are answered at once.
const LATE: usize = 2_048;
/// By how many milliseconds one pause is longer than the one before, until they begin anew.
const SPREAD: u64 = 389;

/// Marks an answer that is to be late.
#[derive(Clone, Copy, Debug)]
struct Late;

/// Room for late answers.
pub(crate) struct Lateness {
    room: Semaphore,
    given: AtomicU64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self {
            room: Semaphore::new(LATE),
            given: AtomicU64::new(0),
        }
    }
}

impl Lateness {
    /// Between a half and three halves of the pause, each time another: who was refused together does not come back
    /// together.
    fn pause(&self) -> Duration {
        let pause = u64::try_from(limits::REFUSAL_PAUSE_MILLIS).unwrap_or_default();
        let step = self.given.fetch_add(SPREAD, Ordering::Relaxed);
        Duration::from_millis(pause / 2 + step % pause)
    }
}

/// Lets a request in, for the organization that its path names.
///
/// # Errors
/// `overloaded`.
pub(crate) fn admit(door: &Door, class: Class, org: Option<&str>) -> Result<Ticket> {
    let platform = &door.platform;
    let instance = platform.node.cells().instance();
    let known = org.and_then(|org| instance.find(org));
    let id = known.map(|org| org.id);
    platform.gate.admit(class, id, platform.clock.boot())
}

/// What is told of a failed attempt: that there were too many, where there were.
pub(crate) fn failed(door: &Door, ticket: &Ticket, peer: &Peer) -> Result<()> {
    let Some(of) = ticket.failed(peer.ip, door.platform.clock.boot()) else {
        return Ok(());
    };
    let (code, limit, detail) = match of {
        TooMany::OfSource => (
            Code::LimitReached,
            limit!(FAILED_PER_SOURCE),
            "too many failed attempts from this address; wait a minute and check the credential",
        ),
        TooMany::OfOrganization => (
            Code::OrganizationBusy,
            limit!(FAILED_PER_SECOND),
            "too many failed attempts in this organization at this moment; check the credential",
        ),
    };
    Err(Error::new(code, detail).at(limit))
}

/// The refusal as it is told: a failed attempt is counted.
pub(crate) fn counted(door: &Door, ticket: &Ticket, peer: &Peer, error: Error) -> Error {
    if error.code != Code::Unauthenticated {
        return error;
    }
    failed(door, ticket, peer).err().unwrap_or(error)
}

/// Marks an answer with this code.
pub(crate) fn mark(response: &mut Response, code: Code) {
    let too_much = [Code::OrganizationBusy, Code::Overloaded, Code::LimitReached];
    if too_much.contains(&code) {
        response.extensions_mut().insert(Late);
    }
}

/// Whether an answer was marked.
pub(crate) fn is_late(response: &Response) -> bool {
    response.extensions().get::<Late>().is_some()
}

/// Waits a moment, where there is room for it.
pub(crate) async fn delay(lateness: &Lateness) {
    if let Ok(_room) = lateness.room.try_acquire() {
        tokio::time::sleep(lateness.pause()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_spread_around_the_limit() {
        let lateness = Lateness::default();
        let pauses: Vec<u128> = (0..1_000).map(|_| lateness.pause().as_millis()).collect();
        let middle = pauses.iter().sum::<u128>() / 1_000;
        let pause = limits::REFUSAL_PAUSE_MILLIS as u128;
        assert!(
            pauses
                .iter()
                .all(|took| (pause / 2..pause * 3 / 2).contains(took))
        );
        assert!(
            (pause * 9 / 10..pause * 11 / 10).contains(&middle),
            "{middle}"
        );
        let apart = pauses
            .windows(2)
            .all(|two| two[0].abs_diff(two[1]) > pause / 10);
        assert!(apart, "neighbours are far from each other");
    }
}
