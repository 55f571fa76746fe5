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

const PAUSE: Duration = Duration::from_millis(250);
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
    fn next(&self) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(stopped, PAUSE, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Works until it is stopped.
pub(super) fn run(conn: &Lite, ticks: &Ticks, room: &Room) {
    let mut moved = conn.patience(PATIENCE);
    while ticks.next() {
        if let Err(error) = moved {
            tracing::warn!(%error, "the write-ahead log was not moved into the file");
        }
        room.look();
        moved = advance(conn);
        sound(&moved);
    }
}

/// Before the log begins anew, the disk must have what was moved. Nearly all of that is waited for here: what the engine
/// waits for itself, it waits for while it holds up the writer.
fn advance(conn: &Lite) -> Result<(), StoreError> {
    if step(conn)? < LONG {
        return Ok(());
    }
    step(conn)?;
    conn.checkpoint(Checkpoint::Restart).map(|_| ())
}

/// Moves what can be moved; returns how many frames the log holds. Once it has moved all, the engine has synced.
fn step(conn: &Lite) -> Result<u64, StoreError> {
    let (frames, moved) = conn.checkpoint(Checkpoint::Passive)?;
    if moved < frames {
        conn.sync()?;
    }
    Ok(frames)
}
