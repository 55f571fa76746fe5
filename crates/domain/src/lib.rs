//! What the product is about: principals, what they may hold, the things an organization owns, the entries
//! that prove what happened and the changes that move the live state. No SQL, no HTTP, no clock.

mod agent;
mod change;
mod connection;
mod directory;
mod entity;
pub mod entry;
mod key;
pub mod lineage;
pub mod name;
mod permission;
mod principal;
mod quota;
mod relation;
mod revocation;
mod role;
mod run;
mod schema;
mod scope;
mod secret;
mod settings;
mod stream;
pub mod trust;

pub use agent::{Agent, AgentCore, AgentKey, AgentState, AuthMethod};
pub use change::Change;
pub use connection::{Class, Connection, ConnectionCore, Label, TokenFormat};
pub use directory::{
    Account, AccountCore, AccountState, Membership, MembershipCore, MembershipState, Organization,
    OrganizationCore, OrganizationState,
};
pub use entity::{Entity, Table};
pub use entry::Entry;
pub use key::{KeyAlgorithm, KeyPurpose, KeyState, SigningKey, SigningKeyCore, SubjectKey};
pub use lineage::{GrantId, Lineage};
pub use permission::{Permission, Permissions, Reach};
pub use principal::{Owner, Principal};
pub use quota::Quotas;
pub use relation::{
    AuthorizationModel, AuthorizationModelCore, RelationAssertions, RelationCondition, RelationKey,
    RelationStore, RelationStoreCore, RelationTuple, RelationsCore,
};
pub use revocation::{Revocation, RevocationCore};
pub use role::{Assignment, AssignmentCore, Builtin, Held, Role, RoleCore};
pub use run::{Initiator, Run, RunCore, RunState};
pub use scope::{Scope, ScopeError, ScopeGrant, ScopePattern};
pub use secret::{ApiToken, ApiTokenCore, Holder, Secret, SecretCore, SecretState, SetupSecret};
pub use settings::{KillSwitch, KillSwitchCore, KillTarget, Settings, SettingsCore};
pub use stream::Stream;
