//! A stream is what the log, the feed and the live state are keyed by: the instance, or one organization.

use kernel::{Id, Org};
use serde::{Deserialize, Serialize};

/// Sixteen bytes that name a stream; the instance's are all zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stream([u8; 16]);

impl Stream {
    /// The stream of what belongs to no organization: organizations themselves, accounts, instance keys.
    pub const INSTANCE: Stream = Stream([0; 16]);

    /// The stream of one organization.
    pub const fn org(org: Id<Org>) -> Self {
        Self(org.bytes())
    }
    /// The stream with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
    /// The sixteen bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
    /// The organization whose stream this is, unless it is the instance's.
    pub fn organization(self) -> Option<Id<Org>> {
        (self != Self::INSTANCE).then(|| Id::from_bytes(self.0))
    }
}

impl From<Id<Org>> for Stream {
    fn from(org: Id<Org>) -> Self {
        Self::org(org)
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.organization() {
            Some(org) => org.fmt(f),
            None => f.write_str("instance"),
        }
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
