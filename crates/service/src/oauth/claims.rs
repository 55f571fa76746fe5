//! The claims of tokens issued here (RFC 9068 section 2.2, and ours beyond it). What decides is looked up again
//! at each use; claims only say what was so at the issue.

use domain::{GrantId, Lineage};
use kernel::{Agent, Id, Org, Run};
use proto::oauth::TrustClaim;
use serde::{Deserialize, Serialize};

/// The claims of one token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The organization's issuer.
    pub iss: String,
    /// The agent.
    pub sub: Id<Agent>,
    /// Exactly one audience.
    pub aud: String,
    /// When it ends, seconds.
    pub exp: i64,
    /// When it was issued, seconds.
    pub iat: i64,
    /// Its identifier: sixteen random bytes, base64url.
    pub jti: String,
    /// The client, which is the agent.
    pub client_id: Id<Agent>,
    /// What it is good for, joined by spaces.
    pub scope: String,
    /// The organization.
    pub org: Id<Org>,
    /// The grants above it, sorted.
    pub lin: Vec<GrantId>,
    /// The state revision of the organization that it was decided on. An `issued_before` mark of a later revision
    /// ends it; a token that does not say counts as the oldest.
    #[serde(default)]
    pub rev: u64,
    /// The run it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<Id<Run>>,
    /// The transaction it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<String>,
    /// The agent's trust at the issue.
    pub trust: TrustClaim,
    /// Set on a capability token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cap: bool,
}

impl Claims {
    /// The lineage as a set.
    pub fn lineage(&self) -> Option<Lineage> {
        Lineage::union(self.lin.iter().copied()).ok()
    }
}
