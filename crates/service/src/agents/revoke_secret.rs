//! Revokes one secret of an agent, with every token and run that was got with it. The agent's other secrets and
//! what was got with them stay.

use super::{
    cascade::{Below, Revoked},
    target, text,
};
use crate::{Act, Cx, Error, Meta, Method, Operation, Result, Target};
use domain::{Holder, Permission, Secret, SecretCore, SecretState, Stream};
use kernel::{Code, Grant, Id};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use store::{Refusal, Tx};

/// Revokes one secret of an agent.
pub struct RevokeSecret;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevokeSecretInput {
    /// The agent.
    id: Id<kernel::Agent>,
    /// The eight characters after the secret's prefix.
    key_id: String,
    /// Why, for the log.
    #[serde(default)]
    reason: Option<String>,
}

impl Operation for RevokeSecret {
    const META: Meta = Meta {
        summary: "Revoke one secret of an agent with everything got by it",
        tool: Some("revoke-agent-secret"),
        command: "agent revoke-secret",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "agents.revoke_secret",
            Method::Post,
            "/orgs/{org}/agents/{id}/secrets/{key_id}/revoke",
            Permission::AgentsCredentials,
        )
    };
    type Input = RevokeSecretInput;
    type Output = Revoked;

    fn target(input: &RevokeSecretInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: RevokeSecretInput) -> Result<Revoked> {
        text::free("reason", input.reason.as_deref())?;
        let (view, stream) = (cx.view()?, cx.stream()?);
        let secret = known(view, &input)?;
        if secret.state == SecretState::Revoked {
            return Err(Error::state("the secret is revoked already"));
        }
        let below = Below::of(view, &[secret.grant], &[input.id]);
        let cascaded = below.count(cx).await?;
        let act = Act::delete("agent.secret_revoked")
            .on(input.id)
            .after(json!({ "key_id": input.key_id, "covered": below.covered(&cascaded) }))
            .claimed("reason", input.reason.as_deref());
        let row = secret.id;
        let done = cx
            .commit(act, move |tx| {
                set_state(tx, stream, row, SecretState::Revoked)?;
                below.revoke(tx, stream)?;
                Ok(Revoked {
                    revoked_at: tx.now(),
                    cascaded,
                })
            })
            .await?;
        Ok(done.value)
    }
}

fn known<'a>(view: &'a View, input: &RevokeSecretInput) -> Result<&'a Arc<SecretCore>> {
    let secret = view
        .org
        .secret(&input.key_id)
        .filter(|secret| secret.holder == Holder::Agent(input.id));
    secret.ok_or_else(|| Error::not_found("secret"))
}

/// Brings a secret into a state: revoked ends it now, active takes back an end that was set.
pub(super) fn set_state(
    tx: &mut Tx<'_>,
    stream: Stream,
    id: Id<Grant>,
    state: SecretState,
) -> Result<(), Refusal> {
    let now = tx.now();
    let row = tx.get::<Secret>(stream, id.bytes())?;
    let mut secret = row
        .ok_or_else(|| Refusal::new(Code::NotFound, "no such secret here"))?
        .value;
    secret.core.state = state;
    secret.core.not_after = (state != SecretState::Active).then_some(now);
    tx.put(stream, &secret).map(|_| ())
}
