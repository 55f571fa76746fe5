//! The checkpoint thread moves the write-ahead log into the file, so that no command waits for it. Once the log is
//! long, and all but its end has been moved, the writer waits for that end and begins the log anew.

use super::{
    conn::{Checkpoint, Lite, sound},
    room::Room,
};
use crate::StoreError;
use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Between two moves while there is something to move: what the disk takes a few milliseconds to write holds up a
/// commit for no longer than that.
const BUSY: Duration = Duration::from_millis(50);
const IDLE: Duration = Duration::from_millis(250);
/// How long the writer may have to wait for readers of the old log, before the next try.
const PATIENCE: Duration = Duration::from_millis(100);
/// Frames of 4 KiB: 64 MiB. Writing over a log costs less than making it longer, and a page that was written often
/// between two moves is moved once.
const LONG: u64 = 16_384;

/// Tells the thread to stop.
#[derive(Default)]
pub(super) struct Ticks {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Ticks {
    pub(super) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for the next time; says whether there is one.
    fn next(&self, pause: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(stopped, pause, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Works until it is stopped.
pub(super) fn run(conn: Lite, ticks: &Ticks, room: &Room) {
    let mut mover = Mover { conn, moved: 0 };
    let mut done = mover.conn.patience(PATIENCE).map(|()| IDLE);
    while ticks.next(*done.as_ref().unwrap_or(&IDLE)) {
        if let Err(error) = done {
            tracing::warn!(%error, "the write-ahead log was not moved into the file");
        }
        room.look();
        done = mover.advance();
        sound(&done);
    }
}

struct Mover {
    conn: Lite,
    /// How many frames of the log had been moved the last time.
    moved: u64,
}

impl Mover {
    /// Before the log begins anew, the disk must have what was moved. Nearly all of that is waited for here: what the
    /// engine waits for itself, it waits for while it holds up the writer. Returns the pause until the next move.
    fn advance(&mut self) -> Result<Duration, StoreError> {
        let before = self.moved;
        if self.step()? >= LONG {
            self.step()?;
            self.conn.checkpoint(Checkpoint::Restart)?;
        }
        Ok(if self.moved == before { IDLE } else { BUSY })
    }

    /// Moves what can be moved; returns how many frames the log holds.
    fn step(&mut self) -> Result<u64, StoreError> {
        let (frames, moved) = self.conn.checkpoint(Checkpoint::Passive)?;
        if std::mem::replace(&mut self.moved, moved) != moved {
            self.conn.sync()?;
        }
        Ok(frames)
    }
}
