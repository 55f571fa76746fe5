//! Reading the log: entries with their place and hashes, signed checkpoints, and proofs that an entry is in the
//! log and that a later log continues an earlier one (AUD-3). Nothing here writes but the record of the reading.

mod checkpoint;
mod consistency;
mod events;
mod export;
mod inclusion;
mod open;
mod searching;
mod tile;
mod tiles;

pub use checkpoint::ReadCheckpoint;
pub use consistency::ProveConsistency;
pub use events::ListEvents;
pub use export::{Export, ExportEvents};
pub use inclusion::ProveInclusion;
pub use searching::Searching;
pub use tile::ReadTile;
pub use tiles::run as make_tiles;
