//! How much an organization may have of anything that can be counted, as the instance's administrators set it.
//! What is not set is not bounded; what takes authority away is never counted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An organization's quotas.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quotas {
    /// People who have not left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<u64>,
    /// Agents that are not revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<u64>,
    /// API tokens that are neither revoked nor past their end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// Requests a second, over all nodes that share a fast state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_second: Option<u64>,
}

impl Quotas {
    /// Whether nothing is bounded.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
