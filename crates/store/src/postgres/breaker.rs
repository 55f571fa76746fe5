//! The circuit in front of connecting: when the server did not answer several times in a row, nobody waits for it
//! but one who tries again now and then. It only ever refuses; what is decided without the database it leaves alone.

use crate::StoreError;
use kernel::{Clock, Micros};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Failures in a row after which it opens.
const FAILURES: u32 = 5;
/// How long it stays open at first, and at most.
const FIRST: Micros = Micros::new(100_000);
const LONGEST: Micros = Micros::seconds(1);

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Everybody may connect; this many failed in a row.
    Closed(u32),
    /// Nobody may before this moment of the boot-time clock; then it opens for this long again if one fails.
    Open(i64, Micros),
    /// One tries.
    Trying(Micros),
}

/// A circuit breaker, shared by everyone who connects.
pub(super) struct Breaker(Mutex<State>);

impl Breaker {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State::Closed(0)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of others runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Connects, unless it is open.
    ///
    /// # Errors
    /// At once while it is open; what `connect` says otherwise.
    pub(super) fn through<T>(
        &self,
        clock: &dyn Clock,
        connect: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.admit(clock)?;
        let connected = connect();
        let reached = !matches!(connected, Err(StoreError::Lost(_)));
        self.report(clock, reached);
        connected
    }

    fn admit(&self, clock: &dyn Clock) -> Result<(), StoreError> {
        let mut state = self.state();
        match *state {
            State::Closed(_) => Ok(()),
            State::Open(until, pause) if clock.boot().micros() >= until => {
                *state = State::Trying(pause);
                tell(*state);
                Ok(())
            }
            State::Open(..) | State::Trying(_) => Err(StoreError::Lost(
                "it has not answered for a while; it is tried again every second".into(),
            )),
        }
    }

    fn report(&self, clock: &dyn Clock, reached: bool) {
        let mut state = self.state();
        let before = *state;
        let opened = |pause: Micros| {
            let until = clock.boot().micros().saturating_add(pause.get());
            State::Open(until, Micros::new(pause.get() * 2).min(LONGEST))
        };
        *state = match before {
            _ if reached => State::Closed(0),
            State::Closed(failed) if failed + 1 < FAILURES => State::Closed(failed + 1),
            State::Closed(_) => opened(FIRST),
            State::Trying(pause) => opened(pause),
            // Somebody who was let through before it opened.
            State::Open(..) => before,
        };
        tell(*state);
        match (before, *state) {
            (State::Closed(_), State::Open(..)) => {
                tracing::warn!("the database does not answer; it is tried again every second");
            }
            (State::Trying(_), State::Closed(_)) => tracing::warn!("the database answers again"),
            _ => {}
        }
    }
}

/// 0 while everybody may connect, 1 while one tries, 2 while nobody does.
fn tell(state: State) {
    let shown = match state {
        State::Closed(_) => 0.0,
        State::Trying(_) => 1.0,
        State::Open(..) => 2.0,
    };
    metrics::gauge!("cardea_circuit_state", "dependency" => "database").set(shown);
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::clock::MockClock;

    fn lost() -> Result<(), StoreError> {
        Err(StoreError::Lost("no".into()))
    }

    #[test]
    fn it_opens_after_failures_in_a_row_lets_one_try_and_closes_when_it_answers() {
        let (breaker, clock) = (Breaker::new(), MockClock::default());
        let asked = std::cell::Cell::new(0);
        let through = |answer: fn() -> Result<(), StoreError>| {
            let connect = || {
                asked.set(asked.get() + 1);
                answer()
            };
            breaker.through(&clock, connect).is_ok()
        };
        for _ in 0..FAILURES - 1 {
            assert!(!through(lost));
        }
        assert!(through(|| Ok(())), "not in a row");
        for _ in 0..FAILURES {
            assert!(!through(lost));
        }
        let before = asked.get();
        assert!(!through(|| Ok(())), "open: nobody asks");
        assert_eq!(asked.get(), before);
        clock.advance(FIRST);
        assert!(!through(lost), "one tries");
        clock.advance(FIRST);
        assert!(!through(|| Ok(())), "it stays open for longer");
        assert_eq!(asked.get(), before + 1);
        clock.advance(FIRST);
        assert!(through(|| Ok(())) && through(|| Ok(())));
        assert_eq!(asked.get(), before + 3);
    }

    #[test]
    fn one_at_a_time_tries_and_a_server_that_refuses_answers() {
        let (breaker, clock) = (Breaker::new(), MockClock::default());
        for _ in 0..FAILURES {
            assert!(breaker.through(&clock, lost).is_err());
        }
        clock.advance(FIRST);
        let tried = breaker.through(&clock, || {
            assert!(breaker.through(&clock, || Ok(())).is_err(), "another waits");
            Err::<(), _>(StoreError::Database("no such role".into()))
        });
        assert!(tried.is_err());
        assert!(breaker.through(&clock, || Ok(())).is_ok());
    }
}
