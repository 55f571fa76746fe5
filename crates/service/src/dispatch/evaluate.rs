//! Asks whether an agent should get a task now. On allow, whoever acts for the agent gets a capability within a
//! run; the entries are durable, on unmoved authority, before anything leaves (GATE-1, GATE-4).

use super::case::{Case, Within, decide};
use crate::{
    Act, Cx, Done, Error, Meta, Method, Operation, Result, Target,
    agents::{self, Score, credential::deliver, text},
    caller,
    oauth::{self, MintedToken, record_decided},
    runs::start::chain,
    sealing,
};
use authz::{Gate, Outcome, Reason, TokenKind};
use domain::{Class, Permission, Run};
use kernel::{Connection, Dispatch, Id};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Prepared, Record};

/// Asks whether an agent should get a task now.
pub struct Evaluate;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluateInput {
    /// The agent that would get the task.
    agent: Id<kernel::Agent>,
    /// The connection it would use.
    connection: Id<Connection>,
    /// What it would do, as the connection's `operations` name it; an unknown name counts as `admin`.
    operation: String,
    /// The task, in words.
    #[serde(default)]
    task: Option<String>,
    /// What the operation would be called with; only its digest is kept.
    #[serde(default)]
    arguments: Option<Value>,
    /// The run it belongs to; left out, an allowed dispatch makes one of 15 minutes.
    #[serde(default)]
    run: Option<Id<kernel::Run>>,
}

/// What it answers, whatever the outcome.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct DispatchAnswer {
    /// The decision's identifier.
    pub dispatch: Id<Dispatch>,
    /// Go on or not.
    pub outcome: Outcome,
    /// Every reason for a block.
    pub reasons: Vec<Reason>,
    /// The three gates with what each wanted and found.
    pub gates: Vec<Gate>,
    /// The agent's trust now.
    pub trust: Score,
    /// The class of the operation.
    pub class: Class,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Id<kernel::Run>>,
    /// A token for the connection, good for this; only for whoever acts for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability_token: Option<String>,
    /// Seconds until it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<i64>,
    /// What it is good for, joined by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Set when an earlier answer to the same request carried the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_already_delivered: Option<bool>,
}

impl Operation for Evaluate {
    const META: Meta = Meta {
        summary: "Ask whether an agent should get a task now, with run and capability on allow",
        command: "dispatch evaluate",
        class: crate::gate::Class::Decision,
        ..Meta::write(
            "dispatch.evaluate",
            Method::Post,
            "/orgs/{org}/dispatch",
            Permission::DispatchEvaluate,
        )
    };
    type Input = EvaluateInput;
    type Output = DispatchAnswer;

    fn target(input: &EvaluateInput, view: &View, _: &Cx) -> Result<Target> {
        agents::target(view, input.agent)
    }

    async fn run(cx: &Cx, input: EvaluateInput) -> Result<DispatchAnswer> {
        text::plain("operation", &input.operation)?;
        text::free("task", input.task.as_deref())?;
        let view = cx.view()?;
        let agent = caller::known_agent(view, input.agent)?;
        let connection = view
            .org
            .connection_core(input.connection)
            .ok_or_else(|| Error::not_found("connection"))?;
        let case = decide(cx, agent, connection, &input.operation, input.run)?;
        let allowed = case.verdict.outcome == Outcome::Allow;
        let permit = if allowed && case.gives {
            Some(capability(cx, &case).await?)
        } else {
            None
        };
        let answer = DispatchAnswer {
            secret_already_delivered: permit.is_some().then_some(true),
            ..answer(cx, &case, allowed)
        };
        let told = cx
            .prepare(cx.stream()?, act(&input, &case, answer.dispatch)?)
            .await?;
        let entries = std::iter::once(told)
            .chain(permit.as_ref().map(|permit| permit.entry.clone()))
            .collect();
        let made = allowed.then(|| made(&case, &input, view)).flatten();
        let done = keep(cx, entries, made, allowed, answer).await?;
        if allowed {
            cx.platform.node.require_fresh(view.id())?;
        }
        Ok(delivered(cx, done, permit))
    }
}

async fn capability(cx: &Cx, case: &Case<'_>) -> Result<MintedToken> {
    let caller = cx.caller()?;
    let run = case.within.run();
    let lease = run.and_then(|run| run.lease_until);
    let mint = oauth::Mint {
        agent: case.agent,
        kind: TokenKind::Capability,
        connection: Some(case.connection),
        run,
        scopes: case.verdict.scopes.clone(),
        trust: case.verdict.trust,
        asked_by: &caller.lineage,
        ends: lease.into_iter().chain([caller.ends_at]).collect(),
        method: None,
    };
    oauth::mint(&cx.platform, cx.view()?, &cx.peer, Some(caller), mint).await
}

fn answer(cx: &Cx, case: &Case<'_>, allowed: bool) -> DispatchAnswer {
    let run = match &case.within {
        Within::Known(run) => Some(run.id),
        Within::Fresh(run) if allowed => Some(run.id),
        _ => None,
    };
    DispatchAnswer {
        dispatch: cx.id(),
        outcome: case.verdict.outcome,
        reasons: case.verdict.reasons.clone(),
        gates: case.verdict.gates.clone(),
        trust: Score::of(case.verdict.trust),
        class: case.class,
        run,
        capability_token: None,
        expires_in: None,
        scope: None,
        secret_already_delivered: None,
    }
}

/// The run that an allowed dispatch makes.
fn made(case: &Case<'_>, input: &EvaluateInput, view: &View) -> Option<Run> {
    let Within::Fresh(core) = &case.within else {
        return None;
    };
    let purpose = input.task.as_ref().unwrap_or(&input.operation).clone();
    let core = (**core).clone();
    Some(Run {
        core,
        purpose,
        lease_seconds: None,
        created_at: view.now,
        ended_at: None,
        dispatched: true,
    })
}

fn act(input: &EvaluateInput, case: &Case<'_>, dispatch: Id<Dispatch>) -> Result<Act> {
    let verdict = &case.verdict;
    let run = case.within.run().map(|run| run.id);
    let details = json!({
        "agent": input.agent,
        "args_digest": input.arguments.as_ref().map(digest).transpose()?,
        "class": case.class,
        "connection": input.connection,
        "gates": verdict.gates,
        "operation": input.operation,
        "outcome": verdict.outcome,
        "reasons": verdict.reasons,
        "run": run,
        "scopes": verdict.scopes,
        "trust": verdict.trust,
    });
    let chain = case
        .within
        .run()
        .map(|run| chain(case.agent, run))
        .unwrap_or_default();
    let told = match verdict.reasons.first() {
        None => Act::create("dispatch.allowed"),
        Some(reason) => {
            let code = serde_json::to_value(reason).map_err(Error::internal)?;
            Act::create("dispatch.blocked").failed(
                code.as_str().unwrap_or_default(),
                "the dispatch was blocked",
            )
        }
    };
    let told = told
        .on(dispatch)
        .after(details)
        .in_run(run)
        .at_trust(verdict.trust)
        .chain(chain);
    Ok(told.claimed("task", input.task.as_deref()))
}

/// SHA-256 of the canonical form (RFC 8785), as 64 hexadecimal digits.
fn digest(arguments: &Value) -> Result<String> {
    let canonical = serde_json_canonicalizer::to_vec(arguments);
    let canonical = canonical.map_err(|_| {
        Error::invalid(
            "arguments",
            "cannot be written as canonical JSON (RFC 8785)",
        )
    })?;
    Ok(sealing::hex(&sealing::sha256(&canonical)))
}

/// Writes what was decided. What moves no state goes through the log alone; a new run, an idempotency key and a
/// dry run take a commit. A permit is kept only on the authority it was decided on; a block needs none.
async fn keep(
    cx: &Cx,
    entries: Vec<Prepared>,
    made: Option<Run>,
    allowed: bool,
    answer: DispatchAnswer,
) -> Result<Done<DispatchAnswer>> {
    let stream = cx.stream()?;
    if made.is_none() && cx.envelope.idempotency_key.is_none() && !cx.envelope.dry_run {
        record(cx, entries, allowed).await?;
        return Ok(Done {
            value: answer,
            replayed: false,
        });
    }
    let entries = entries.into_iter().map(|entry| (stream, entry)).collect();
    cx.commit_prepared(false, entries, move |tx| {
        if let Some(run) = &made {
            tx.insert(stream, run)?;
        }
        Ok(answer.clone())
    })
    .await
}

/// Queued in order, so that the decision stands before the token in the log.
async fn record(cx: &Cx, entries: Vec<Prepared>, allowed: bool) -> Result<()> {
    let (view, stream) = (cx.view()?, cx.stream()?);
    let one = |entry: Prepared| async move {
        if allowed {
            return record_decided(&cx.platform, view, entry, None).await;
        }
        let record = Record {
            stream,
            entry,
            decided_at: None,
            once: None,
        };
        cx.platform
            .store
            .record(record)
            .await
            .map(|_| ())
            .map_err(Error::from)
    };
    futures::future::try_join_all(entries.into_iter().map(one))
        .await
        .map(|_| ())
}

fn delivered(cx: &Cx, done: Done<DispatchAnswer>, permit: Option<MintedToken>) -> DispatchAnswer {
    let Some(permit) = permit else {
        return done.value;
    };
    let (capability_token, secret_already_delivered) =
        deliver(cx, done.replayed, Some(permit.token));
    let shown = capability_token.is_some();
    DispatchAnswer {
        capability_token,
        expires_in: shown.then_some(permit.expires_in),
        scope: shown.then_some(permit.scope),
        secret_already_delivered,
        ..done.value
    }
}
