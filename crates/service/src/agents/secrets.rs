//! Lists an agent's secrets: which there are and how long each counts. Never the secret, nor its hash.

use super::{
    rotation::{accepted, rotation_of},
    target,
};
use crate::{Cx, Meta, Operation, Page, PageQuery, Result, Target};
use domain::{Permission, SecretCore, SecretState};
use kernel::{Id, Rotation, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Lists an agent's secrets.
pub struct Secrets;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretsInput {
    /// The agent.
    id: Id<kernel::Agent>,
    /// Most items wanted, 1 to 200.
    #[serde(default)]
    limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to count everything.
    #[serde(default)]
    total: Option<bool>,
}

/// What is known of a secret.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SecretAnswer {
    /// The eight characters after its prefix, by which it is found.
    pub key_id: String,
    /// Life.
    pub state: SecretState,
    /// When it began to count.
    pub created_at: Timestamp,
    /// When it stops being accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// The rotation that made it, while that is open: an older secret still works beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Id<Rotation>>,
}

impl SecretAnswer {
    fn new(core: &SecretCore, now: Timestamp, rotating: bool) -> Self {
        let over = core.not_after.is_some_and(|end| end <= now);
        Self {
            key_id: core.key_id.clone(),
            state: if over {
                SecretState::Revoked
            } else {
                core.state
            },
            created_at: core.created_at,
            not_after: core.not_after,
            rotation: (rotating && !over && core.state == SecretState::Active)
                .then(|| rotation_of(core)),
        }
    }
}

impl Operation for Secrets {
    const META: Meta = Meta {
        summary: "List an agent's secrets, without the secrets",
        tool: Some("list-agent-secrets"),
        command: "agent secrets",
        ..Meta::read(
            "agents.secrets",
            "/orgs/{org}/agents/{id}/secrets",
            Permission::AgentsRead,
        )
    };
    type Input = SecretsInput;
    type Output = Page<SecretAnswer>;

    fn target(input: &SecretsInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: SecretsInput) -> Result<Page<SecretAnswer>> {
        let (view, list) = (cx.view()?, format!("agents.secrets {}", input.id));
        let page = PageQuery {
            limit: input.limit,
            cursor: input.cursor,
            total: input.total,
        };
        let (limit, after) = (page.limit()?, page.after(cx, &list)?);
        let rotating = !accepted(view, input.id, SecretState::Retiring).is_empty();
        let mut all: Vec<_> = view.org.secrets_of(input.id.bytes()).collect();
        all.sort_unstable_by_key(|secret| secret.id);
        let total =
            (page.total == Some(true)).then(|| u64::try_from(all.len()).unwrap_or(u64::MAX));
        let rest = all
            .into_iter()
            .filter(|secret| after.is_none_or(|after| secret.id.bytes() > after));
        let read = rest.take(limit + 1).map(|secret| {
            (
                secret.id.bytes(),
                SecretAnswer::new(secret, view.now, rotating),
            )
        });
        Page::cut(cx, &list, limit, read.collect(), total)
    }
}
