//! Organizations, accounts and memberships: one account a human, one membership an organization.
//! What decisions read is in the cores; names and addresses are not.

use crate::{Change, Entity, Quotas, Stream, Table};
use kernel::{Id, Org, Timestamp, User};
use serde::{Deserialize, Serialize};

/// The life of an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OrganizationState {
    /// In use.
    Active,
    /// Every sign-in, token and decision is refused.
    Suspended,
    /// On its way out; its slug stays taken.
    Deleted,
}

/// What decisions need of an organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrganizationCore {
    /// Identifier.
    pub id: Id<Org>,
    /// Unique name in paths; never reassigned.
    pub slug: String,
    /// The canonical issuer, frozen when it was made (TEN-9).
    pub issuer: String,
    /// Life.
    pub state: OrganizationState,
    /// The hub it belongs to.
    pub parent: Option<Id<Org>>,
    /// How much it may have of anything.
    #[serde(default, skip_serializing_if = "Quotas::is_empty")]
    pub quotas: Quotas,
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// What decisions need.
    pub core: OrganizationCore,
    /// Display name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The life of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// In use.
    Active,
    /// Closed by its human or the instance.
    Closed,
}

/// What decisions need of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountCore {
    /// Identifier.
    pub id: Id<User>,
    /// Life.
    pub state: AccountState,
    /// Whether this human administers the instance.
    pub instance_administrator: bool,
}

/// A human account, global to the instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// What decisions need.
    pub core: AccountCore,
    /// The address as it was typed; its canonical form is claimed.
    pub email: String,
    /// Whether control of the address was proven or vouched for by the operator.
    pub email_verified: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The life of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MembershipState {
    /// Waits for the human to accept.
    Pending,
    /// In use.
    Active,
    /// Stopped, may be resumed.
    Suspended,
    /// Ended; the person may only be added anew.
    Deactivated,
}

/// What decisions need of a membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembershipCore {
    /// The account.
    pub user: Id<User>,
    /// Life.
    pub state: MembershipState,
}

/// An account's place in one organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// What decisions need.
    pub core: MembershipCore,
    /// The address this organization knows.
    pub email: String,
    /// The name this organization knows.
    pub name: String,
    /// When the person joined.
    pub created_at: Timestamp,
}

impl Entity for Organization {
    const TABLE: Table = Table::Organization;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Organization(self.core.clone()))
    }
    fn fixed_stream() -> Option<Stream> {
        Some(Stream::INSTANCE)
    }
}

impl Entity for Account {
    const TABLE: Table = Table::Account;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Account(self.core.clone()))
    }
    fn fixed_stream() -> Option<Stream> {
        Some(Stream::INSTANCE)
    }
}

impl Entity for Membership {
    const TABLE: Table = Table::Membership;
    fn key(&self) -> [u8; 16] {
        self.core.user.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Membership(self.core.clone()))
    }
}
