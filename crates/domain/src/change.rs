//! Changes: what the live state is made of. Each is the full after-image of what decisions need, without
//! display data, so that masking the log never touches it and folding the feed gives the state.

use crate::{
    AccountCore, AgentCore, ApiTokenCore, AssignmentCore, AuthorizationModelCore, ConnectionCore,
    KillSwitchCore, MembershipCore, OrganizationCore, RelationStoreCore, RelationsCore,
    RevocationCore, RoleCore, RunCore, SecretCore, SettingsCore, SigningKeyCore,
    trust::TrustEventCore,
};
use kernel::Id;
use serde::{Deserialize, Serialize};

/// One step of the feed. The serialized form is versioned by adding variants; none is ever reinterpreted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c", rename_all = "snake_case")]
pub enum Change {
    /// An organization is as given.
    Organization(OrganizationCore),
    /// An account is as given.
    Account(AccountCore),
    /// A membership is as given.
    Membership(MembershipCore),
    /// A role is as given.
    Role(RoleCore),
    /// An assignment is as given.
    Assignment(AssignmentCore),
    /// An assignment is gone.
    AssignmentRemoved(Id<kernel::Assignment>),
    /// An agent is as given.
    Agent(AgentCore),
    /// A secret is as given.
    Secret(SecretCore),
    /// An API token is as given.
    ApiToken(Box<ApiTokenCore>),
    /// A connection is as given.
    Connection(ConnectionCore),
    /// A run is as given.
    Run(Box<RunCore>),
    /// An event moves an agent's trust.
    Trust(TrustEventCore),
    /// A kill switch is as given.
    KillSwitch(KillSwitchCore),
    /// The settings are as given.
    Settings(SettingsCore),
    /// A signing key is as given.
    SigningKey(Box<SigningKeyCore>),
    /// A grant or a token is revoked, or a mark denies what was issued before it.
    Revoked(RevocationCore),
    /// A revocation is forgotten: nothing that it denied can be alive.
    RevocationRemoved(#[serde(with = "crate::secret::hex16")] [u8; 16]),
    /// A relation store is as given.
    RelationStore(RelationStoreCore),
    /// A relation store has another version of its model.
    AuthorizationModel(Box<AuthorizationModelCore>),
    /// Tuples of a relation store are gone or as given.
    Relations(Box<RelationsCore>),
}

impl Change {
    /// Whether a decision made before this change could now be wrong in the direction of too much.
    /// Such a change raises the stream's `authority_rev`. A run that opens takes nothing from anybody.
    pub fn moves_authority(&self) -> bool {
        match self {
            Self::Run(run) => !run.state.is_open(),
            // What is forgotten denied nothing alive, and whoever forgets it leaves a mark in its place.
            Self::SigningKey(_) | Self::RevocationRemoved(_) => false,
            // No authority within the organization follows from a customer's relations.
            Self::RelationStore(_) | Self::AuthorizationModel(_) | Self::Relations(_) => false,
            _ => true,
        }
    }

    /// Whether it concerns what a relation store holds, which nobody needs who does not ask that store.
    pub const fn is_relations(&self) -> bool {
        matches!(self, Self::AuthorizationModel(_) | Self::Relations(_))
    }
}
