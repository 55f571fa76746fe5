//! What is revoked: a grant, one token, or everything issued before a revision. A node that is not here is live;
//! what takes a revocation away again is only that nothing it denies can be alive any more.

use crate::{Change, Entity, GrantId, Table, secret::hex16};
use kernel::Timestamp;
use serde::{Deserialize, Serialize};

/// What decisions need of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationCore {
    /// A grant id in its last eight bytes, the sixteen bytes of one token's `jti`, the identifier of a connection or a
    /// person, or [`RevocationCore::EVERYTHING`].
    #[serde(with = "hex16")]
    pub node: [u8; 16],
    /// Kept until every possible descendant is past its end (REV-5).
    pub until: Timestamp,
    /// The state revision that it made. A token says the revision it was decided on, so that "issued before" is
    /// the order of the log and no clock's. Zero in rows older than this member.
    #[serde(default)]
    pub rev: u64,
    /// Whether it is an `issued_before` mark: it then denies only tokens decided on an earlier revision than `rev`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mark: bool,
    /// The grant of the agent, when the node is one token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<GrantId>,
}

/// A revoked node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// What decisions need.
    pub core: RevocationCore,
    /// When it was revoked.
    pub revoked_at: Timestamp,
}

impl RevocationCore {
    /// The node of a mark on every token of the organization.
    pub const EVERYTHING: [u8; 16] = [0xff; 16];
    /// The end of a mark that is kept for good: the beginning of the year 9999, which can be written and read.
    pub const FOR_GOOD: Timestamp = Timestamp::from_seconds(253_370_764_800);

    /// The end of a node, with everything under it.
    pub const fn of(node: [u8; 16], until: Timestamp) -> Self {
        Self {
            node,
            until,
            rev: 0,
            mark: false,
            client: None,
        }
    }
    /// The end of every token of a node that was issued before now.
    pub const fn mark(node: [u8; 16], until: Timestamp) -> Self {
        Self {
            mark: true,
            ..Self::of(node, until)
        }
    }
    /// The node of a grant.
    pub fn grant_node(grant: GrantId) -> [u8; 16] {
        u128::from(grant.number()).to_be_bytes()
    }
    /// Tokens decided on an earlier revision than this are dead; the largest number means all.
    pub const fn issued_before(&self) -> u64 {
        if self.mark { self.rev } else { u64::MAX }
    }
    /// One revocation that denies what either denies. A mark never weakens the end of a node.
    #[must_use]
    pub fn joined(self, other: Self) -> Self {
        Self {
            node: self.node,
            until: self.until.max(other.until),
            rev: self.rev.max(other.rev),
            mark: self.mark && other.mark,
            client: self.client.or(other.client),
        }
    }
}

impl Entity for Revocation {
    const TABLE: Table = Table::Revocation;
    fn key(&self) -> [u8; 16] {
        self.core.node
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Revoked(self.core))
    }
    fn removal(&self) -> Option<Change> {
        Some(Change::RevocationRemoved(self.core.node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_changes_written_before_marks_are_read_as_ends() {
        let old =
            r#"{"node":"00000000000000000000000000000007","until":"2026-11-22T09:00:00.000000Z"}"#;
        let core: RevocationCore = serde_json::from_str(old).unwrap();
        assert_eq!((core.issued_before(), core.rev), (u64::MAX, 0));
        let good = RevocationCore::mark(RevocationCore::EVERYTHING, RevocationCore::FOR_GOOD);
        let text = serde_json::to_string(&good).unwrap();
        assert_eq!(serde_json::from_str::<RevocationCore>(&text).unwrap(), good);
        let removed = Change::RevocationRemoved([7; 16]);
        let text = serde_json::to_string(&removed).unwrap();
        assert_eq!(
            text,
            r#"{"t":"revocation_removed","c":"07070707070707070707070707070707"}"#
        );
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), removed);
    }

    #[test]
    fn a_mark_joined_with_an_end_is_the_end() {
        let at = Timestamp::from_seconds;
        let end = RevocationCore {
            rev: 3,
            ..RevocationCore::of([1; 16], at(10))
        };
        let mark = RevocationCore {
            rev: 9,
            ..RevocationCore::mark([1; 16], at(20))
        };
        for joined in [end.joined(mark), mark.joined(end)] {
            assert_eq!((joined.issued_before(), joined.until), (u64::MAX, at(20)));
        }
        let later = RevocationCore { rev: 4, ..mark };
        assert_eq!(
            mark.joined(later).issued_before(),
            9,
            "a mark never goes back"
        );
    }
}
