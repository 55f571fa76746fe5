//! The instance key on disk: 32 bytes from which every other key is derived, made once and only when there is no
//! database that was made with another. A copy that somebody else may read or replace is refused.

use super::private;
use base64::{Engine, engine::general_purpose::STANDARD};
use kernel::{Entropy, ExposeSecret, SecretBox};
use rustix::fs::OFlags;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

const HEADER: &str = "cardea-instance-key-1 ";
const LONGEST: u64 = 256;

/// Why there is no instance key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system refused.
    #[error("the instance key {path} cannot be used: {cause}", path = .0.display(), cause = .1)]
    Io(PathBuf, io::Error),
    /// Somebody else may read it or put another in its place.
    #[error("the instance key {path} {why}; make it a file of yours with mode 600, and rotate what it sealed if others saw it", path = .0.display(), why = .1)]
    Exposed(PathBuf, &'static str),
    /// It is no key of this product.
    #[error("{path} is not an instance key; restore the one this data was made with", path = .0.display())]
    Form(PathBuf),
    /// It is a value that anybody could guess.
    #[error("the instance key {path} is a sample value that anybody can guess; remove it, and a new one is made for new data", path = .0.display())]
    Sample(PathBuf),
    /// There is data, and no key for it.
    #[error("the instance key {path} is missing and the database was made with one; restore it, or name it in `keys.instance_file`", path = .0.display())]
    Missing(PathBuf),
}

/// The key's bytes.
pub type InstanceKey = SecretBox<[u8; 32]>;

/// Reads the key, or makes it when no database was made with one.
///
/// # Errors
/// When it is exposed, malformed, guessable, or missing while `needed`.
pub fn load_or_create(
    path: &Path,
    needed: bool,
    entropy: &dyn Entropy,
) -> Result<InstanceKey, KeyError> {
    match load(path) {
        Err(KeyError::Missing(_)) if !needed => create(path, entropy).and_then(|()| load(path)),
        found => found,
    }
}

/// Reads the key.
///
/// # Errors
/// As `load_or_create`.
pub fn load(path: &Path) -> Result<InstanceKey, KeyError> {
    let file = open(path)?;
    let text = read(path, file)?;
    let encoded = text.expose_secret().trim_end().strip_prefix(HEADER);
    let bytes = encoded.and_then(|encoded| STANDARD.decode(encoded).ok());
    let bytes: [u8; 32] = bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| KeyError::Form(path.to_owned()))?;
    if is_sample(&bytes) {
        return Err(KeyError::Sample(path.to_owned()));
    }
    Ok(SecretBox::new(Box::new(bytes)))
}

fn open(path: &Path) -> Result<File, KeyError> {
    let nofollow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(nofollow)
        .open(path);
    let file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => KeyError::Missing(path.to_owned()),
        _ if path.is_symlink() => KeyError::Exposed(path.to_owned(), "is a symbolic link"),
        _ => KeyError::Io(path.to_owned(), error),
    })?;
    let found = file
        .metadata()
        .map_err(|error| KeyError::Io(path.to_owned(), error))?;
    let own = rustix::process::geteuid().as_raw();
    let wrong = [
        (!found.is_file(), "is no regular file"),
        (found.uid() != own, "belongs to another user"),
        (found.mode() & 0o077 != 0, "can be reached by others"),
    ];
    match wrong.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, why)) => Err(KeyError::Exposed(path.to_owned(), why)),
        None => Ok(file),
    }
}

fn read(path: &Path, file: File) -> Result<kernel::SecretString, KeyError> {
    let mut text = String::new();
    let read = file.take(LONGEST).read_to_string(&mut text);
    read.map_err(|_| KeyError::Form(path.to_owned()))?;
    Ok(text.into())
}

fn create(path: &Path, entropy: &dyn Entropy) -> Result<(), KeyError> {
    let bytes: SecretBox<[u8; 32]> = SecretBox::new(Box::new(entropy.bytes()));
    let text = kernel::SecretString::from(format!(
        "{HEADER}{}\n",
        STANDARD.encode(bytes.expose_secret())
    ));
    let write = || {
        let mut file = private(path, OpenOptions::new().create_new(true))?;
        file.write_all(text.expose_secret().as_bytes())?;
        file.sync_all()?;
        path.parent()
            .map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    match write() {
        // Another process was first; its key is the one.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        done => done.map_err(|error| KeyError::Io(path.to_owned(), error)),
    }
}

/// Keys in examples: one byte repeated, or bytes that count.
fn is_sample(bytes: &[u8; 32]) -> bool {
    let step = |pair: &[u8]| matches!(pair, [a, b] if a == b);
    let counts = |pair: &[u8]| matches!(pair, [a, b] if a.wrapping_add(1) == *b);
    let text = bytes
        .iter()
        .all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    bytes.windows(2).all(step) || bytes.windows(2).all(counts) || text
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::ambient::SystemEntropy;
    use std::{fs, os::unix::fs::PermissionsExt};

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("instance.key");
        (folder, path)
    }

    #[test]
    fn a_key_is_made_once_and_read_back() {
        let (_folder, path) = place();
        let made = load_or_create(&path, false, &SystemEntropy).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = load_or_create(&path, true, &SystemEntropy).unwrap();
        assert_eq!(made.expose_secret(), again.expose_secret());
    }

    #[test]
    fn no_key_is_made_for_data_that_had_another() {
        let (_folder, path) = place();
        assert!(matches!(
            load_or_create(&path, true, &SystemEntropy),
            Err(KeyError::Missing(_))
        ));
        assert!(!path.exists());
    }

    #[test]
    fn a_key_that_others_reach_is_refused() {
        let (folder, path) = place();
        load_or_create(&path, false, &SystemEntropy).unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(
            load(&link),
            Err(KeyError::Exposed(_, "is a symbolic link"))
        ));
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(
                matches!(load(&path), Err(KeyError::Exposed(..))),
                "{mode:o}"
            );
        }
    }

    #[test]
    fn neg_f7_a_known_sample_key_is_refused() {
        let counting: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let text = *b"0123456789abcdef0123456789abcdef";
        for sample in [[0; 32], [0xff; 32], counting, text] {
            let (_folder, path) = place();
            fs::write(&path, format!("{HEADER}{}\n", STANDARD.encode(sample))).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(
                matches!(load(&path), Err(KeyError::Sample(_))),
                "{sample:?}"
            );
        }
        let (_folder, path) = place();
        fs::write(&path, "changeme").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(load(&path), Err(KeyError::Form(_))));
    }
}
