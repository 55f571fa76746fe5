//! The checkpoint thread moves the write-ahead log into the file, so that no command waits for it. Only when the
//! log has grown far beyond what that keeps up with does it make the writer wait.

use super::conn::Lite;
use std::{
    path::Path,
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

const PAUSE: Duration = Duration::from_millis(500);
const WORTHWHILE: u64 = 4 * 1024 * 1024;
const TOO_LARGE: u64 = 512 * 1024 * 1024;

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
pub(super) fn run(conn: &Lite, file: &Path, ticks: &Ticks) {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    while ticks.next() {
        let size = std::fs::metadata(&wal).map_or(0, |found| found.len());
        let moved = match size {
            0..WORTHWHILE => Ok(()),
            WORTHWHILE..TOO_LARGE => conn.shrink_wal(),
            _ => conn.empty_wal(),
        };
        if let Err(error) = moved {
            tracing::warn!(%error, size, "the write-ahead log was not moved into the file");
        }
    }
}
