//! What every use case is given: the store, the live state, keys, clock and randomness of one process.
//! It is built once, in the binary; nothing here is global.

use crate::{
    audit::{Failures, SubjectKeys},
    decisions::{Addresses, Decided, Journal},
    gate::Gate,
    node::Node,
    oauth::{KeyCache, Signatures},
    sealing::Keyring,
};
use kernel::{Clock, Entropy, Id};
use std::sync::Arc;
use store::Store;

/// One process's means.
pub struct Platform {
    /// The database.
    pub store: Store,
    /// The live state.
    pub node: Arc<Node>,
    /// The instance key's subkeys.
    pub keyring: Keyring,
    /// Parsed signing keys.
    pub keys: KeyCache,
    /// Signatures of tokens that were found good.
    pub signatures: Signatures,
    /// People whom questions to the decision API named by their address.
    pub addresses: Addresses,
    /// Counts of decisions.
    pub decided: Decided,
    /// Decisions on their way into the log.
    pub journal: Journal,
    /// Keys that seal personal fields.
    pub subjects: SubjectKeys,
    /// Counts of failed attempts.
    pub failures: Failures,
    /// Who gets in before anything costly.
    pub gate: Arc<Gate>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// The configured public origin, without a slash at the end (I11).
    pub public_url: String,
    /// The node's name in entries.
    pub node_name: String,
    /// The build's name in entries.
    pub build: &'static str,
}

impl Platform {
    /// A new identifier.
    pub fn id<K>(&self) -> Id<K> {
        Id::generate(&*self.clock, &*self.entropy)
    }
}
