//! Stopping every agent of every organization, for an instance administrator. Lifting it needs proof of a recent
//! sign-in.

use super::kill::{self, Output};
use crate::{
    Cx, Result,
    operation::{Meta, Method, Operation, Target},
};
use domain::{KillTarget, Permission, Stream};
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

/// Sets or lifts the instance's kill switch.
pub struct SetInstanceKillSwitch;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Whether to stop everything.
    on: bool,
    /// Why.
    reason: String,
}

impl Operation for SetInstanceKillSwitch {
    const META: Meta = Meta {
        summary: "Stop or let go on every agent of every organization",
        command: "kill-switch set-instance",
        class: crate::gate::Class::Revocation,
        ..Meta::write(
            "kill_switches.set_instance",
            Method::Put,
            "/kill-switches/instance",
            Permission::InstanceKill,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Instance)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let switch = kill::moved(cx, KillTarget::Instance, input.on, &input.reason)?;
        let (stream, act) = (Stream::INSTANCE, kill::act(&switch, None));
        let done = cx.commit_with(true, vec![(stream, act)], move |tx| {
            kill::write(tx, stream, &switch, None)
        });
        Ok(done.await?.value)
    }
}
