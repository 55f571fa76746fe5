//! Starts a run: by the agent itself, or in a human's name by somebody who may act for the agent, whose authority
//! then bounds it too (AGT-10). Run, entry and token are one commit.

use super::{
    RunAnswer,
    bounds::{self, Wanted},
};
use crate::{
    Act, Cx, Error, Meta, Method, Operation, Result, Target,
    agents::{self, text},
    caller, oauth,
};
use authz::{Denied, Facts, TokenKind};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::{AgentCore, GrantId, Initiator, Permission, Principal, Run, RunCore};
use kernel::{Id, Timestamp};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// Starts a run.
pub struct Start;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartInput {
    /// The agent whose run it is.
    agent: Id<kernel::Agent>,
    /// What it is for.
    purpose: String,
    /// The most it may hold, by name; left out, all of the agent's ceiling or of the parent's scopes.
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// How long it may take, in seconds, at most 7 days; never beyond the parent's deadline.
    deadline_seconds: i64,
    /// The run it is started from; with a run token, that run.
    #[serde(default)]
    parent: Option<Id<kernel::Run>>,
    /// For how many seconds each heartbeat keeps it; left out, it needs none.
    #[serde(default)]
    lease_seconds: Option<u32>,
}

impl Operation for Start {
    const META: Meta = Meta {
        summary: "Start a run of an agent and get its token",
        command: "run start",
        status: 201,
        ..Meta::write(
            "runs.start",
            Method::Post,
            "/orgs/{org}/runs",
            Permission::RunsCreate,
        )
    };
    type Input = StartInput;
    type Output = RunAnswer;

    fn target(input: &StartInput, view: &View, _: &Cx) -> Result<Target> {
        agents::target(view, input.agent)
    }

    async fn run(cx: &Cx, input: StartInput) -> Result<RunAnswer> {
        let (view, stream) = (cx.view()?, cx.stream()?);
        let agent = caller::known_agent(view, input.agent)?;
        let initiator = may_act_for(cx, agent)?
            .ok_or_else(|| Error::denied(Permission::AgentsActFor.as_str()))?;
        text::free("purpose", Some(&input.purpose))?;
        let trust = may_start(view, agent)?;
        let run = new(cx, agent, initiator.human(), &input)?;
        let minted = token(cx, agent, &run.core, trust, agents::credential_end(cx)?).await?;
        let started = cx.prepare(stream, started(agent, &run, trust)).await?;
        let answer = RunAnswer {
            secret_already_delivered: Some(true),
            ..RunAnswer::new(&run, view.now)
        };
        let entries = vec![(stream, started), (stream, minted.entry)];
        let done = cx
            .commit_prepared(false, entries, move |tx| {
                tx.insert(stream, &run)?;
                Ok(answer.clone())
            })
            .await?;
        delivered(
            cx,
            done.value,
            done.replayed,
            minted.token,
            minted.expires_in,
        )
    }
}

/// In whose name somebody obtains authority for an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InNameOf {
    /// The agent acts for itself.
    Itself,
    /// A human acts for it; their authority joins.
    Human(Initiator),
}

impl InNameOf {
    /// The human.
    pub(crate) const fn human(self) -> Option<Initiator> {
        match self {
            Self::Itself => None,
            Self::Human(initiator) => Some(initiator),
        }
    }
}

/// Whether the caller may obtain runs and tokens for the agent, and in whose name; none when not (AGT-10).
pub(crate) fn may_act_for(cx: &Cx, agent: &AgentCore) -> Result<Option<InNameOf>> {
    let caller = cx.caller()?;
    match caller.principal {
        Principal::Agent(id) if id == agent.id => Ok(Some(InNameOf::Itself)),
        Principal::User(user) if agents::reaches(cx, Permission::AgentsActFor, agent)? => {
            Ok(Some(InNameOf::Human(Initiator {
                user,
                token: caller.token,
            })))
        }
        _ => Ok(None),
    }
}

/// Its trust, when the agent may act and is not below the floor.
fn may_start(view: &View, agent: &AgentCore) -> Result<u8> {
    authz::may_act(view, agent).map_err(|denied| agents::refusal(&denied))?;
    let (trust, floor) = (
        authz::trust_now(view, agent, view.now),
        view.settings().trust_floor,
    );
    if trust < floor {
        Err(agents::refusal(&Denied::BelowFloor(floor, trust)))
    } else {
        Ok(trust)
    }
}

fn new(
    cx: &Cx,
    agent: &AgentCore,
    initiator: Option<Initiator>,
    input: &StartInput,
) -> Result<Run> {
    let view = cx.view()?;
    let parent = parent(cx, agent, input.parent)?;
    let core = bounds::within(Wanted {
        id: cx.id(),
        agent,
        parent,
        grant: GrantId::generate(&*cx.platform.entropy),
        above: &cx.caller()?.lineage,
        initiator,
        scopes: input.scopes.as_deref(),
        deadline_seconds: input.deadline_seconds,
        lease_seconds: input.lease_seconds,
        credential_end: agents::credential_end(cx)?,
        transaction: new_transaction(cx),
        now: view.now,
    })?;
    let (purpose, lease_seconds) = (input.purpose.clone(), input.lease_seconds);
    Ok(Run {
        core,
        purpose,
        lease_seconds,
        created_at: view.now,
        ended_at: None,
        dispatched: false,
    })
}

/// The name of a transaction: sixteen random bytes.
pub(crate) fn new_transaction(cx: &Cx) -> String {
    B64URL.encode(cx.platform.entropy.bytes::<16>())
}

/// The parent: open, of this agent or of another agent of the same owner. Who holds a run token starts children of
/// that run and nothing else, or its bounds could be left behind.
fn parent<'a>(
    cx: &'a Cx,
    agent: &AgentCore,
    named: Option<Id<kernel::Run>>,
) -> Result<Option<&'a RunCore>> {
    let view = cx.view()?;
    let own = cx.caller()?.run;
    if own.is_some() && named.is_some() && own != named {
        return Err(Error::invalid(
            "parent",
            "must be the run of the token you call with",
        ));
    }
    let Some(id) = named.or(own) else {
        return Ok(None);
    };
    let open = view.run(id).filter(|run| {
        let of = view
            .agent(run.agent)
            .filter(|of| of.owner == agent.owner && authz::may_act(view, of).is_ok());
        of.is_some_and(|of| authz::run_is_open(view, run, of, view.now))
    });
    let open = open.ok_or_else(|| {
        Error::invalid(
            "parent",
            "names no open run of this agent or of another agent of its owner",
        )
    })?;
    Ok(Some(open))
}

/// Mints the run's own token for this server.
pub(super) async fn token(
    cx: &Cx,
    agent: &AgentCore,
    run: &RunCore,
    trust: u8,
    end: Option<Timestamp>,
) -> Result<oauth::MintedToken> {
    let caller = cx.caller()?;
    let mint = oauth::Mint {
        agent,
        kind: TokenKind::Control,
        connection: None,
        run: Some(run),
        scopes: Vec::new(),
        trust,
        asked_by: &caller.lineage,
        ends: end.into_iter().collect(),
        method: None,
    };
    oauth::mint(&cx.platform, cx.view()?, &cx.peer, Some(caller), mint).await
}

fn started(agent: &AgentCore, run: &Run, trust: u8) -> Act {
    Act::create("run.started")
        .on(run.core.id)
        .after(shown(&run.core))
        .in_run(Some(run.core.id))
        .at_trust(trust)
        .chain(chain(agent, &run.core))
        .claimed("purpose", Some(&run.purpose))
}

/// What an entry says of a run; its purpose is not written in clear.
pub(crate) fn shown(core: &RunCore) -> serde_json::Value {
    json!({
        "agent": core.agent,
        "deadline": core.deadline,
        "depth": core.depth,
        "initiator": core.initiator.map(|initiator| initiator.user),
        "lease_until": core.lease_until,
        "parent": core.parent,
        "scopes": core.scopes,
        "state": core.state,
        "transaction": core.transaction,
    })
}

/// From the agent back to the humans it acts for.
pub(crate) fn chain(agent: &AgentCore, run: &RunCore) -> Vec<Principal> {
    let humans = [
        Some(agent.owner.0),
        run.initiator.map(|initiator| initiator.user),
    ];
    std::iter::once(Principal::Agent(agent.id))
        .chain(humans.into_iter().flatten().map(Principal::User))
        .collect()
}

/// The answer with its token, if the run was kept just now and the state is still known to be current.
pub(super) fn delivered(
    cx: &Cx,
    answer: RunAnswer,
    replayed: bool,
    token: String,
    expires_in: i64,
) -> Result<RunAnswer> {
    let (run_token, secret_already_delivered) =
        agents::credential::deliver(cx, replayed, Some(token));
    if run_token.is_some() {
        cx.platform.node.require_fresh(cx.view()?.id())?;
    }
    let expires_in = run_token.is_some().then_some(expires_in);
    Ok(RunAnswer {
        run_token,
        expires_in,
        secret_already_delivered,
        ..answer
    })
}
