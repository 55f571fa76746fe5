//! Reads one run, ended ones included.

use super::{RunAnswer, reach};
use crate::{Cx, Meta, Operation, Result, Target};
use domain::Permission;
use kernel::Id;
use live::View;
use schemars::JsonSchema;
use serde::Deserialize;

/// Reads one run.
pub struct Read;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadInput {
    /// The run.
    id: Id<kernel::Run>,
}

impl Operation for Read {
    const META: Meta = Meta {
        summary: "Read a run",
        tool: Some("get-run"),
        command: "run get",
        ..Meta::read("runs.read", "/orgs/{org}/runs/{id}", Permission::RunsRead)
    };
    type Input = ReadInput;
    type Output = RunAnswer;

    /// Ended runs are known to the database alone, so the run itself is judged when it has been read.
    fn target(_: &ReadInput, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Collection)
    }

    async fn run(cx: &Cx, input: ReadInput) -> Result<RunAnswer> {
        let row = reach::visible(cx, input.id).await?;
        Ok(RunAnswer::new(&row.value, cx.view()?.now))
    }
}
