//! The Python clients, in a virtual environment of their own under `target/interop/venv`.
//! Never touches the machine's Python or the user's packages.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Python, stamp, trusting};
use crate::shell;

/// A Python that can make a virtual environment; a version manager's may come before the system's.
pub fn interpreter() -> Option<PathBuf> {
    let candidates = ["python3", "/usr/bin/python3"].map(PathBuf::from);
    candidates
        .into_iter()
        .find(|python| shell::succeeds(Command::new(python).args(["-c", "import ensurepip, venv"])))
}

pub fn wanted(folder: &Path, needs: &Python) -> bool {
    !stamp::fresh(&venv(folder), &needs.packages)
        || !shell::succeeds(Command::new(program(folder)).args(["-c", ""]))
}

/// Makes the environment anew when the list has changed: an old one may hold what the new list forbids.
pub fn install(folder: &Path, needs: &Python) -> Result<()> {
    if !wanted(folder, needs) {
        return Ok(());
    }
    let python = interpreter().context("no Python with `venv`; install python3-venv")?;
    shell::run(
        Command::new(python)
            .args(["-m", "venv", "--clear"])
            .arg(venv(folder)),
    )?;
    let mut pip = Command::new(program(folder));
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--cache-dir",
    ])
    .arg(folder.join("cache/pip"))
    .args(&needs.packages);
    shell::run(trusting(&mut pip)).context("pip could not install the Python clients")?;
    stamp::write(&venv(folder), &needs.packages)
}

/// The environment's interpreter.
pub fn program(folder: &Path) -> PathBuf {
    venv(folder).join("bin/python")
}

fn venv(folder: &Path) -> PathBuf {
    folder.join("venv")
}
