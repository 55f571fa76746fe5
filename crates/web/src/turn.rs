//! A request's turn: let in by class and organization before anything costly, and refused late when it asks too much,
//! so that asking again at once gains nothing. What the turn is is the gate's to say.

use crate::door::Door;
use axum::response::Response;
use kernel::{Code, limit, limits};
use service::{
    Error, Peer, Result,
    gate::{Class, Ticket},
};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Refusals that are answered late at the same time; further ones are answered at once.
const LATE: usize = 2_048;

/// Marks an answer that is to be late.
#[derive(Clone, Copy, Debug)]
struct Late;

/// Room for late answers.
pub(crate) struct Lateness(Semaphore);

impl Default for Lateness {
    fn default() -> Self {
        Self(Semaphore::new(LATE))
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

/// What is told of a failed attempt: that there were too many from this address, where there were.
pub(crate) fn failed(door: &Door, ticket: &Ticket, peer: &Peer) -> Result<()> {
    if !ticket.failed(peer.ip, door.platform.clock.boot()) {
        return Ok(());
    }
    let detail =
        "too many failed attempts from this address; wait a minute and check the credential";
    Err(Error::new(Code::LimitReached, detail).at(limit!(FAILED_PER_SOURCE)))
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
    if let Ok(_room) = lateness.0.try_acquire() {
        let pause = u64::try_from(limits::REFUSAL_PAUSE_MILLIS).unwrap_or_default();
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}
