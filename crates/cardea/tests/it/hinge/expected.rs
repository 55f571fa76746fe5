//! What one agent may be given at one connection by the naive intersection and by its trust, and nothing else.

use super::Scopes;

/// What one agent is expected to be given at one connection.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    pub(super) agent: usize,
    pub(super) connection: usize,
    /// Everything the intersection leaves.
    pub(super) left: Scopes,
    pub(super) trust: u64,
    /// Whether nothing but scopes and trust stands in the way.
    pub(super) may: bool,
}

pub(super) fn minimum(scope: &str) -> u64 {
    match scope.rsplit(':').next() {
        Some("read") => 20,
        Some("write") => 40,
        _ => 60,
    }
}

pub(super) fn joined(scopes: &Scopes) -> String {
    scopes
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

impl Expected {
    /// The scopes whose class asks for no more than `most`, nor more than the agent has.
    pub(super) fn given(&self, most: u64) -> Option<Scopes> {
        let fit = |scope: &&String| minimum(scope) <= most && minimum(scope) <= self.trust;
        let given: Scopes = self.left.iter().filter(fit).cloned().collect();
        (self.may && self.trust >= 20 && !given.is_empty()).then_some(given)
    }
    /// What a dispatch of an operation of this class gives.
    pub(super) fn dispatched(&self, class: u64) -> Option<Scopes> {
        self.given(class).filter(|_| self.trust >= class)
    }
}
