//! Reports that something bad happened with an agent. Who may report on every agent is believed as they are; the
//! agent itself and its owner cite a recent run, once for each type (TRU-7). Nothing good is ever reported.

use crate::{
    Act, Cx, Error, Meta, Method, Operation, Result, Target,
    agents::{self, text},
    caller,
};
use authz::{Access, Facts};
use domain::{
    AgentCore, Permission, Run, Stream,
    trust::{self, Severity, TrustEvent, TrustEventCore},
};
use kernel::{Code, Event, Id, Micros};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Refusal, Tx};

const RECENT: Micros = Micros::days(1);
/// Reports of an agent in a day by those who must cite: its events stay in memory and are summed at each decision.
const CITED_PER_DAY: usize = 100;
/// The claim by which a reporter says a thing of a run once.
const REPORT_CLAIM: &str = "trust.report";

/// Reports an event.
pub struct Report;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Grade {
    /// Takes 5 points of behaviour.
    Minor,
    /// Takes 20.
    Major,
    /// Takes 60 and caps the score at 19.
    Critical,
}

impl From<Grade> for Severity {
    fn from(grade: Grade) -> Self {
        match grade {
            Grade::Minor => Self::Minor,
            Grade::Major => Self::Major,
            Grade::Critical => Self::Critical,
        }
    }
}

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportInput {
    /// The agent.
    id: Id<kernel::Agent>,
    /// What happened, such as `guardrail.blocked`.
    #[serde(rename = "type")]
    kind: String,
    /// How bad it is.
    severity: Grade,
    /// The run in which it happened; the agent and its owner must name one of the last 24 hours.
    #[serde(default)]
    run: Option<Id<kernel::Run>>,
    /// What supports it, at most 2,000 characters as JSON.
    #[serde(default)]
    evidence: Option<Value>,
}

/// The score before and after.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Moved {
    /// Before the event.
    pub before: u8,
    /// With it.
    pub after: u8,
}

/// What it answers.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ReportAnswer {
    /// The event.
    pub event: Id<Event>,
    /// What it did to the agent's trust.
    pub trust: Moved,
}

impl Operation for Report {
    const META: Meta = Meta {
        summary: "Report a negative event of an agent",
        tool: Some("report-agent-event"),
        command: "agent report",
        status: 201,
        ..Meta::write(
            "agents.report_event",
            Method::Post,
            "/orgs/{org}/agents/{id}/events",
            Permission::AgentsReport,
        )
    };
    type Input = ReportInput;
    type Output = ReportAnswer;

    fn target(input: &ReportInput, view: &View, _: &Cx) -> Result<Target> {
        agents::target(view, input.id)
    }

    async fn run(cx: &Cx, input: ReportInput) -> Result<ReportAnswer> {
        let (view, stream) = (cx.view()?, cx.stream()?);
        let agent = caller::known_agent(view, input.id)?;
        text::plain("type", &input.kind)?;
        let evidence = evidence(input.evidence.as_ref())?;
        let once = cited(cx, &input).await?;
        let event = TrustEvent {
            core: core(cx, view, &input),
            run: input.run,
            evidence,
        };
        let answer = ReportAnswer {
            event: event.core.id,
            trust: moved(view, agent, &event.core),
        };
        let done = cx
            .commit(act(&input, &event, answer.trust), move |tx| {
                if let Some(once) = &once {
                    only_once(tx, stream, once, event.core.id)?;
                }
                tx.insert(stream, &event)?;
                Ok(answer)
            })
            .await?;
        Ok(done.value)
    }
}

fn core(cx: &Cx, view: &View, input: &ReportInput) -> TrustEventCore {
    TrustEventCore {
        id: cx.id(),
        agent: input.id,
        at: view.now,
        severity: input.severity.into(),
        kind: input.kind.clone(),
    }
}

fn evidence(given: Option<&Value>) -> Result<Option<String>> {
    let text = given.map(|value| {
        value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned)
    });
    text::free("evidence", text.as_deref())?;
    Ok(text)
}

/// Checks the citation; for those who must cite, what may be said once.
async fn cited(cx: &Cx, input: &ReportInput) -> Result<Option<String>> {
    let uncapped = cx.access() == Access::All;
    let Some(id) = input.run else {
        let text = "is required: name the run in which it happened";
        return if uncapped {
            Ok(None)
        } else {
            Err(Error::field("run", "missing", text))
        };
    };
    let stream = cx.stream()?;
    let row = cx
        .platform
        .store
        .read(stream, move |reader| reader.get::<Run>(stream, id.bytes()))
        .await?;
    let run = row
        .map(|row| row.value)
        .filter(|run| run.core.agent == input.id);
    let run = run.ok_or_else(|| Error::invalid("run", "is no run of this agent"))?;
    if uncapped {
        return Ok(None);
    }
    if cx.view()?.now.since(run.created_at) >= RECENT {
        return Err(Error::invalid(
            "run",
            "was started more than 24 hours ago; ask a security administrator to report",
        ));
    }
    if reported(cx.view()?, input.id) >= CITED_PER_DAY {
        let text = format!(
            "{CITED_PER_DAY} events of this agent were reported within a day; ask a security administrator to report"
        );
        return Err(Error::new(Code::LimitReached, text));
    }
    Ok(Some(format!(
        "{} {id} {}",
        cx.caller()?.principal,
        input.kind
    )))
}

/// How many events were reported of an agent within a day.
fn reported(view: &View, agent: Id<kernel::Agent>) -> usize {
    let recent = |event: &&TrustEventCore| {
        event.severity != Severity::Clean && view.now.since(event.at) < RECENT
    };
    view.trust_events(agent).iter().filter(recent).count()
}

fn only_once(tx: &mut Tx<'_>, stream: Stream, once: &str, event: Id<Event>) -> Result<(), Refusal> {
    if tx.claimed(stream, REPORT_CLAIM, once)?.is_some() {
        let text = "you reported this type of event of this run already";
        return Err(Refusal::new(Code::AlreadyExists, text).on("type"));
    }
    tx.claim(stream, REPORT_CLAIM, once, event.bytes())
}

/// The score without and with the event, by the same facts.
fn moved(view: &View, agent: &AgentCore, event: &TrustEventCore) -> Moved {
    let events: Vec<_> = view
        .trust_events(agent.id)
        .iter()
        .chain([event])
        .cloned()
        .collect();
    let facts = authz::trust_facts(view, agent, view.now);
    let before = trust::score(facts, view.now);
    Moved {
        before,
        after: trust::score(
            trust::Facts {
                events: &events,
                ..facts
            },
            view.now,
        ),
    }
}

fn act(input: &ReportInput, event: &TrustEvent, trust: Moved) -> Act {
    Act::create("agent.event_reported")
        .on(input.id)
        .after(json!({
            "event": event.core.id,
            "run": input.run,
            "severity": input.severity,
            "trust": trust,
            "type": input.kind,
        }))
        .in_run(input.run)
        .at_trust(trust.before)
        .claimed("evidence", event.evidence.as_deref())
}
