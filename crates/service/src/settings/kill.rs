//! Setting and lifting a kill switch of an organization. Setting one takes effect on the next request; lifting one
//! needs proof of a recent sign-in. The entry and the answer say what it stops (REV-4).

use crate::{
    Act, Cx, Error, Result, bounds,
    operation::{Meta, Method, Operation, Target},
};
use authz::Facts;
use domain::{AgentState, KillSwitch, KillSwitchCore, KillTarget, Permission, Stream};
use kernel::Timestamp;
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;

/// Sets or lifts a kill switch of an organization.
pub struct SetKillSwitch;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// What it stops: `org`, a connection's id or an agent's id.
    scope: KillTarget,
    /// Whether to stop it.
    on: bool,
    /// Why.
    reason: String,
}

/// A kill switch, as it is shown after it was moved.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    pub(super) scope: KillTarget,
    pub(super) on: bool,
    pub(super) reason: String,
    pub(super) changed_at: Timestamp,
    /// What it covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) covers: Option<Covers>,
}

/// What a kill switch covers.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
pub struct Covers {
    /// Active agents.
    agents: u64,
    /// Runs under way.
    runs: u64,
}

impl Operation for SetKillSwitch {
    const META: Meta = Meta {
        summary: "Stop or let go on every agent, one connection or one agent of the organization",
        tool: Some("set-kill-switch"),
        command: "kill-switch set",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "kill_switches.set",
            Method::Put,
            "/orgs/{org}/kill-switches/{scope}",
            Permission::KillSwitchesUpdate,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(input: &Input, _: &View, _: &Cx) -> Result<Target> {
        match input.scope {
            KillTarget::Instance => Err(Error::invalid(
                "scope",
                "must be `org`, a connection or an agent; the instance has a path of its own",
            )),
            _ => Ok(Target::Organization),
        }
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        known(cx.view()?, input.scope)?;
        let covers = covers(cx.view()?, input.scope);
        let switch = moved(cx, input.scope, input.on, &input.reason)?;
        let stream = cx.stream()?;
        let act = act(&switch, Some(covers));
        Ok(cx
            .commit(act, move |tx| write(tx, stream, &switch, Some(covers)))
            .await?
            .value)
    }
}

/// Refuses what is not here; asked only of who may set the switch, since others must not learn what exists.
fn known(view: &View, target: KillTarget) -> Result<()> {
    match target {
        KillTarget::Connection(id) if view.connection(id).is_none() => {
            Err(Error::not_found("connection"))
        }
        KillTarget::Agent(id) if view.agent(id).is_none() => Err(Error::not_found("agent")),
        _ => Ok(()),
    }
}

/// The switch as it is to be.
///
/// # Errors
/// A missing or too long reason, or `sudo_required` to lift one.
pub(super) fn moved(cx: &Cx, target: KillTarget, on: bool, reason: &str) -> Result<KillSwitch> {
    bounds::text("reason", reason)?;
    if reason.trim().is_empty() {
        return Err(Error::invalid("reason", "must say why"));
    }
    if !on {
        cx.require_sudo()?;
    }
    let changed_at = cx.platform.clock.now();
    Ok(KillSwitch {
        core: KillSwitchCore { target, on },
        reason: reason.trim().into(),
        changed_at,
    })
}

/// The entry, with the reason sealed.
pub(super) fn act(switch: &KillSwitch, covers: Option<Covers>) -> Act {
    let kind = if switch.core.on {
        "kill_switch.set"
    } else {
        "kill_switch.lifted"
    };
    Act::update(kind)
        .on_text("kill switch", switch.core.target.to_string())
        .after(json!({ "on": switch.core.on, "covers": covers }))
        .claimed("reason", Some(&switch.reason))
}

pub(super) fn write(
    tx: &mut Tx<'_>,
    stream: Stream,
    switch: &KillSwitch,
    covers: Option<Covers>,
) -> std::result::Result<Output, store::Refusal> {
    tx.put(stream, switch)?;
    let KillSwitch {
        core,
        reason,
        changed_at,
    } = switch.clone();
    Ok(Output {
        scope: core.target,
        on: core.on,
        reason,
        changed_at,
        covers,
    })
}

fn covers(view: &View, target: KillTarget) -> Covers {
    let meant = |agent: &domain::AgentCore| match target {
        KillTarget::Agent(id) => agent.id == id,
        KillTarget::Connection(id) => agent.may_use(id),
        KillTarget::Org | KillTarget::Instance => true,
    };
    let agents = view
        .org
        .agents()
        .filter(|agent| agent.state == AgentState::Active && meant(agent))
        .count();
    let of_meant = |run: &domain::RunCore| view.agent(run.agent).is_some_and(meant);
    let runs = view
        .org
        .runs()
        .filter(|run| run.state_at(view.now).is_live() && of_meant(run))
        .count();
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Covers {
        agents: count(agents),
        runs: count(runs),
    }
}
