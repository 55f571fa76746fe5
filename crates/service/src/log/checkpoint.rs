//! The log's checkpoint at this moment: size, root and chain head, signed with the log's own key as a C2SP note.

use crate::{
    Cx, Result, checkpoint,
    operation::{Meta, Operation, Target},
};
use domain::Permission;
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Reads a signed checkpoint.
pub struct ReadCheckpoint;

/// What it takes: nothing.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {}

/// What it answers.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// The signed note (C2SP signed-note) with origin, size, root, chain, time and epoch.
    checkpoint: String,
}

impl Operation for ReadCheckpoint {
    const META: Meta = Meta {
        summary: "Read a signed checkpoint of the log as it is now",
        tool: Some("get-audit-checkpoint"),
        command: "audit checkpoint",
        ..Meta::read(
            "audit.checkpoint",
            "/orgs/{org}/audit/checkpoint",
            Permission::AuditRead,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, _: Input) -> Result<Output> {
        let checkpoint = checkpoint::sign_now(&cx.platform, cx.stream()?).await?;
        Ok(Output { checkpoint })
    }
}
