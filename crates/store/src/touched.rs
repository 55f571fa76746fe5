//! What a command has done to one stream so far, so that nothing it wrote is left without an entry.

use domain::Change;

/// What a command did to one stream.
#[derive(Default)]
pub(crate) struct Touched {
    /// Changes that no entry has taken yet.
    pub(crate) open: Vec<Change>,
    /// Changes that an entry took.
    pub(crate) told: Vec<Change>,
    pub(crate) wrote: bool,
    pub(crate) entries: u64,
}
