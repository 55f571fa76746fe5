//! Where a test comes between this crate and its engine: it may fail, delay or end the process at any COMMIT, before
//! the engine has it or after. Nobody but a test installs one; without one it costs a look at one atomic number.

use std::sync::OnceLock;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks, or the file cannot be read and written for a moment.
    Broken,
    /// There is no room.
    Full,
    /// The disk fails to read or write.
    Io,
    /// The disk fails to make durable what it has taken.
    Sync,
}

/// A COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Whether it has an entry of the log in it; what a node writes by itself has none.
    pub logged: bool,
}

/// What a test does at a COMMIT. It may also wait, or end the process, as a power cut would.
pub trait Faults: Send + Sync {
    /// Asked before the engine has it: a fault is told instead, and the engine never hears of it.
    fn before(&self, commit: Commit) -> Option<Fault>;
    /// Asked after the engine carried it out: a fault is told although it is done.
    fn after(&self, commit: Commit) -> Option<Fault>;
}

static INSTALLED: OnceLock<Box<dyn Faults>> = OnceLock::new();

/// Puts a test between every store of this process and its engine, once.
///
/// # Errors
/// When there is one already, which then stays.
pub fn install(faults: Box<dyn Faults>) -> Result<(), Box<dyn Faults>> {
    INSTALLED.set(faults)
}

/// Runs a COMMIT, unless a test says what happens instead.
pub(crate) fn around<E>(
    logged: bool,
    failed: impl Fn(Fault) -> E,
    run: impl FnOnce() -> Result<(), E>,
) -> Result<(), E> {
    let Some(faults) = INSTALLED.get() else {
        return run();
    };
    let commit = Commit { logged };
    if let Some(fault) = faults.before(commit) {
        return Err(failed(fault));
    }
    run()?;
    faults
        .after(commit)
        .map_or(Ok(()), |fault| Err(failed(fault)))
}
