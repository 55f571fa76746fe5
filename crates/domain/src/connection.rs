//! Connections: the configured ways from agents to downstream systems. A connection is an audience, declares
//! scopes, maps operations to classes and has its own minimum of trust.

use crate::{Change, Entity, Scope, Table};
use kernel::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How much harm an operation can do, mildest first.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Only looks.
    Read,
    /// Changes something that can be changed back.
    Write,
    /// Changes something for good.
    Destructive,
    /// Sends something outside.
    External,
    /// Costs money.
    Spend,
    /// Changes who may do what; also anything that is not mapped.
    Admin,
}

impl Class {
    /// Every class, mildest first.
    pub const ALL: [Class; 6] = [
        Self::Read,
        Self::Write,
        Self::Destructive,
        Self::External,
        Self::Spend,
        Self::Admin,
    ];
    /// The class's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
            Self::External => "external",
            Self::Spend => "spend",
            Self::Admin => "admin",
        }
    }
    /// The class with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == text)
    }
}

/// What may flow through a connection.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// It shows private data.
    PrivateData,
    /// It takes in what strangers wrote.
    UntrustedInput,
    /// It can send data out.
    Egress,
}

/// The form of access tokens made for a connection.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum TokenFormat {
    /// A JWT that the audience can verify by itself (RFC 9068).
    #[default]
    Jwt,
    /// A sealed text that only introspection can read.
    Opaque,
}

/// What decisions need of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionCore {
    /// Identifier, also its client id at introspection.
    pub id: Id<kernel::Connection>,
    /// The audience of tokens made for it, canonical.
    pub audience: String,
    /// The least trust an agent needs.
    pub min_trust: u8,
    /// Scopes it declares, sorted.
    pub scopes: Vec<Scope>,
    /// The class of each known operation.
    pub operations: BTreeMap<String, Class>,
    /// The class of a scope, where it is not the one its name suggests.
    pub scope_classes: BTreeMap<Scope, Class>,
    /// What may flow through it.
    pub labels: Vec<Label>,
    /// The form of tokens made for it.
    pub format: TokenFormat,
    /// Whether it may introspect the tokens made for it.
    pub introspection: bool,
}

impl ConnectionCore {
    /// The class of a scope: as configured, else read when a part of its name says so, else write.
    pub fn scope_class(&self, scope: &Scope) -> Class {
        let suggested = if scope.reads() {
            Class::Read
        } else {
            Class::Write
        };
        self.scope_classes.get(scope).copied().unwrap_or(suggested)
    }
    /// The class of an operation: as configured; a name such as `spend:refund` may only raise it;
    /// what is not mapped is admin (GATE-8).
    pub fn operation_class(&self, operation: &str) -> Class {
        let (claimed, name) = match operation.split_once(':') {
            Some((prefix, rest)) => (Class::parse(prefix), rest),
            None => (None, operation),
        };
        let mapped = self
            .operations
            .get(operation)
            .or_else(|| self.operations.get(name))
            .copied();
        match (mapped, claimed) {
            (Some(mapped), Some(claimed)) => mapped.max(claimed),
            (Some(mapped), None) => mapped,
            (None, _) => Class::Admin,
        }
    }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// What decisions need.
    pub core: ConnectionCore,
    /// Its name, unique in the organization.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Entity for Connection {
    const TABLE: Table = Table::Connection;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Connection(self.core.clone()))
    }
}
