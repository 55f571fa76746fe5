//! Credentials that are stored only as keyed hashes.
//! The secret text itself never reaches this crate.

use crate::{Change, Entity, GrantId, Lineage, Permissions, Scope, Stream, Table};
use kernel::{Agent, Connection, Id, Org, Timestamp, Token, User};
use serde::{Deserialize, Serialize};

/// Whose secret it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Holder {
    /// An agent's client secret.
    Agent(Id<Agent>),
    /// A connection's credential for introspection.
    Connection(Id<Connection>),
}

/// The life of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretState {
    /// In use.
    Active,
    /// Accepted until its end while a newer one takes over.
    Retiring,
    /// Never accepted again.
    Revoked,
}

/// What decisions need of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretCore {
    /// Row identity, bound into the hash.
    pub id: Id<kernel::Grant>,
    /// The eight characters by which it is found.
    pub key_id: String,
    /// Whose it is.
    pub holder: Holder,
    /// HMAC-SHA-256 under the instance's pepper, 64 hexadecimal digits.
    pub hash: String,
    /// Its node in the grant graph.
    pub grant: GrantId,
    /// Life.
    pub state: SecretState,
    /// When it began to count.
    pub created_at: Timestamp,
    /// When it stops being accepted.
    pub not_after: Option<Timestamp>,
}

/// A secret of an agent or a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// What decisions need.
    pub core: SecretCore,
}

/// What decisions need of an API token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiTokenCore {
    /// Identifier.
    pub id: Id<Token>,
    /// The eight characters by which it is found.
    pub key_id: String,
    /// HMAC-SHA-256 under the instance's pepper, 64 hexadecimal digits.
    pub hash: String,
    /// The human it acts for; cut at each use to what they hold then.
    pub user: Id<User>,
    /// The most it may do on the platform.
    pub permissions: Permissions,
    /// The application scopes it may pass on.
    pub scopes: Vec<Scope>,
    /// Networks it may be used from, in CIDR form; empty means any.
    pub networks: Vec<String>,
    /// Its node in the grant graph.
    pub grant: GrantId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
    /// The grants above the credential that made it; it ends with any of them. A bootstrap token leaves none.
    #[serde(default)]
    pub above: Lineage,
    /// Whether it came from set-up: it then satisfies acts that ask for a recent sign-in.
    pub bootstrap: bool,
}

/// An API token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// What decisions need.
    pub core: ApiTokenCore,
    /// What its maker calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A link that sets up or recovers, redeemed once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupSecret {
    /// Row identity, bound into the hash.
    pub id: Id<kernel::Grant>,
    /// The eight characters by which it is found.
    pub key_id: String,
    /// HMAC-SHA-256 under the instance's pepper, 64 hexadecimal digits.
    pub hash: String,
    /// The owner it names; none for a first run, which dies once an organization exists.
    pub owner: Option<(Id<Org>, Id<User>)>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was redeemed.
    pub redeemed_at: Option<Timestamp>,
    /// Whether a caller made it and not the operator: what it gives then carries nothing of the instance.
    #[serde(default)]
    pub by_caller: bool,
}

impl Entity for Secret {
    const TABLE: Table = Table::Secret;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Secret(self.core.clone()))
    }
}

impl Entity for ApiToken {
    const TABLE: Table = Table::ApiToken;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::ApiToken(Box::new(self.core.clone())))
    }
}

impl Entity for SetupSecret {
    const TABLE: Table = Table::SetupSecret;
    fn key(&self) -> [u8; 16] {
        self.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        None
    }
    fn fixed_stream() -> Option<Stream> {
        Some(Stream::INSTANCE)
    }
}

pub(crate) mod hex16 {
    //! Sixteen bytes as 32 hexadecimal digits.
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub fn serialize<S: Serializer>(bytes: &[u8; 16], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", u128::from_be_bytes(*bytes)))
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 16], D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16)
            .map(u128::to_be_bytes)
            .map_err(D::Error::custom)
    }
}
