//! A connection as the management API shows it. Its credential is in the answer to its making and nowhere else.

use domain::{Class, Connection, Label, Scope, TokenFormat};
use kernel::{Id, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A connection.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ConnectionAnswer {
    /// Identifier.
    pub id: Id<kernel::Connection>,
    /// Its client id at introspection, when it has a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<Id<kernel::Connection>>,
    /// Its secret for introspection, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Set when an earlier answer to the same request carried the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_already_delivered: Option<bool>,
    /// Its name.
    pub name: String,
    /// The audience of tokens made for it, canonical.
    pub audience: String,
    /// The least trust an agent needs.
    pub min_trust: u8,
    /// Scopes it declares.
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
    /// When it was made.
    pub created_at: Timestamp,
    /// Version for `If-Match`.
    pub version: u64,
}

impl ConnectionAnswer {
    /// A connection at this version of its row.
    pub fn new(connection: &Connection, version: u64) -> Self {
        let core = connection.core.clone();
        Self {
            id: core.id,
            client_id: core.introspection.then_some(core.id),
            client_secret: None,
            secret_already_delivered: None,
            name: connection.name.clone(),
            audience: core.audience,
            min_trust: core.min_trust,
            scopes: core.scopes,
            operations: core.operations,
            scope_classes: core.scope_classes,
            labels: core.labels,
            format: core.format,
            introspection: core.introspection,
            created_at: connection.created_at,
            version,
        }
    }
}
