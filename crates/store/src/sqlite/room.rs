//! Room for what takes authority away while the disk is full: a file beside the database that holds it, given back
//! when a write finds none, and taken again once there is twice as much. Knows nothing of what is written.

use kernel::limits;
use rustix::{
    fs::{FallocateFlags, fallocate, statvfs},
    io::Errno,
};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

const RESERVE: u64 = limits::DISK_RESERVE_BYTES as u64;

/// The reserve of one database.
pub(super) struct Room {
    path: PathBuf,
    full: AtomicBool,
    /// Held while a write may need what a look for more room would take for a moment.
    quiet: Mutex<()>,
}

impl Room {
    /// Takes the reserve of the database at this path. Without room for it the disk counts as full from the start.
    pub(super) fn beside(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-reserve");
        let room = Self {
            path: path.into(),
            full: AtomicBool::new(false),
            quiet: Mutex::new(()),
        };
        if let Err(error) = room.take(RESERVE) {
            tracing::error!(%error, "there is no room for the reserve beside the database; nothing is issued or changed until there is");
            room.empty();
            room.full.store(true, Ordering::Release);
        }
        room
    }

    /// Whether nothing is written but what takes authority away.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// A write found no room: gives the reserve back. False when it was given already.
    pub(super) fn give(&self) -> bool {
        if self.full.swap(true, Ordering::AcqRel) {
            return false;
        }
        self.empty();
        tracing::error!(
            "the database's disk is full: nothing is issued or changed until there is room; what takes authority away goes on"
        );
        true
    }

    /// Nobody looks for more room while this is held.
    pub(super) fn quiet(&self) -> Option<MutexGuard<'_, ()>> {
        let wait = || self.quiet.lock().unwrap_or_else(PoisonError::into_inner);
        self.is_full().then(wait)
    }

    /// Takes the reserve again if there is room for it and as much besides: less would be full again at once.
    pub(super) fn look(&self) {
        let Some(_quiet) = self.quiet() else {
            return;
        };
        match self.take(RESERVE * 2) {
            Ok(()) => {
                self.full.store(false, Ordering::Release);
                tracing::info!("there is room on the database's disk again");
            }
            Err(_) => self.empty(),
        }
    }

    /// Makes the reserve, where the file system has `wanted` for it.
    fn take(&self, wanted: u64) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let mut file = options.mode(0o600).open(&self.path)?;
        let held = file.metadata()?.len();
        let free = statvfs(&self.path)?;
        if free.f_bavail.saturating_mul(free.f_frsize) < wanted.saturating_sub(held) {
            return Err(Errno::NOSPC.into());
        }
        allocate(&mut file, wanted)?;
        file.set_len(RESERVE)
    }

    fn empty(&self) {
        let emptied = OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&self.path);
        if let Err(error) = emptied {
            tracing::error!(%error, "the reserve beside the database could not be given back");
        }
    }
}

/// Where the file system cannot set room aside, it is written.
fn allocate(file: &mut File, length: u64) -> io::Result<()> {
    match fallocate(&*file, FallocateFlags::empty(), 0, length) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            io::copy(&mut io::repeat(0).take(length), file)?;
            file.flush()?;
            file.sync_all()
        }
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reserve_is_there_is_given_once_and_is_taken_again() {
        let folder = tempfile::tempdir().unwrap();
        let room = Room::beside(&folder.path().join("a.db"));
        let held = || std::fs::metadata(folder.path().join("a.db-reserve")).unwrap();
        let blocks = || std::os::unix::fs::MetadataExt::blocks(&held()) * 512;
        assert!(!room.is_full() && room.quiet().is_none());
        assert!(blocks() >= RESERVE, "it is no hole");
        assert!(room.give() && !room.give());
        assert_eq!((room.is_full(), blocks()), (true, 0));
        room.look();
        assert!(!room.is_full() && blocks() >= RESERVE);
        assert_eq!(
            held().len(),
            RESERVE,
            "what was asked for besides is left to others"
        );
    }
}
