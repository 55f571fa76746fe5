//! Open loops by `loadkit open`: requests are due at a rate whatever the server does, and latencies count from the
//! moment they were due. So a pause of the server shows, which a closed loop hides by pausing with it.

use super::{
    Bench,
    measure::loaded,
    report::{OpenFigure, Report},
    requests,
    scenario::{Kind, Scenario},
    stage::Stage,
};
use crate::shell;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// What `loadkit open` prints.
#[derive(Deserialize)]
pub struct Seen {
    pub due: f64,
    pub missed: f64,
    pub good: f64,
    pub late: f64,
    pub shed: f64,
    pub refused: f64,
    pub broken: f64,
    pub failure: Option<String>,
    pub seconds: f64,
    pub took_us: f64,
    pub own_cpu_us: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
}

/// One open loop.
pub struct Open<'a> {
    pub address: &'a str,
    pub requests: &'a Path,
    pub rate: f64,
    pub seconds: u32,
    pub connections: u32,
    /// How long a request waits for a free connection before it counts as missed.
    pub wait_ms: u32,
    pub pinned: bool,
}

impl Open<'_> {
    pub fn run(&self, bench: &Bench) -> Result<Seen> {
        let mut command = if self.pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", "1"]).arg(&bench.loadkit);
            command
        } else {
            Command::new(&bench.loadkit)
        };
        command
            .args(["open", "--address", self.address, "--requests"])
            .arg(self.requests)
            .args(["--rate", &format!("{:.1}", self.rate)])
            .args(["--seconds", &self.seconds.to_string()])
            .args(["--connections", &self.connections.to_string()])
            .args(["--wait-ms", &self.wait_ms.to_string()]);
        let text = shell::output(&mut command)?;
        serde_json::from_str(&text).with_context(|| format!("loadkit printed `{text}`"))
    }
}

/// Requests due at half of what the closed loop of the same kind reached, in this run or now.
pub fn half(
    bench: &Bench,
    stage: &Stage,
    kind: Kind,
    scenario: &Scenario,
    report: &mut Report,
) -> Result<()> {
    let known = match kind {
        Kind::Token => "token-1",
        _ => "dispatch-new",
    };
    let peak = match report.figure(known) {
        Some(figure) => figure.per_second,
        None => loaded(bench, stage, kind, scenario)?.per_second,
    };
    let file = requests::file(bench, stage, kind)?;
    let open = Open {
        address: &stage.address,
        requests: &file,
        rate: peak / 2.0,
        seconds: bench.seconds,
        connections: 256,
        wait_ms: 1_000,
        pinned: stage.pinned,
    };
    let mut seen = Vec::new();
    for _ in 0..bench.runs {
        seen.push(open.run(bench)?);
    }
    seen.sort_by(|a, b| a.p99_us.total_cmp(&b.p99_us));
    let median = seen.into_iter().nth(bench.runs / 2).context("no run")?;
    report.open.push(OpenFigure::new(
        scenario.name,
        scenario.about,
        open.rate,
        &median,
    ));
    Ok(())
}
