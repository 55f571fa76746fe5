//! A small disk of a test's own, which can be filled and emptied: a file system in memory, mounted for as long as the
//! value lives. Needs the right to mount.

use std::{
    fs::File,
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::Command,
};

/// The right to mount, as a bit of the effective capabilities (capabilities(7), `CAP_SYS_ADMIN`).
const MAY_MOUNT: u64 = 1 << 21;

/// The disk, mounted on a folder.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// A disk of so many MiB on an empty folder, or `None` after a printed line, on which the test returns.
    ///
    /// # Panics
    /// Under `CI=true` where this process may mount: a test that skips itself would look like one that passed.
    pub fn mount(folder: &Path, mebibytes: u32) -> Option<Self> {
        let size = format!("size={mebibytes}m,mode=0755");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder)
            .output();
        let told = match mount {
            Ok(done) if done.status.success() => {
                let folder = folder.to_owned();
                return Some(Self { folder });
            }
            Ok(done) => String::from_utf8_lossy(&done.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!(ci && may_mount()), "no disk can be mounted: {told}");
        println!("skipped: no disk can be mounted here: {told}");
        None
    }

    /// Writes until nothing more is taken.
    ///
    /// # Panics
    /// When something else is in the way.
    pub fn fill(&self) {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .expect("an empty file has room");
        for size in [1 << 16, 1 << 12, 1] {
            let piece = vec![7; size];
            loop {
                match filler.write_all(&piece) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => panic!("the disk cannot be filled: {error}"),
                }
            }
        }
    }

    /// Takes away what filled it.
    ///
    /// # Panics
    /// When it was not filled.
    pub fn empty(&self) {
        std::fs::remove_file(self.filler()).expect("it was filled");
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

fn may_mount() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let held = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    held.and_then(|held| u64::from_str_radix(held.trim(), 16).ok())
        .is_some_and(|held| held & MAY_MOUNT != 0)
}
