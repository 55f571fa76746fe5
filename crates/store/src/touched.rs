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
    raised: bool,
}

impl Touched {
    /// Whether these changes raise the stream's `authority_rev`: at most once a command.
    pub(crate) fn raise(&mut self) -> bool {
        let raise = !self.raised && self.open.iter().any(Change::moves_authority);
        self.raised |= raise;
        raise
    }
}
