//! An agent as the management API shows it. Nothing secret is in it.

use domain::{
    Agent, AgentCore, AgentState, AuthMethod, Scope,
    trust::{Level, TrustEventCore},
};
use kernel::{Connection, Id, Timestamp, User};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A score with its band.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// 0 to 100.
    pub score: u8,
    /// The band.
    pub level: Level,
}

impl Score {
    /// The score with its band.
    pub const fn of(score: u8) -> Self {
        let level = Level::of(score);
        Self { score, level }
    }
}

/// One entry of a ceiling: a scope of one connection.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct CeilingEntry {
    /// The connection that declares the scope.
    pub connection: Id<Connection>,
    /// The scope.
    pub scope: Scope,
}

/// How an agent authenticates, without its secrets.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AuthAnswer {
    /// The method.
    pub method: AuthMethod,
    /// The key ids of its public keys.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_ids: Vec<String>,
}

/// An agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentAnswer {
    /// Identifier.
    pub id: Id<kernel::Agent>,
    /// Its client id at the token endpoint, which is its identifier.
    pub client_id: Id<kernel::Agent>,
    /// Its secret, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Set when an earlier answer to the same request carried the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_already_delivered: Option<bool>,
    /// Its name.
    pub name: String,
    /// What sort of agent it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The version of its code or configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Digest of the model it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_digest: Option<String>,
    /// Life.
    pub state: AgentState,
    /// Who answers for it.
    pub owner: Id<User>,
    /// The human who vouches for it.
    pub sponsor: Id<User>,
    /// The most it may ever hold, by name.
    pub scope_ceiling: Vec<Scope>,
    /// The same, each with the connection that declares it.
    pub ceiling: Vec<CeilingEntry>,
    /// The connections it may use; absent means any that its ceiling meets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Vec<Id<Connection>>>,
    /// How it authenticates.
    pub auth: AuthAnswer,
    /// Its trust now.
    pub trust: Score,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Counts its changes; send it as `If-Match`.
    pub etag: u64,
}

impl AgentAnswer {
    /// An agent at this version of its row, with its trust as of the view.
    pub fn new(view: &View, agent: &Agent, etag: u64) -> Self {
        Self::scored(agent, authz::trust_now(view, &agent.core, view.now), etag)
    }

    /// An agent with a score that was worked out elsewhere, as for one that no view knows yet.
    pub fn scored(agent: &Agent, score: u8, etag: u64) -> Self {
        let core = agent.core.clone();
        let entry = |grant: domain::ScopeGrant| CeilingEntry {
            connection: grant.connection,
            scope: grant.scope,
        };
        let key_ids = core.keys.into_iter().map(|key| key.kid).collect();
        Self {
            id: core.id,
            client_id: core.id,
            client_secret: None,
            secret_already_delivered: None,
            name: agent.name.clone(),
            kind: agent.kind.clone(),
            version: agent.version.clone(),
            model_digest: agent.model_digest.clone(),
            state: core.state,
            owner: core.owner.0,
            sponsor: core.sponsor,
            scope_ceiling: scopes(&agent.core),
            ceiling: core.ceiling.into_iter().map(entry).collect(),
            connections: core.connections,
            auth: AuthAnswer {
                method: core.method,
                key_ids,
            },
            trust: Score::of(score),
            created_at: agent.created_at,
            etag,
        }
    }
}

/// The names in a ceiling, sorted, each once.
pub(super) fn scopes(core: &AgentCore) -> Vec<Scope> {
    let mut names: Vec<Scope> = core.ceiling.iter().map(|g| g.scope.clone()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The trust of an agent that is about to exist, with a fresh credential and what it takes over.
pub(super) fn first_score(view: &View, core: &AgentCore, events: &[TrustEventCore]) -> u8 {
    let facts = domain::trust::Facts {
        state: core.state,
        method: core.method,
        credential_since: Some(core.credential_since),
        owner_active: authz::stands(view, core.owner.0),
        events,
    };
    domain::trust::score(facts, view.now)
}
