//! Agents: who answers for them, how far they may ever reach, and how they prove who they are.
//! What an agent holds at a moment is not here; it is computed where it is used.

use crate::{Change, Entity, GrantId, Owner, Principal, ScopeGrant, Table};
use kernel::{Connection, Id, Timestamp, User};
use serde::{Deserialize, Serialize};

/// The life of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AgentState {
    /// Waits for its owner to accept it.
    Draft,
    /// In use.
    Active,
    /// Stopped, may be resumed.
    Suspended,
    /// Its owner left; nothing is issued.
    Escrow,
    /// Ended for good.
    Revoked,
}

/// How an agent authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// A shared secret.
    ClientSecret,
    /// A signed assertion (RFC 7523).
    PrivateKeyJwt,
}

/// A public key with which an agent signs its assertions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentKey {
    /// The key's id in the assertion's header.
    pub kid: String,
    /// The public JWK (RFC 7517) as JSON text.
    pub jwk: String,
}

/// What decisions need of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentCore {
    /// Identifier, also its client id.
    pub id: Id<kernel::Agent>,
    /// Who answers for it.
    pub owner: Owner,
    /// The human who vouches for it.
    pub sponsor: Id<User>,
    /// Life.
    pub state: AgentState,
    /// The most it may ever hold, resolved to pairs when it was written.
    pub ceiling: Vec<ScopeGrant>,
    /// The connections it may use; none named means any that its ceiling meets.
    pub connections: Option<Vec<Id<Connection>>>,
    /// Its node in the grant graph.
    pub grant: GrantId,
    /// How it authenticates.
    pub method: AuthMethod,
    /// Its public keys.
    pub keys: Vec<AgentKey>,
    /// When its present credential began to count.
    pub credential_since: Timestamp,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// What decisions need.
    pub core: AgentCore,
    /// Its name, unique in the organization.
    pub name: String,
    /// What sort of agent it is, in the organization's words.
    pub kind: Option<String>,
    /// The version of its code or configuration.
    pub version: Option<String>,
    /// Digest of the model it runs.
    pub model_digest: Option<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Who suspended it, while it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_by: Option<Principal>,
}

impl AgentCore {
    /// Whether it may use this connection at all.
    pub fn may_use(&self, connection: Id<Connection>) -> bool {
        match &self.connections {
            Some(named) => named.contains(&connection),
            None => self
                .ceiling
                .iter()
                .any(|grant| grant.connection == connection),
        }
    }
}

impl Entity for Agent {
    const TABLE: Table = Table::Agent;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Agent(self.core.clone()))
    }
}
