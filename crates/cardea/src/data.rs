//! The data folder: private to its owner, held by one process at a time, with the instance key that was made for
//! it. Never repairs what somebody else could have changed; it refuses and says what to do.

mod key;

pub use key::{KeyError, load, load_or_create};

use rustix::fs::OFlags;
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// The embedded database.
pub const DATABASE: &str = "cardea.db";
/// The instance key.
pub const INSTANCE_KEY: &str = "instance.key";
/// The socket by which the command line reaches a running server.
pub const CONTROL_SOCKET: &str = "control.sock";
/// Where the set-up link is left when nobody watches the start.
pub const SETUP_FILE: &str = "setup.txt";
const LOCK: &str = "lock";

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The system refused.
    #[error("the data folder {path} cannot be used: {cause}", path = .0.display(), cause = .1)]
    Io(PathBuf, io::Error),
    /// It is somebody else's.
    #[error("the data folder {path} belongs to another user; start as that user or name another with `--data`", path = .0.display())]
    Foreign(PathBuf),
    /// Others may write in it.
    #[error("others may write in the data folder {path}; run `chmod 700 {path}` or name another with `--data`", path = .0.display())]
    Open(PathBuf),
    /// Another process holds it.
    #[error("another cardea holds the data folder {path}; stop it or name another folder with `--data`", path = .0.display())]
    Held(PathBuf),
}

/// A data folder.
#[derive(Clone, Debug)]
pub struct Data {
    path: PathBuf,
}

/// A data folder that no other process holds. Let go when dropped.
#[derive(Debug)]
pub struct HeldData {
    data: Data,
    _lock: File,
}

impl std::ops::Deref for HeldData {
    type Target = Data;
    fn deref(&self) -> &Data {
        &self.data
    }
}

impl Data {
    /// Makes the folder if it is not there, and looks at who may reach it.
    ///
    /// # Errors
    /// When it is another user's, or others may write in it.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let failed = |error| DataError::Io(path.to_owned(), error);
        if !path.exists() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(path)
                .map_err(failed)?;
        }
        let found = fs::metadata(path).map_err(failed)?;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(DataError::Foreign(path.to_owned()));
        }
        let data = Self {
            path: fs::canonicalize(path).map_err(failed)?,
        };
        // A folder that holds other things may be meant to be open, such as a temporary folder.
        if found.mode() & 0o077 != 0 && data.is_ours().map_err(failed)? {
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed)?;
        } else if found.mode() & 0o022 != 0 {
            return Err(DataError::Open(path.to_owned()));
        }
        Ok(data)
    }

    fn is_ours(&self) -> io::Result<bool> {
        let empty = fs::read_dir(&self.path)?.next().is_none();
        Ok(empty || self.file(LOCK).exists())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Holds the folder until the answer is dropped.
    ///
    /// # Errors
    /// `Held` when another process does.
    pub fn hold(self) -> Result<HeldData, DataError> {
        let failed = |error| DataError::Io(self.path.clone(), error);
        let lock = private(
            &self.file(LOCK),
            OpenOptions::new().create(true).truncate(false),
        )
        .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(HeldData {
                data: self,
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(DataError::Held(self.path)),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Writes a file that only its owner may read, in place of an earlier one.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_private(&self, name: &str, text: &str) -> Result<PathBuf, DataError> {
        let path = self.file(name);
        let failed = |error| DataError::Io(self.path.clone(), error);
        remove(&path).map_err(failed)?;
        let mut file = private(&path, OpenOptions::new().create_new(true)).map_err(failed)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        Ok(path)
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&self, name: &str) -> Result<(), DataError> {
        remove(&self.file(name)).map_err(|error| DataError::Io(self.path.clone(), error))
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a file for its owner alone, never through a symbolic link.
fn private(path: &Path, how: &mut OpenOptions) -> io::Result<File> {
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    how.read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(nofollow)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_private_and_held_once() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a/b");
        let held = Data::open(&path).unwrap().hold().unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        let refused = Data::open(&path).unwrap().hold().unwrap_err();
        assert!(matches!(refused, DataError::Held(_)), "{refused}");
        drop(held);
        Data::open(&path).unwrap().hold().unwrap();
    }

    #[test]
    fn an_empty_folder_is_made_private_and_a_shared_one_with_other_things_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
        Data::open(place.path()).unwrap();
        assert_eq!(fs::metadata(place.path()).unwrap().mode() & 0o777, 0o700);
        fs::write(place.path().join("other"), "").unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(Data::open(place.path()), Err(DataError::Open(_))));
    }

    #[test]
    fn a_private_file_never_goes_through_a_link() {
        let place = tempfile::tempdir().unwrap();
        let data = Data::open(place.path()).unwrap();
        let elsewhere = place.path().join("elsewhere");
        fs::write(&elsewhere, "kept").unwrap();
        std::os::unix::fs::symlink(&elsewhere, data.file(SETUP_FILE)).unwrap();
        let written = data.write_private(SETUP_FILE, "link").unwrap();
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "kept");
        assert_eq!(fs::metadata(written).unwrap().mode() & 0o777, 0o600);
        fs::remove_file(data.file(LOCK)).unwrap_or_default();
        std::os::unix::fs::symlink(&elsewhere, data.file(LOCK)).unwrap();
        assert!(matches!(data.hold(), Err(DataError::Io(..))));
    }
}
