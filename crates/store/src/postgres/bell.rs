//! The bell between nodes: a thread that tells the others that something was committed, and one that hears them.
//! It carries no state: a lost ring costs the time to the next look, never a change.

use super::{conn::Pg, target::Target};
use crate::StoreError;
use kernel::Clock;
use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

const CHANNEL: &str = "cardea_moved";
/// Commits within this time share one ring.
const PAUSE: Duration = Duration::from_millis(4);
/// How long to wait for a ring before looking whether the store was closed.
const PATIENCE: Duration = Duration::from_millis(250);

/// What the two threads share with those who commit.
pub(super) struct Bell {
    state: Mutex<State>,
    changed: Condvar,
    /// By what this process knows its own rings, whose changes it has already.
    own: String,
    heard: Arc<Notify>,
}

#[derive(Default)]
struct State {
    moved: bool,
    closed: bool,
    listening: bool,
}

impl Bell {
    pub(super) fn new(own: u128) -> Self {
        Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            own: format!("{own:032x}"),
            heard: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was committed. Does not wait.
    pub(super) fn ring(&self) {
        self.state().moved = true;
        self.changed.notify_one();
    }

    /// What is notified when another node rang, or may have while nobody listened.
    pub(super) fn heard(&self) -> Arc<Notify> {
        self.heard.clone()
    }

    /// Whether this is the first to ask for a listener.
    pub(super) fn first_listener(&self) -> bool {
        !std::mem::replace(&mut self.state().listening, true)
    }

    /// Ends both threads.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn closed(&self) -> bool {
        self.state().closed
    }

    /// Waits until there is something to tell; false when nothing will be any more.
    fn due(&self) -> bool {
        let quiet = |state: &mut State| !state.moved && !state.closed;
        let waited = self.changed.wait_while(self.state(), quiet);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.moved)
    }

    /// Sleeps unless the store is closed.
    fn rest(&self, length: Duration) {
        let open = |state: &mut State| !state.closed;
        drop(self.changed.wait_timeout_while(self.state(), length, open));
    }
}

impl Bell {
    /// Rings until the bell is closed. A last ring wakes the listener of this process.
    pub(super) fn ringing(&self, target: &Target, clock: &Arc<dyn Clock>) {
        let mut open = None;
        while self.due() {
            if let Err(error) = self.tell(target, clock, &mut open) {
                tracing::debug!(%error, "the other nodes could not be told; they look by themselves");
                self.rest(PATIENCE);
            }
            self.rest(PAUSE);
        }
        if self.state().listening {
            let _they_wait_a_moment_longer = self.tell(target, clock, &mut open);
        }
    }

    fn tell(
        &self,
        target: &Target,
        clock: &Arc<dyn Clock>,
        open: &mut Option<Pg>,
    ) -> Result<(), StoreError> {
        let mut conn = match open.take().filter(|conn| !conn.closed()) {
            Some(conn) => conn,
            None => target.open(clock)?,
        };
        conn.batch(&format!("NOTIFY {CHANNEL}, '{}'", self.own))?;
        *open = Some(conn);
        Ok(())
    }

    /// Listens until the bell is closed.
    pub(super) fn listening(&self, target: &Target, clock: &Arc<dyn Clock>) {
        while !self.closed() {
            if let Err(error) = self.listen(target, clock) {
                tracing::debug!(%error, "the other nodes are not heard; this one looks by itself");
            }
            self.rest(PATIENCE);
        }
    }

    fn listen(&self, target: &Target, clock: &Arc<dyn Clock>) -> Result<(), StoreError> {
        let mut conn = target.open(clock)?;
        let era = target.era();
        conn.batch(&format!("LISTEN {CHANNEL}"))?;
        // What was rung before is not heard again.
        self.heard.notify_one();
        while !self.closed() && target.era() == era {
            if conn.notice(PATIENCE)?.is_some_and(|own| own != self.own) {
                self.heard.notify_one();
            }
        }
        Ok(())
    }
}
