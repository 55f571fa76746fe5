//! The database's file as the operating system sees it: private from its first byte, and never closed. It reads and
//! writes nothing of it.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions, Permissions, metadata, set_permissions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// Device and inode.
type Identity = (u64, u64);

/// One descriptor of each database file that was opened. A process that closes any descriptor of a file loses every
/// lock it has on it (fcntl(2), "Advisory record locking"); without its lock, the next visitor to leave, a distribution's
/// `sqlite3` shell for example, takes itself for the last one and deletes the write-ahead log that is still written to.
static KEPT: Mutex<BTreeMap<Identity, Arc<File>>> = Mutex::new(BTreeMap::new());

/// The descriptor of a database file, which is made if there is none, readable by nobody else.
pub(super) fn keep(path: &Path) -> io::Result<Arc<File>> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(found) = metadata(path)
        && let Some(file) = kept.get(&(found.dev(), found.ino()))
    {
        set_permissions(path, Permissions::from_mode(0o600))?;
        return Ok(file.clone());
    }
    let file = Arc::new(create(path)?);
    let made = file.metadata()?;
    kept.insert((made.dev(), made.ino()), file.clone());
    Ok(file)
}

/// Opens a file, made if there is none; the log beside it inherits its mode.
fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}
