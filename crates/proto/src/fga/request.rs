//! What clients of the OpenFGA API send.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// `null` where nothing is.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    source: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(source).map(Option::unwrap_or_default)
}

/// How current an answer must be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Consistency {
    /// Nothing was said.
    #[default]
    #[serde(rename = "UNSPECIFIED")]
    Unspecified,
    /// As current as what the node knows.
    #[serde(rename = "MINIMIZE_LATENCY")]
    MinimizeLatency,
    /// As current as the database.
    #[serde(rename = "HIGHER_CONSISTENCY")]
    HigherConsistency,
}

/// The condition of a tuple.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Its name in the model.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
    /// Values for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Map<String, Value>>,
}

/// A tuple, or what is asked of one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TupleKey {
    /// `type:id`, `type:*` or `type:id#relation`.
    #[serde(default, deserialize_with = "nullable")]
    pub user: String,
    /// The relation.
    #[serde(default, deserialize_with = "nullable")]
    pub relation: String,
    /// `type:id`.
    #[serde(default, deserialize_with = "nullable")]
    pub object: String,
    /// The condition under which it counts.
    #[serde(default)]
    pub condition: Option<Condition>,
}

/// Tuples that a question brings along.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ContextualTuples {
    /// The tuples.
    #[serde(default, deserialize_with = "nullable")]
    pub tuple_keys: Vec<TupleKey>,
}

/// `POST /stores`
#[derive(Clone, Debug, Deserialize)]
pub struct CreateStoreRequest {
    /// Its name.
    #[serde(default, deserialize_with = "nullable")]
    pub name: String,
}

/// `POST …/check`
#[derive(Clone, Debug, Deserialize)]
pub struct CheckRequest {
    /// What is asked.
    #[serde(default, deserialize_with = "nullable")]
    pub tuple_key: TupleKey,
    /// Tuples beside the stored ones.
    #[serde(default, deserialize_with = "nullable")]
    pub contextual_tuples: ContextualTuples,
    /// The version of the model; the latest without it.
    #[serde(default, deserialize_with = "nullable")]
    pub authorization_model_id: String,
    /// Values for conditions.
    #[serde(default)]
    pub context: Option<Map<String, Value>>,
    /// How current the answer must be.
    #[serde(default, deserialize_with = "nullable")]
    pub consistency: Consistency,
}

/// One question of a batch.
#[derive(Clone, Debug, Deserialize)]
pub struct BatchCheckItem {
    /// What is asked.
    #[serde(default, deserialize_with = "nullable")]
    pub tuple_key: TupleKey,
    /// Tuples beside the stored ones.
    #[serde(default, deserialize_with = "nullable")]
    pub contextual_tuples: ContextualTuples,
    /// Values for conditions.
    #[serde(default)]
    pub context: Option<Map<String, Value>>,
    /// Under which its answer is found.
    #[serde(default, deserialize_with = "nullable")]
    pub correlation_id: String,
}

/// `POST …/batch-check`
#[derive(Clone, Debug, Deserialize)]
pub struct BatchCheckRequest {
    /// The questions.
    #[serde(default, deserialize_with = "nullable")]
    pub checks: Vec<BatchCheckItem>,
    /// The version of the model; the latest without it.
    #[serde(default, deserialize_with = "nullable")]
    pub authorization_model_id: String,
    /// How current the answers must be.
    #[serde(default, deserialize_with = "nullable")]
    pub consistency: Consistency,
}

/// `POST …/expand`
#[derive(Clone, Debug, Deserialize)]
pub struct ExpandRequest {
    /// The relation and the object.
    #[serde(default, deserialize_with = "nullable")]
    pub tuple_key: TupleKey,
    /// The version of the model; the latest without it.
    #[serde(default, deserialize_with = "nullable")]
    pub authorization_model_id: String,
    /// Tuples beside the stored ones.
    #[serde(default, deserialize_with = "nullable")]
    pub contextual_tuples: ContextualTuples,
    /// How current the answer must be.
    #[serde(default, deserialize_with = "nullable")]
    pub consistency: Consistency,
}

/// `POST …/list-objects` and `POST …/streamed-list-objects`
#[derive(Clone, Debug, Deserialize)]
pub struct ListObjectsRequest {
    /// The version of the model; the latest without it.
    #[serde(default, deserialize_with = "nullable")]
    pub authorization_model_id: String,
    /// The type of the objects.
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub type_name: String,
    /// Their relation.
    #[serde(default, deserialize_with = "nullable")]
    pub relation: String,
    /// Who is in it.
    #[serde(default, deserialize_with = "nullable")]
    pub user: String,
    /// Tuples beside the stored ones.
    #[serde(default, deserialize_with = "nullable")]
    pub contextual_tuples: ContextualTuples,
    /// Values for conditions.
    #[serde(default)]
    pub context: Option<Map<String, Value>>,
    /// How current the answer must be.
    #[serde(default, deserialize_with = "nullable")]
    pub consistency: Consistency,
}

/// An object in two parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRef {
    /// Its type.
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub type_name: String,
    /// Its id.
    #[serde(default, deserialize_with = "nullable")]
    pub id: String,
}

/// Which users are wanted.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct UserFilter {
    /// Their type.
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub type_name: String,
    /// For usersets, their relation.
    #[serde(default, deserialize_with = "nullable")]
    pub relation: String,
}

/// `POST …/list-users`
#[derive(Clone, Debug, Deserialize)]
pub struct ListUsersRequest {
    /// The version of the model; the latest without it.
    #[serde(default, deserialize_with = "nullable")]
    pub authorization_model_id: String,
    /// The object.
    #[serde(default, deserialize_with = "nullable")]
    pub object: ObjectRef,
    /// Its relation.
    #[serde(default, deserialize_with = "nullable")]
    pub relation: String,
    /// Which users are wanted.
    #[serde(default, deserialize_with = "nullable")]
    pub user_filters: Vec<UserFilter>,
    /// Tuples beside the stored ones.
    #[serde(default, deserialize_with = "nullable")]
    pub contextual_tuples: Vec<TupleKey>,
    /// Values for conditions.
    #[serde(default)]
    pub context: Option<Map<String, Value>>,
    /// How current the answer must be.
    #[serde(default, deserialize_with = "nullable")]
    pub consistency: Consistency,
}

/// Tuples to write.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Writes {
    /// The tuples.
    #[serde(default, deserialize_with = "nullable")]
    pub tuple_keys: Vec<TupleKey>,
    /// `error` or `ignore`.
    #[serde(default, deserialize_with = "nullable")]
    pub on_duplicate: String,
}

/// Tuples to delete.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Deletes {
    /// Their keys.
    #[serde(default, deserialize_with = "nullable")]
    pub tuple_keys: Vec<TupleKey>,
    /// `error` or `ignore`.
    #[serde(default, deserialize_with = "nullable")]
    pub on_missing: String,
}

/// `POST …/write`
#[derive(Clone, Debug, Deserialize)]
pub struct WriteRequest {
    /// Tuples to write.
    #[serde(default, deserialize_with = "nullable")]
    pub writes: Writes,
    /// Tuples to delete.
    #[serde(default, deserialize_with = "nullable")]
    pub deletes: Deletes,
    /// The version of the model; the latest without it.
    #[serde(default, deserialize_with = "nullable")]
    pub authorization_model_id: String,
}

/// `POST …/read`
#[derive(Clone, Debug, Deserialize)]
pub struct ReadRequest {
    /// What tuples are wanted; everything that is not empty must fit.
    #[serde(default)]
    pub tuple_key: Option<TupleKey>,
    /// At most so many.
    #[serde(default)]
    pub page_size: Option<i64>,
    /// Where the page before ended.
    #[serde(default, deserialize_with = "nullable")]
    pub continuation_token: String,
    /// How current the answer must be.
    #[serde(default, deserialize_with = "nullable")]
    pub consistency: Consistency,
}

/// `PUT …/assertions/{model}`
#[derive(Clone, Debug, Deserialize)]
pub struct WriteAssertionsRequest {
    /// The assertions.
    #[serde(default, deserialize_with = "nullable")]
    pub assertions: Vec<Value>,
}
