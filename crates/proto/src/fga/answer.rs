//! What clients of the OpenFGA API are answered.

use super::{ObjectRef, TupleKey};
use kernel::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;

/// A relation store.
#[derive(Clone, Debug, Serialize)]
pub struct Store {
    /// Its id, a ULID.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The same.
    pub updated_at: Timestamp,
}

/// A page of stores.
#[derive(Clone, Debug, Serialize)]
pub struct StoresResponse {
    /// The stores, oldest first.
    pub stores: Vec<Store>,
    /// What to send for the next page; empty on the last.
    pub continuation_token: String,
}

/// A model was written.
#[derive(Clone, Debug, Serialize)]
pub struct WrittenModel {
    /// Its id, a ULID.
    pub authorization_model_id: String,
}

/// A version of a model.
#[derive(Clone, Debug, Serialize)]
pub struct ModelResponse {
    /// The model with its id.
    pub authorization_model: Value,
}

/// A page of versions.
#[derive(Clone, Debug, Serialize)]
pub struct ModelsResponse {
    /// The models with their ids, newest first.
    pub authorization_models: Vec<Value>,
    /// What to send for the next page; empty on the last.
    pub continuation_token: String,
}

/// The answer to a check.
#[derive(Clone, Debug, Serialize)]
pub struct CheckResponse {
    /// Whether the user is in the relation.
    pub allowed: bool,
    /// Always empty.
    pub resolution: String,
}

/// Why one question of a batch has no answer.
#[derive(Clone, Debug, Serialize)]
pub struct CheckError {
    /// The code of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_error: Option<&'static str>,
    /// The code of a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal_error: Option<&'static str>,
    /// What happened.
    pub message: String,
}

/// The answer to one question of a batch.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// Whether the user is in the relation.
    Allowed(bool),
    /// There is no answer.
    Error(CheckError),
}

/// The answers to a batch by correlation id.
#[derive(Clone, Debug, Serialize)]
pub struct BatchCheckResponse {
    /// The answers.
    pub result: BTreeMap<String, CheckResult>,
}

/// What leads into a relation.
#[derive(Clone, Debug, Serialize)]
pub struct ExpandResponse {
    /// The tree.
    pub tree: Tree,
}

/// A tree of rewrites.
#[derive(Clone, Debug, Serialize)]
pub struct Tree {
    /// Its root.
    pub root: Node,
}

/// Several nodes.
#[derive(Clone, Debug, Serialize)]
pub struct Nodes {
    /// The nodes.
    pub nodes: Vec<Node>,
}

/// A node of the tree.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Node {
    /// `document:1#viewer`.
    pub name: String,
    /// Where the tree ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<Leaf>,
    /// The first without the second: `base` and `subtract`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<Box<Difference>>,
    /// Any of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub union: Option<Nodes>,
    /// Each of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intersection: Option<Nodes>,
}

/// The first without the second.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Who may be in.
    pub base: Node,
    /// Who is not.
    pub subtract: Node,
}

impl Node {
    /// The first without the second.
    pub fn difference(name: String, base: Node, subtract: Node) -> Self {
        Self {
            name,
            difference: Some(Box::new(Difference { base, subtract })),
            ..Self::default()
        }
    }
}

/// Where the tree ends.
#[derive(Clone, Debug)]
pub enum Leaf {
    /// Users whom tuples name.
    Users(Vec<String>),
    /// A userset to look at.
    Computed(String),
    /// Usersets to look at, and the one that names them.
    TupleToUserset(String, Vec<String>),
}

impl Serialize for Leaf {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let usersets = |all: &[String]| {
            let one = |userset: &String| serde_json::json!({ "userset": userset });
            all.iter().map(one).collect::<Vec<_>>()
        };
        let value = match self {
            Self::Users(users) => serde_json::json!({ "users": { "users": users } }),
            Self::Computed(userset) => serde_json::json!({ "computed": { "userset": userset } }),
            Self::TupleToUserset(tupleset, computed) => serde_json::json!({
                "tupleToUserset": { "tupleset": tupleset, "computed": usersets(computed) }
            }),
        };
        value.serialize(serializer)
    }
}

/// Objects that a user is in a relation of.
#[derive(Clone, Debug, Serialize)]
pub struct ListObjectsResponse {
    /// The objects, in order of their text.
    pub objects: Vec<String>,
}

/// One line of a streamed list.
#[derive(Clone, Debug, Serialize)]
pub struct StreamedObject {
    /// The object.
    pub object: String,
}

/// A user of a list.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum User {
    /// One object.
    Object(ObjectRef),
    /// The members of a relation of an object.
    Userset {
        /// The object's type.
        #[serde(rename = "type")]
        type_name: String,
        /// Its id.
        id: String,
        /// The relation.
        relation: String,
    },
    /// Every object of a type.
    Wildcard {
        /// The type.
        #[serde(rename = "type")]
        type_name: String,
    },
}

/// Users that are in a relation of an object.
#[derive(Clone, Debug, Serialize)]
pub struct ListUsersResponse {
    /// The users, in order of their text.
    pub users: Vec<User>,
}

/// A stored tuple.
#[derive(Clone, Debug, Serialize)]
pub struct Tuple {
    /// The tuple.
    pub key: TupleKey,
    /// When it was written.
    pub timestamp: Timestamp,
}

/// A page of tuples.
#[derive(Clone, Debug, Serialize)]
pub struct ReadResponse {
    /// The tuples.
    pub tuples: Vec<Tuple>,
    /// What to send for the next page; empty on the last.
    pub continuation_token: String,
}

/// What happened to a tuple.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum ChangeOperation {
    /// It was written.
    #[serde(rename = "TUPLE_OPERATION_WRITE")]
    Write,
    /// It was deleted.
    #[serde(rename = "TUPLE_OPERATION_DELETE")]
    Delete,
}

/// What happened to a tuple, and when.
#[derive(Clone, Debug, Serialize)]
pub struct TupleChange {
    /// The tuple.
    pub tuple_key: TupleKey,
    /// What happened.
    pub operation: ChangeOperation,
    /// When.
    pub timestamp: Timestamp,
}

/// A page of what happened.
#[derive(Clone, Debug, Serialize)]
pub struct ChangesResponse {
    /// In the order in which it happened.
    pub changes: Vec<TupleChange>,
    /// What to send to read on, now or later.
    pub continuation_token: String,
}

/// What is expected of a version of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Assertions {
    /// The version.
    pub authorization_model_id: String,
    /// The assertions.
    pub assertions: Vec<Value>,
}
