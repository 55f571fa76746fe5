//! Registers an agent under a human owner. It is a draft until that human accepts it, unless they registered it
//! themselves; what it may really do is cut at each use to what the owner holds then.

use super::{
    answer::{AgentAnswer, first_score},
    ceiling,
    credential::{AuthInput, deliver, new_secret},
    predecessors, text, within_credential,
};
use crate::{
    Act, Cx, Error, Meta, Method, Operation, Result, Target, new_subject_key,
    quotas::{self, Counted, Quota},
    secret::Minted,
};
use authz::Facts;
use domain::{
    Agent, AgentCore, AgentState, AuthMethod, GrantId, Holder, Owner, Permission, Principal,
    Secret, Stream, SubjectKey, name, trust::TrustEvent,
};
use kernel::{Code, Connection, Id, Micros, User, limit, limits};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;
use store::{Refusal, Tx};

/// Registers an agent.
pub struct Register;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterInput {
    /// Its name, unique in the organization.
    name: String,
    /// The human who answers for it, an active member.
    #[serde(deserialize_with = "person")]
    owner: Id<User>,
    /// The human who vouches for it, an active member; the owner unless given.
    #[serde(default)]
    sponsor: Option<Id<User>>,
    /// What sort of agent it is, in your words.
    #[serde(default)]
    kind: Option<String>,
    /// The version of its code or configuration.
    #[serde(default)]
    version: Option<String>,
    /// Digest of the model it runs.
    #[serde(default)]
    model_digest: Option<String>,
    /// The connections it may use; left out, any that its ceiling meets.
    #[serde(default)]
    connections: Option<Vec<Id<Connection>>>,
    /// The most it may ever hold: scopes that its connections declare, no wildcards.
    scope_ceiling: Vec<String>,
    /// How it authenticates.
    auth: AuthInput,
}

/// Says who can own an agent, since an id of another kind is the likely mistake (AGT-12).
fn person<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Id<User>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refuse = |_| {
        D::Error::custom(
            "an agent is owned by a person, such as usr_01h…; a team, an agent or a token cannot own one here",
        )
    };
    text.parse().map_err(refuse)
}

/// Everything that the commit writes.
#[derive(Clone)]
struct Registration {
    agent: Agent,
    name_key: String,
    subject: SubjectKey,
    secret: Option<Secret>,
    history: Vec<TrustEvent>,
}

impl Operation for Register {
    const META: Meta = Meta {
        summary: "Register an agent under a human owner",
        command: "agent register",
        status: 201,
        ..Meta::write(
            "agents.register",
            Method::Post,
            "/orgs/{org}/agents",
            Permission::AgentsCreate,
        )
    };
    type Input = RegisterInput;
    type Output = AgentAnswer;

    /// Own reach is enough for one's own agent.
    fn target(input: &RegisterInput, view: &View, _: &Cx) -> Result<Target> {
        if view.membership(input.owner).is_none() {
            return Err(Error::not_found("user"));
        }
        let owners = vec![Principal::User(input.owner)];
        Ok(Target::Thing {
            noun: "user",
            owners,
            read: Permission::UsersRead,
        })
    }

    async fn run(cx: &Cx, input: RegisterInput) -> Result<AgentAnswer> {
        let (mut registration, minted) = prepare(cx, &input)?;
        let core = &registration.agent.core;
        registration.history = predecessors::taken_over(cx, core, &registration.name_key).await?;
        let events: Vec<_> = registration
            .history
            .iter()
            .map(|event| event.core.clone())
            .collect();
        let score = first_score(cx.view()?, core, &events);
        let answer = AgentAnswer {
            secret_already_delivered: minted.is_some().then_some(true),
            ..AgentAnswer::scored(&registration.agent, score, 1)
        };
        let stream = cx.stream()?;
        let quota = Quota::of(cx, Counted::Agents).await?;
        let done = cx
            .commit(act(&registration), move |tx| {
                quotas::check(quota.as_ref(), tx, stream)?;
                write(tx, stream, &registration)?;
                Ok(answer.clone())
            })
            .await?;
        let (client_secret, secret_already_delivered) =
            deliver(cx, done.replayed, minted.map(|minted| minted.reveal()));
        Ok(AgentAnswer {
            client_secret,
            secret_already_delivered,
            ..done.value
        })
    }

    fn version(output: &AgentAnswer) -> Option<u64> {
        Some(output.etag)
    }
}

fn prepare(cx: &Cx, input: &RegisterInput) -> Result<(Registration, Option<Minted>)> {
    let view = cx.view()?;
    let sponsor = input.sponsor.unwrap_or(input.owner);
    people(view, input.owner, sponsor)?;
    within_quota(view, input.owner)?;
    let (name, name_key) =
        name::display(&input.name).map_err(|error| Error::invalid("name", error.to_string()))?;
    text::label("kind", input.kind.as_deref())?;
    text::label("version", input.version.as_deref())?;
    text::label("model_digest", input.model_digest.as_deref())?;
    let usable = ceiling::usable(view, input.connections.as_deref())?;
    let core = AgentCore {
        id: cx.id(),
        owner: Owner(input.owner),
        sponsor,
        state: if cx.caller()?.user() == Some(input.owner) {
            AgentState::Active
        } else {
            AgentState::Draft
        },
        ceiling: ceiling::resolve(&input.scope_ceiling, &usable, &[])?,
        connections: input
            .connections
            .as_ref()
            .map(|_| usable.iter().map(|connection| connection.id).collect()),
        grant: GrantId::generate(&*cx.platform.entropy),
        method: input.auth.method,
        keys: input.auth.keys()?,
        credential_since: view.now,
    };
    within_credential(cx, &core.ceiling)?;
    let (secret, minted) = match core.method {
        AuthMethod::ClientSecret => Some(new_secret(cx, Holder::Agent(core.id), cx.id())?).unzip(),
        AuthMethod::PrivateKeyJwt => (None, None),
    };
    let (keyring, entropy) = (&cx.platform.keyring, &*cx.platform.entropy);
    let subject = new_subject_key(keyring, entropy, cx.stream()?, core.id.bytes())
        .map_err(Error::internal)?;
    let agent = Agent {
        core,
        name,
        kind: input.kind.clone(),
        version: input.version.clone(),
        model_digest: input.model_digest.clone(),
        created_at: view.now,
        suspended_by: None,
    };
    Ok((
        Registration {
            agent,
            name_key,
            subject,
            secret,
            history: Vec::new(),
        },
        minted,
    ))
}

fn people(view: &View, owner: Id<User>, sponsor: Id<User>) -> Result<()> {
    if !authz::stands(view, owner) {
        return Err(Error::invalid(
            "owner",
            "must be an active member; resume them or name another",
        ));
    }
    if !authz::stands(view, sponsor) {
        return Err(Error::invalid(
            "sponsor",
            "must be an active member of this organization",
        ));
    }
    Ok(())
}

/// Counted in the view: a registration moves authority, so two at the same moment cannot both pass the last place.
fn within_quota(view: &View, owner: Id<User>) -> Result<()> {
    let since = made_at_or_after(view.now.minus(Micros::days(1)));
    let recent = view
        .org
        .agents()
        .filter(|agent| agent.owner.0 == owner && agent.id.bytes() >= since);
    if recent.count() < limits::AGENTS_PER_OWNER_DAY {
        return Ok(());
    }
    let text = format!(
        "this owner registered {} agents within a day; try again tomorrow",
        limits::AGENTS_PER_OWNER_DAY
    );
    Err(Error::new(Code::LimitReached, text).at(limit!(AGENTS_PER_OWNER_DAY)))
}

/// The least identifier that could have been made then: its first six bytes are the time in milliseconds.
fn made_at_or_after(at: kernel::Timestamp) -> [u8; 16] {
    let millis = u128::try_from(at.micros() / 1_000).unwrap_or(0);
    (millis << 80).to_be_bytes()
}

fn act(registration: &Registration) -> Act {
    let core = &registration.agent.core;
    Act::create("agent.registered").on(core.id).after(json!({
        "auth": core.method,
        "connections": core.connections,
        "model_digest": registration.agent.model_digest,
        "owner": core.owner,
        "scope_ceiling": core.ceiling,
        "sponsor": core.sponsor,
        "state": core.state,
        "taken_over": registration.history.len(),
        "version": registration.agent.version,
    }))
}

fn write(tx: &mut Tx<'_>, stream: Stream, registration: &Registration) -> Result<(), Refusal> {
    let Registration {
        agent,
        name_key,
        subject,
        secret,
        history,
    } = registration;
    tx.claim(stream, NAME_CLAIM, name_key, agent.core.id.bytes())?;
    tx.insert(stream, agent)?;
    tx.insert(stream, subject)?;
    history
        .iter()
        .try_for_each(|event| tx.insert(stream, event))?;
    match secret {
        Some(secret) => tx.insert(stream, secret),
        None => Ok(()),
    }
}

/// The claim by which agents' names are unique.
pub(super) const NAME_CLAIM: &str = "agent.name";

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Clock, Monotonic, Timestamp, ambient::SystemEntropy};

    struct At(Timestamp);
    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
        fn boot(&self) -> Monotonic {
            Monotonic::default()
        }
    }

    #[test]
    fn an_identifier_tells_whether_it_was_made_since() {
        let at = Timestamp::from_seconds(1_800_000_000);
        let id = Id::<kernel::Agent>::generate(&At(at), &SystemEntropy).bytes();
        assert!(id >= made_at_or_after(at));
        assert!(id < made_at_or_after(at.plus(Micros::new(1_000))));
    }

    #[test]
    fn only_a_person_owns_an_agent() {
        let input = |owner: &str| {
            crate::parse_input::<RegisterInput>(json!({
                "name": "a", "owner": owner, "scope_ceiling": [], "auth": { "method": "client_secret" }
            }))
        };
        assert!(input(&Id::<User>::from_bytes([1; 16]).to_string()).is_ok());
        let team = "team_0123456789abcdefghjkmnpqrs".to_owned();
        for wrong in [team, Id::<kernel::Agent>::from_bytes([1; 16]).to_string()] {
            let error = input(&wrong).err().unwrap();
            assert_eq!(
                error.errors.first().map(|e| e.field.as_str()),
                Some("owner")
            );
            assert!(
                error.detail.contains("owned by a person"),
                "{}",
                error.detail
            );
        }
    }
}
