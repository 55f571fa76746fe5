//! The log's mathematics: the hash chain of a stream, the Merkle tree over it, signed checkpoints and the verifier.
//! Pure functions of their arguments: nothing here reads a clock, opens a file or knows a database.

mod chain;
pub mod merkle;
pub mod note;
pub mod verify;

pub use chain::{FIRST_PREVIOUS, digest, entry_hash};
pub use merkle::Frontier;
pub use note::{Checkpoint, Head, InstanceCheckpoint, VerifierKey};
pub use verify::{Report, Verifier};
