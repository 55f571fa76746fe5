//! The Merkle tree over a stream's entry hashes, hashed as RFC 6962 section 2.1 says. Only the right edge is kept,
//! which is enough to append and to know the root; proofs are made from leaves. Nothing here is stored.

mod proof;
#[cfg(test)]
mod tests;
pub mod tile;
#[cfg(test)]
mod tile_tests;

use super::chain::{joined, sha256};
pub use proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};

/// The hash of a leaf whose data is an entry's hash.
pub fn leaf_hash(entry: &[u8; 32]) -> [u8; 32] {
    sha256(&joined::<33>(&[&[0], entry]))
}

/// The hash of a node over its two children.
pub fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&joined::<65>(&[&[1], left, right]))
}

/// The right edge of a tree: its size and the roots of its full subtrees, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    edge: Vec<[u8; 32]>,
}

impl Frontier {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends the entry with this hash.
    pub fn push(&mut self, entry: &[u8; 32]) {
        self.push_leaf(leaf_hash(entry));
    }

    fn push_leaf(&mut self, mut hash: [u8; 32]) {
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.edge.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree; of the empty tree, the hash of nothing.
    pub fn root(&self) -> [u8; 32] {
        let joined = self.edge.iter().rev().copied();
        joined
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(|| sha256(b""))
    }

    /// How many entries were appended.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The size in eight bytes, big-endian, and 32 bytes for every full subtree, largest first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend(self.edge.iter().flatten());
        bytes
    }

    /// Reads what `to_bytes` wrote; nothing when the number of hashes does not fit the size.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (size, rest) = bytes.split_first_chunk::<8>()?;
        let (edge, extra) = rest.as_chunks::<32>();
        let size = u64::from_be_bytes(*size);
        let fits = extra.is_empty() && edge.len() == usize::try_from(size.count_ones()).ok()?;
        fits.then(|| Self {
            size,
            edge: edge.to_vec(),
        })
    }
}

impl<'a> FromIterator<&'a [u8; 32]> for Frontier {
    fn from_iter<I: IntoIterator<Item = &'a [u8; 32]>>(entries: I) -> Self {
        let mut frontier = Self::new();
        entries.into_iter().for_each(|entry| frontier.push(entry));
        frontier
    }
}
