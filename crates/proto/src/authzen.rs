//! The Authorization API 1.0 of AuthZEN on the wire: questions, answers, searches and the metadata of a decision
//! point. Unknown fields are ignored and a field that is null counts as left out, as the standard asks. Nothing is
//! decided here.

mod read;

pub use read::{Batch, Ids, Page, Parts, Semantic, Wrong};

use kernel::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

/// A JSON object.
pub type Object = Map<String, Value>;

/// A subject or a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entity {
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its identifier within the type; empty where a search asks for it.
    pub id: String,
    /// What the caller says about it.
    pub properties: Option<Object>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// What the caller says about it.
    pub properties: Option<Object>,
}

/// A whole question.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who would do it.
    pub subject: &'a Entity,
    /// What would be done.
    pub action: &'a Action,
    /// To what.
    pub resource: &'a Entity,
    /// What the caller says about the circumstances.
    pub context: Option<&'a Object>,
}

/// An answer to a question.
#[derive(Clone, Debug, Serialize)]
pub struct Decision {
    /// Whether it is permitted.
    pub decision: bool,
    /// More about the answer.
    pub context: DecisionContext,
}

/// What an answer says beyond yes and no.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DecisionContext {
    /// Stable codes.
    pub reasons: [&'static str; 1],
    /// The revision of the organization's state on which it was decided.
    pub revision: u64,
    /// How long a permit may be used without asking again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Values that the decision depends on and that the question lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Why a question of a batch has no other answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<QuestionError>,
    /// Every step that led to the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<Value>,
}

/// What is wrong with one question of a batch.
#[derive(Clone, Debug, Serialize)]
pub struct QuestionError {
    /// The status that it would be answered with alone.
    pub status: u16,
    /// What is wrong.
    pub message: String,
}

/// The answers to a batch, in its order.
#[derive(Clone, Debug, Serialize)]
pub struct Decisions {
    /// One for each question, up to the one that settles the batch.
    pub evaluations: Vec<Decision>,
}

/// One page of what a search found.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// Where it goes on.
    pub page: NextPage,
    /// More about the answer.
    pub context: ResultsContext,
    /// What was found, in order.
    pub results: Vec<Found>,
}

/// Where a search goes on.
#[derive(Clone, Debug, Serialize)]
pub struct NextPage {
    /// What to send as `token`; empty at the end.
    pub next_token: String,
    /// How many there are on this page.
    pub count: usize,
}

/// What a search says beyond what it found.
#[derive(Clone, Debug, Serialize)]
pub struct ResultsContext {
    /// The revision of the organization's state on which it was decided.
    pub revision: u64,
    /// Set when every resource of the type is permitted, also those that nobody has named yet.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub every: bool,
}

/// One thing that a search found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Found {
    /// A subject or a resource.
    Entity {
        /// Its type.
        #[serde(rename = "type")]
        type_name: String,
        /// Its identifier.
        id: String,
    },
    /// An action.
    Action {
        /// Its name.
        name: String,
    },
}

/// Metadata of a decision point.
#[derive(Clone, Debug, Serialize)]
pub struct Metadata {
    /// Its identifier.
    pub policy_decision_point: String,
    /// Where one question is asked.
    pub access_evaluation_endpoint: String,
    /// Where several are asked.
    pub access_evaluations_endpoint: String,
    /// Where subjects are searched.
    pub search_subject_endpoint: String,
    /// Where resources are searched.
    pub search_resource_endpoint: String,
    /// Where actions are searched.
    pub search_action_endpoint: String,
}
