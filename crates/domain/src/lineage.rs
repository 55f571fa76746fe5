//! Lineage: the sorted set of 64-bit grant ids above a token. A leaf token is not stored; it carries these ids,
//! and it is dead as soon as one of them is revoked. A set that would be too long is refused, never cut.

use kernel::{Entropy, limits};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// A node of the grant graph: a credential, an agent, a run, a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId(u64);

impl GrantId {
    /// A new, unpredictable id.
    pub fn generate(entropy: &dyn Entropy) -> Self {
        Self(entropy.number())
    }
    /// The id with this number.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }
    /// The number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for GrantId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for GrantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let number = (text.len() == 16)
            .then(|| u64::from_str_radix(&text, 16).ok())
            .flatten();
        number
            .map(Self)
            .ok_or_else(|| D::Error::custom("expected 16 hexadecimal digits"))
    }
}

/// The grants above something, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(Vec<GrantId>);

/// More ids than a token may carry (REV-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the lineage would hold more than {} ids; start from a run nearer to the root",
    limits::LINEAGE
)]
pub struct LineageTooLong;

impl Lineage {
    /// The union of these ids.
    ///
    /// # Errors
    /// When the union holds more ids than a token may carry.
    pub fn union(ids: impl IntoIterator<Item = GrantId>) -> Result<Self, LineageTooLong> {
        let mut ids: Vec<GrantId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() > limits::LINEAGE {
            return Err(LineageTooLong);
        }
        Ok(Self(ids))
    }
    /// This lineage with one more id.
    ///
    /// # Errors
    /// When the result holds more ids than a token may carry.
    pub fn with(&self, more: impl IntoIterator<Item = GrantId>) -> Result<Self, LineageTooLong> {
        Self::union(self.0.iter().copied().chain(more))
    }
    /// The ids in order.
    pub fn iter(&self) -> impl Iterator<Item = GrantId> + '_ {
        self.0.iter().copied()
    }
    /// Whether `id` is one of them.
    pub fn contains(&self, id: GrantId) -> bool {
        self.0.binary_search(&id).is_ok()
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// Eight bytes each, big-endian, for a column.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|id| id.0.to_be_bytes()).collect()
    }
    /// Reads what `to_bytes` wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (chunks, rest) = bytes.as_chunks::<8>();
        let ids: Vec<_> = chunks
            .iter()
            .map(|chunk| GrantId(u64::from_be_bytes(*chunk)))
            .collect();
        (rest.is_empty() && ids.is_sorted()).then_some(Self(ids))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_union_is_sorted_unique_and_bounded() {
        let ids = |n: u64| (0..n).rev().map(GrantId::from_number);
        let forty = Lineage::union(ids(40).chain(ids(40))).unwrap();
        assert_eq!(forty.len(), 40);
        assert!(forty.contains(GrantId::from_number(39)));
        assert_eq!(Lineage::union(ids(41)), Err(LineageTooLong));
        assert_eq!(Lineage::from_bytes(&forty.to_bytes()), Some(forty));
        assert_eq!(Lineage::from_bytes(&[1; 9]), None);
    }
}
