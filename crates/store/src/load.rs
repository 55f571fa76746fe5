//! What goes first when there is not room for everything, and how much waits. Numbers only: it decides nothing.

/// The order in which waiting work is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Takes authority away: revoke, suspend, deactivate, kill. It has room that nothing else can use (AUD-9).
    Urgent,
    /// What somebody asked for and waits for.
    #[default]
    Usual,
    /// What nobody waits for: upkeep, checkpoints.
    Bulk,
}

impl Priority {
    /// Every priority, the first taken first.
    pub const ALL: &[Self] = &[Self::Urgent, Self::Usual, Self::Bulk];
}

/// How much waits in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Which queue.
    pub queue: &'static str,
    /// Jobs that take authority away.
    pub urgent: usize,
    /// Jobs that somebody waits for.
    pub usual: usize,
    /// Jobs that nobody waits for.
    pub bulk: usize,
    /// Jobs taken since the start.
    pub taken: u64,
}

impl Load {
    /// Everything that waits.
    pub const fn waiting(&self) -> usize {
        self.urgent + self.usual + self.bulk
    }
}
