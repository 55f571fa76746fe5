//! Problem details (RFC 9457) with this product's stable `code` and the fields that were wrong.

use kernel::Code;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// One field that was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldError {
    /// Path of the field, dotted; empty for the body as a whole.
    pub field: String,
    /// `missing`, `unknown`, `wrong_type` or `invalid`.
    pub code: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// The limit that was reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReachedLimit {
    /// Its name in the documentation's table, or the organization's quota.
    pub name: String,
    /// Its value, in the unit of the table.
    pub value: u64,
}

/// A refusal as the management API answers it (RFC 9457 section 3.1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// A URI reference that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do, in lower case without a period.
    pub detail: String,
    /// The stable code.
    pub code: String,
    /// The fields that were wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// The limit that was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<ReachedLimit>,
    /// The request, to be quoted to the operator.
    pub request_id: String,
}

impl Problem {
    /// A problem with this code.
    pub fn new(
        code: Code,
        detail: impl Into<String>,
        errors: Vec<FieldError>,
        request_id: &str,
    ) -> Self {
        Self {
            kind: format!("/problems/{}", code.as_str()),
            title: code.as_str().replace('_', " "),
            status: code.status(),
            detail: detail.into(),
            code: code.as_str().into(),
            errors,
            limit: None,
            request_id: request_id.into(),
        }
    }

    /// The same problem with the limit that was reached.
    #[must_use]
    pub fn at(mut self, limit: Option<&kernel::limits::Limit>) -> Self {
        self.limit = limit.map(|limit| ReachedLimit {
            name: limit.name.clone(),
            value: limit.value,
        });
        self
    }
}
