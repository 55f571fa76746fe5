//! Rotation of an agent's secret with a window in which old and new both work (AGT-4):
//! start makes the new one and gives the old an end; promote ends the old now; cancel ends the new and keeps the
//! old. A rotation is known by the new secret's row, so there is nothing else to keep in step.

use super::{
    cascade::Below,
    credential::{deliver, new_secret},
    require_control,
    revoke_secret::set_state,
    target,
};
use crate::{Act, Cx, Error, Meta, Method, Operation, Result, Target, caller};
use domain::{
    AgentCore, AgentState, AuthMethod, GrantId, Holder, Permission, Secret, SecretCore,
    SecretState, Stream,
};
use kernel::{Grant, Id, Micros, Rotation, Timestamp, limits};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use store::{Refusal, Tx};

const OVERLAP: i64 = 3_600;

/// Starts a rotation.
pub struct Start;
/// Ends the old secret before its time.
pub struct Promote;
/// Ends the new secret and keeps the old.
pub struct Cancel;

/// What starting takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartInput {
    /// The agent.
    id: Id<kernel::Agent>,
    /// For how long the old secret still works, in seconds; 0 revokes it with everything got by it.
    #[serde(default)]
    overlap_seconds: Option<i64>,
}

/// What promoting and cancelling take.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationInput {
    /// The rotation.
    id: Id<Rotation>,
}

/// A rotation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RotationAnswer {
    /// Identifier.
    pub id: Id<Rotation>,
    /// The agent.
    pub agent: Id<kernel::Agent>,
    /// The key id of the new secret.
    pub key_id: String,
    /// The new secret, shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Set when an earlier answer to the same request carried the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_already_delivered: Option<bool>,
    /// When the old secret stops being accepted; absent when the rotation was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_not_after: Option<Timestamp>,
}

/// The secrets of an agent that are accepted now and have no end yet, and those that have one.
pub(super) fn accepted(
    view: &View,
    agent: Id<kernel::Agent>,
    state: SecretState,
) -> Vec<&Arc<SecretCore>> {
    let counts = |secret: &&Arc<SecretCore>| {
        secret.state == state && secret.not_after.is_none_or(|end| end > view.now)
    };
    view.org.secrets_of(agent.bytes()).filter(counts).collect()
}

/// A rotation is known by the secret it made.
pub(super) const fn rotation_of(new: &SecretCore) -> Id<Rotation> {
    Id::from_bytes(new.id.bytes())
}

impl Operation for Start {
    const META: Meta = Meta {
        summary: "Start rotating an agent's secret; old and new both work for a while",
        command: "agent rotate-secret",
        status: 201,
        ..Meta::write(
            "agents.rotate_secret",
            Method::Post,
            "/orgs/{org}/agents/{id}/secret-rotations",
            Permission::AgentsCredentials,
        )
    };
    type Input = StartInput;
    type Output = RotationAnswer;

    fn target(input: &StartInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: StartInput) -> Result<RotationAnswer> {
        let (view, stream) = (cx.view()?, cx.stream()?);
        let agent = caller::known_agent(view, input.id)?;
        let overlap = overlap(input.overlap_seconds)?;
        may_rotate(cx, view, agent)?;
        let old: Vec<(Id<Grant>, GrantId)> = accepted(view, agent.id, SecretState::Active)
            .iter()
            .map(|secret| (secret.id, secret.grant))
            .collect();
        let (secret, minted) = new_secret(cx, Holder::Agent(agent.id), cx.id())?;
        let emergency = overlap.get() == 0;
        // Without an overlap the old secret is taken to be in wrong hands: what was got with it ends too.
        let suspect: Vec<GrantId> = old
            .iter()
            .filter(|_| emergency)
            .map(|(_, grant)| *grant)
            .collect();
        let below = Below::of(view, &suspect, &[agent.id]);
        let cascaded = below.count(cx).await?;
        let end = view.now.plus(overlap);
        let answer = RotationAnswer {
            id: Id::from_bytes(secret.core.id.bytes()),
            agent: agent.id,
            key_id: secret.core.key_id.clone(),
            client_secret: None,
            secret_already_delivered: Some(true),
            old_not_after: Some(end),
        };
        let act = started(agent, &answer, emergency.then(|| below.covered(&cascaded)));
        let done = cx
            .commit(act, move |tx| {
                old.iter()
                    .try_for_each(|(id, _)| retire(tx, stream, *id, end))?;
                below.revoke(tx, stream)?;
                tx.insert(stream, &secret)?;
                Ok(answer.clone())
            })
            .await?;
        let (client_secret, secret_already_delivered) =
            deliver(cx, done.replayed, Some(minted.reveal()));
        Ok(RotationAnswer {
            client_secret,
            secret_already_delivered,
            ..done.value
        })
    }
}

fn overlap(seconds: Option<i64>) -> Result<Micros> {
    let seconds = seconds.unwrap_or(OVERLAP);
    let most = limits::ROTATION_OVERLAP.as_seconds();
    if !(0..=most).contains(&seconds) {
        return Err(Error::invalid(
            "overlap_seconds",
            format!("must be within 0 and {most}"),
        ));
    }
    Ok(Micros::seconds(seconds))
}

fn may_rotate(cx: &Cx, view: &View, agent: &AgentCore) -> Result<()> {
    require_control(cx, agent)?;
    if agent.method != AuthMethod::ClientSecret {
        return Err(Error::state(
            "this agent signs with keys of its own and has no secret to rotate",
        ));
    }
    if agent.state == AgentState::Revoked {
        return Err(Error::state("the agent is revoked; register a new one"));
    }
    if !accepted(view, agent.id, SecretState::Retiring).is_empty() {
        let open = accepted(view, agent.id, SecretState::Active);
        let open = open
            .iter()
            .map(|new| rotation_of(new).to_string())
            .collect::<Vec<_>>();
        return Err(Error::state(format!(
            "rotation_in_progress: promote or cancel the open rotation first: {}",
            open.join(", ")
        )));
    }
    Ok(())
}

fn started(agent: &AgentCore, answer: &RotationAnswer, covered: Option<serde_json::Value>) -> Act {
    Act::update("agent.secret_rotation_started")
        .on(agent.id)
        .after(json!({
            "covered": covered,
            "key_id": answer.key_id,
            "old_not_after": answer.old_not_after,
            "rotation": answer.id,
        }))
}

fn retire(tx: &mut Tx<'_>, stream: Stream, id: Id<Grant>, end: Timestamp) -> Result<(), Refusal> {
    if end <= tx.now() {
        return set_state(tx, stream, id, SecretState::Revoked);
    }
    let Some(mut secret) = tx.get::<Secret>(stream, id.bytes())?.map(|row| row.value) else {
        return Ok(());
    };
    secret.core.state = SecretState::Retiring;
    secret.core.not_after = Some(end);
    tx.put(stream, &secret).map(|_| ())
}

/// The agent whose secret a rotation made.
fn agent_of(view: &View, rotation: Id<Rotation>) -> Result<(&AgentCore, &Arc<SecretCore>)> {
    let found = view.org.agents().find_map(|agent| {
        let mut secrets = view.org.secrets_of(agent.id.bytes());
        secrets
            .find(|secret| secret.id.bytes() == rotation.bytes())
            .map(|secret| (agent.as_ref(), secret))
    });
    found.ok_or_else(|| Error::not_found("rotation"))
}

/// A rotation that is under way.
struct Open<'a> {
    agent: &'a AgentCore,
    new: &'a SecretCore,
    old: Vec<Id<Grant>>,
}

/// An open rotation: its new secret counts, and there is an old one with an end that has not come.
fn open(view: &View, rotation: Id<Rotation>) -> Result<Open<'_>> {
    let (agent, new) = agent_of(view, rotation)?;
    let old: Vec<_> = accepted(view, agent.id, SecretState::Retiring)
        .iter()
        .map(|secret| secret.id)
        .collect();
    if new.state != SecretState::Active || old.is_empty() {
        return Err(Error::state("the rotation is over; start another"));
    }
    Ok(Open { agent, new, old })
}

fn rotation_target(view: &View, rotation: Id<Rotation>) -> Result<Target> {
    let (agent, _) = agent_of(view, rotation)?;
    let owners = caller::owners_of(agent);
    Ok(Target::Thing {
        noun: "rotation",
        owners,
        read: Permission::AgentsRead,
    })
}

fn over(
    rotation: Id<Rotation>,
    agent: &AgentCore,
    new: &SecretCore,
    old_not_after: Option<Timestamp>,
) -> RotationAnswer {
    RotationAnswer {
        id: rotation,
        agent: agent.id,
        key_id: new.key_id.clone(),
        client_secret: None,
        secret_already_delivered: None,
        old_not_after,
    }
}

impl Operation for Promote {
    const META: Meta = Meta {
        summary: "Finish a rotation now: the old secret stops working",
        tool: Some("promote-secret-rotation"),
        command: "agent promote-rotation",
        ..Meta::write(
            "agents.promote_rotation",
            Method::Post,
            "/orgs/{org}/secret-rotations/{id}/promote",
            Permission::AgentsCredentials,
        )
    };
    type Input = RotationInput;
    type Output = RotationAnswer;

    fn target(input: &RotationInput, view: &View, _: &Cx) -> Result<Target> {
        rotation_target(view, input.id)
    }

    async fn run(cx: &Cx, input: RotationInput) -> Result<RotationAnswer> {
        let (view, stream) = (cx.view()?, cx.stream()?);
        let Open { agent, new, old } = open(view, input.id)?;
        let answer = over(input.id, agent, new, Some(view.now));
        let act = Act::update("agent.secret_rotation_promoted")
            .on(agent.id)
            .after(json!({ "key_id": new.key_id, "rotation": input.id }));
        let done = cx
            .commit(act, move |tx| {
                old.iter()
                    .try_for_each(|id| set_state(tx, stream, *id, SecretState::Revoked))?;
                Ok(answer.clone())
            })
            .await?;
        Ok(done.value)
    }
}

impl Operation for Cancel {
    const META: Meta = Meta {
        summary: "Cancel a rotation: the new secret is revoked, the old one stays",
        tool: Some("cancel-secret-rotation"),
        command: "agent cancel-rotation",
        ..Meta::write(
            "agents.cancel_rotation",
            Method::Post,
            "/orgs/{org}/secret-rotations/{id}/cancel",
            Permission::AgentsCredentials,
        )
    };
    type Input = RotationInput;
    type Output = RotationAnswer;

    fn target(input: &RotationInput, view: &View, _: &Cx) -> Result<Target> {
        rotation_target(view, input.id)
    }

    async fn run(cx: &Cx, input: RotationInput) -> Result<RotationAnswer> {
        let (view, stream) = (cx.view()?, cx.stream()?);
        let Open { agent, new, old } = open(view, input.id)?;
        let below = Below::of(view, &[new.grant], &[agent.id]);
        let cascaded = below.count(cx).await?;
        let answer = over(input.id, agent, new, None);
        let act = Act::update("agent.secret_rotation_cancelled")
            .on(agent.id)
            .after(json!({ "covered": below.covered(&cascaded), "key_id": new.key_id, "rotation": input.id }));
        let row = new.id;
        let done = cx
            .commit(act, move |tx| {
                set_state(tx, stream, row, SecretState::Revoked)?;
                old.iter()
                    .try_for_each(|id| set_state(tx, stream, *id, SecretState::Active))?;
                below.revoke(tx, stream)?;
                Ok(answer.clone())
            })
            .await?;
        Ok(done.value)
    }
}
