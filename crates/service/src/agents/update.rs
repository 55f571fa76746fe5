//! Changes an agent: name, labels, ceiling, connections. Making it reach further is a control act: its owner does
//! it, or somebody who may change every agent and holds every scope it could then use (RBAC-4, RBAC-8).

use super::{
    AgentAnswer, ceiling, is_owner, register::NAME_CLAIM, require_control, target, text,
    within_credential,
};
use crate::{Act, Cx, Error, Meta, Method, Operation, Result, Target, caller};
use authz::Access;
use domain::{Agent, AgentCore, AgentState, Permission, ScopeGrant, Stream, name};
use kernel::{Code, Connection, Id};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use store::{Refusal, Tx};

/// Changes an agent.
pub struct Update;

/// What it takes; what is left out stays as it is.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateInput {
    /// The agent.
    id: Id<kernel::Agent>,
    /// Its name, unique in the organization.
    #[serde(default)]
    name: Option<String>,
    /// What sort of agent it is, in your words.
    #[serde(default)]
    kind: Option<String>,
    /// The version of its code or configuration.
    #[serde(default)]
    version: Option<String>,
    /// Digest of the model it runs.
    #[serde(default)]
    model_digest: Option<String>,
    /// The most it may ever hold, all of it.
    #[serde(default)]
    scope_ceiling: Option<Vec<String>>,
    /// The connections it may use, all of them.
    #[serde(default)]
    connections: Option<Vec<Id<Connection>>>,
}

/// The input, checked and resolved.
#[derive(Clone)]
struct Change {
    name: Option<(String, String)>,
    input: UpdateInput,
    ceiling: Option<Vec<ScopeGrant>>,
    connections: Option<Vec<Id<Connection>>>,
}

impl Operation for Update {
    const META: Meta = Meta {
        summary: "Change an agent's name, version, ceiling or connections",
        tool: Some("update-agent"),
        command: "agent update",
        ..Meta::write(
            "agents.update",
            Method::Patch,
            "/orgs/{org}/agents/{id}",
            Permission::AgentsUpdate,
        )
    };
    type Input = UpdateInput;
    type Output = AgentAnswer;

    fn target(input: &UpdateInput, view: &View, _: &Cx) -> Result<Target> {
        target(view, input.id)
    }

    async fn run(cx: &Cx, input: UpdateInput) -> Result<AgentAnswer> {
        let view = cx.view()?.clone();
        let before = caller::known_agent(&view, input.id)?.clone();
        let change = prepare(&view, &before, input)?;
        let mut after = before.clone();
        change.apply_to(&mut after);
        if grows(&before, &after) {
            may_grow(cx, &after)?;
        }
        let act = Act::update("agent.updated")
            .on(before.id)
            .before(shown(&before))
            .after(told(&change, &after));
        let (stream, expected) = (cx.stream()?, cx.envelope.if_match);
        let done = cx
            .commit(act, move |tx| {
                let (agent, etag) = write(tx, stream, &change, expected)?;
                Ok(AgentAnswer::new(&view, &agent, etag))
            })
            .await?;
        Ok(done.value)
    }

    fn version(output: &AgentAnswer) -> Option<u64> {
        Some(output.etag)
    }
}

fn prepare(view: &View, before: &AgentCore, input: UpdateInput) -> Result<Change> {
    if before.state == AgentState::Revoked {
        return Err(Error::state(
            "a revoked agent does not change; register a new one",
        ));
    }
    let name = input.name.as_deref().map(name::display).transpose();
    let name = name.map_err(|error| Error::invalid("name", error.to_string()))?;
    text::label("kind", input.kind.as_deref())?;
    text::label("version", input.version.as_deref())?;
    text::label("model_digest", input.model_digest.as_deref())?;
    let named = input
        .connections
        .as_deref()
        .or(before.connections.as_deref());
    let usable = ceiling::usable(view, named)?;
    let resolve = |texts: &Vec<String>| ceiling::resolve(texts, &usable, &before.ceiling);
    let ceiling = input.scope_ceiling.as_ref().map(resolve).transpose()?;
    let connections = input
        .connections
        .as_ref()
        .map(|_| usable.iter().map(|c| c.id).collect());
    Ok(Change {
        name,
        input,
        ceiling,
        connections,
    })
}

impl Change {
    fn apply_to(&self, core: &mut AgentCore) {
        if let Some(ceiling) = &self.ceiling {
            core.ceiling.clone_from(ceiling);
        }
        if self.connections.is_some() {
            core.connections.clone_from(&self.connections);
        }
    }

    fn apply(&self, agent: &mut Agent) {
        self.apply_to(&mut agent.core);
        if let Some((shown, _)) = &self.name {
            agent.name.clone_from(shown);
        }
        for (wanted, present) in [
            (&self.input.kind, &mut agent.kind),
            (&self.input.version, &mut agent.version),
            (&self.input.model_digest, &mut agent.model_digest),
        ] {
            if wanted.is_some() {
                present.clone_from(wanted);
            }
        }
    }
}

/// Whether the agent could use a pair of connection and scope afterwards that it could not use before.
fn grows(before: &AgentCore, after: &AgentCore) -> bool {
    let usable = |core: &AgentCore, grant: &ScopeGrant| {
        core.ceiling.contains(grant) && core.may_use(grant.connection)
    };
    after
        .ceiling
        .iter()
        .any(|grant| usable(after, grant) && !usable(before, grant))
}

fn may_grow(cx: &Cx, after: &AgentCore) -> Result<()> {
    if is_owner(cx, after)? {
        return within_credential(cx, &after.ceiling);
    }
    if cx.access() != Access::All {
        return Err(Error::new(
            Code::PermissionDenied,
            "only its owner, or who may change every agent, lets it reach further",
        ));
    }
    require_control(cx, after)
}

fn shown(core: &AgentCore) -> serde_json::Value {
    json!({ "connections": core.connections, "scope_ceiling": core.ceiling })
}

/// What the entry says: the ceiling and what else changed, by field; names are not written in clear.
fn told(change: &Change, after: &AgentCore) -> serde_json::Value {
    let input = &change.input;
    json!({
        "connections": after.connections,
        "model_digest": input.model_digest,
        "renamed": input.name.is_some(),
        "scope_ceiling": after.ceiling,
        "version": input.version,
    })
}

fn write(
    tx: &mut Tx<'_>,
    stream: Stream,
    change: &Change,
    expected: Option<u64>,
) -> Result<(Agent, u64), Refusal> {
    let id = change.input.id;
    let row = tx.get::<Agent>(stream, id.bytes())?;
    let mut agent = row
        .ok_or_else(|| Refusal::new(Code::NotFound, "no such agent here"))?
        .value;
    if let Some((_, key)) = &change.name {
        rename(tx, stream, &agent.name, key, id)?;
    }
    change.apply(&mut agent);
    let etag = tx.update(stream, &agent, expected)?;
    Ok((agent, etag))
}

fn rename(
    tx: &mut Tx<'_>,
    stream: Stream,
    before: &str,
    key: &str,
    id: Id<kernel::Agent>,
) -> Result<(), Refusal> {
    if let Some((_, held)) = name::display(before).ok().filter(|(_, held)| held != key) {
        tx.release(stream, NAME_CLAIM, &held)?;
    }
    tx.claim(stream, NAME_CLAIM, key, id.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AuthMethod, GrantId, Owner, Scope};
    use kernel::Timestamp;

    fn agent(ceiling: &[(u8, &str)], connections: Option<&[u8]>) -> AgentCore {
        let grant = |(n, text): &(u8, &str)| ScopeGrant {
            connection: Id::from_bytes([*n; 16]),
            scope: Scope::parse(text).unwrap(),
        };
        AgentCore {
            id: Id::from_bytes([9; 16]),
            owner: Owner(Id::from_bytes([8; 16])),
            sponsor: Id::from_bytes([8; 16]),
            state: AgentState::Active,
            ceiling: ceiling.iter().map(grant).collect(),
            connections: connections
                .map(|ids| ids.iter().map(|n| Id::from_bytes([*n; 16])).collect()),
            grant: GrantId::from_number(1),
            method: AuthMethod::ClientSecret,
            keys: vec![],
            credential_since: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn growth_is_any_pair_that_becomes_usable() {
        let both = [(1, "a:read"), (2, "b:read")];
        let narrow = agent(&both, Some(&[1]));
        assert!(
            !grows(&agent(&both, None), &narrow),
            "naming connections takes away"
        );
        assert!(
            grows(&narrow, &agent(&both, Some(&[1, 2]))),
            "a further connection makes its pair usable"
        );
        assert!(grows(&narrow, &agent(&both, None)));
        assert!(!grows(&narrow, &agent(&[(1, "a:read")], Some(&[1]))));
        assert!(
            grows(&narrow, &agent(&[(1, "a:write")], Some(&[1]))),
            "another scope is more, not less"
        );
        assert!(
            !grows(&narrow, &agent(&both, Some(&[1, 3]))),
            "a connection without a pair gives nothing"
        );
    }
}
