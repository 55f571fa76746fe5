//! Relation stores: where an organization keeps who is related to what, the versions of the model that gives relations
//! their meaning, and the tuples themselves. What a tuple means is decided elsewhere; here it is text that is kept.

use crate::{Change, Entity, Table};
use kernel::{Id, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What decisions need of a relation store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationStoreCore {
    /// Identifier.
    pub id: Id<kernel::RelationStore>,
    /// Whether it is the organization's own store, by the name `main`.
    pub main: bool,
    /// Whether it was deleted. Nothing brings it back.
    pub deleted: bool,
}

/// A relation store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationStore {
    /// What decisions need.
    pub core: RelationStoreCore,
    /// Its name; several may have the same.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What decisions need of a version of an authorization model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationModelCore {
    /// Identifier. Of two versions of a store the later one has the greater identifier.
    pub id: Id<kernel::AuthorizationModel>,
    /// The store that it is of.
    pub store: Id<kernel::RelationStore>,
    /// The model as JSON, in the form of the OpenFGA API and without an id.
    pub model: String,
}

/// A version of an authorization model. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationModel {
    /// What decisions need.
    pub core: AuthorizationModelCore,
    /// When it was written.
    pub created_at: Timestamp,
}

/// What somebody expects of a version of a model; kept for them, asked by no decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationAssertions {
    /// The version.
    pub model: Id<kernel::AuthorizationModel>,
    /// The assertions as they were sent.
    pub assertions: Vec<Value>,
}

/// What makes a tuple the same tuple.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RelationKey {
    /// `type:id`.
    #[serde(rename = "o")]
    pub object: String,
    /// The relation.
    #[serde(rename = "r")]
    pub relation: String,
    /// `type:id`, `type:*` or `type:id#relation`.
    #[serde(rename = "u")]
    pub subject: String,
}

/// The condition under which a tuple counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationCondition {
    /// Its name in the model.
    #[serde(rename = "n")]
    pub name: String,
    /// Values for it.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Map<String, Value>>,
}

/// A tuple: a key, and what limits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationTuple {
    /// The key.
    #[serde(flatten)]
    pub key: RelationKey,
    /// The condition under which it counts.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<RelationCondition>,
    /// The moment from which it counts.
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// The moment from which it no longer counts.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
}

/// What one write did to the tuples of a store: first what is gone, then what is there as given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelationsCore {
    /// The store.
    pub store: Id<kernel::RelationStore>,
    /// Tuples that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deleted: Vec<RelationKey>,
    /// Tuples that are as given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written: Vec<RelationTuple>,
}

impl RelationTuple {
    /// The tuple of a key that always counts.
    pub const fn always(key: RelationKey) -> Self {
        Self {
            key,
            condition: None,
            valid_from: None,
            valid_until: None,
        }
    }
}

impl Entity for RelationStore {
    const TABLE: Table = Table::RelationStore;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::RelationStore(self.core))
    }
}

impl Entity for AuthorizationModel {
    const TABLE: Table = Table::AuthorizationModel;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::AuthorizationModel(Box::new(self.core.clone())))
    }
}

impl Entity for RelationAssertions {
    const TABLE: Table = Table::RelationAssertions;
    fn key(&self) -> [u8; 16] {
        self.model.bytes()
    }
    fn change(&self) -> Option<Change> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_tuples_are_short_and_move_no_authority() {
        let key = |subject: &str| RelationKey {
            object: "document:1".into(),
            relation: "viewer".into(),
            subject: subject.into(),
        };
        let change = Change::Relations(Box::new(RelationsCore {
            store: Id::from_bytes([7; 16]),
            deleted: vec![key("user:bob")],
            written: vec![RelationTuple::always(key("user:anne"))],
        }));
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(
            text,
            r#"{"t":"relations","c":{"store":"rst_0707070707070707070707070707","deleted":[{"o":"document:1","r":"viewer","u":"user:bob"}],"written":[{"o":"document:1","r":"viewer","u":"user:anne"}]}}"#
                .replace("rst_0707070707070707070707070707", &Id::<kernel::RelationStore>::from_bytes([7; 16]).to_string())
        );
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
        assert!(!change.moves_authority());
    }
}
