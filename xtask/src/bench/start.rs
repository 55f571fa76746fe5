//! Start and memory: on an empty folder, and with everything in place. And what the store appends and
//! searches without a server.

use super::{
    Bench, cost,
    measure::loaded,
    report::Report,
    scenario::{Kind, Scenario},
    stage::{self, Serve, Stage},
};
use crate::shell;
use anyhow::{Context, Result};
use std::process::Command;
use std::time::Duration;

const STARTS: usize = 5;
/// How long a server is left alone before its memory counts as idle.
const IDLE: Duration = Duration::from_secs(3);

/// Milliseconds to the first answer of a process on an empty folder, the median of five, and idle memory.
pub fn empty(bench: &Bench, report: &mut Report) -> Result<()> {
    let (mut times, mut idle) = (Vec::new(), 0);
    for number in 0..STARTS {
        let folder = stage::scratch(bench)?;
        let database_url = match &bench.cluster {
            Some(cluster) => {
                cluster.create("empty", None)?;
                Some(cluster.url("empty"))
            }
            None => None,
        };
        let serve = Serve {
            binary: &bench.binary,
            data: &folder.join("data"),
            database_url,
            pinned: bench.pinned,
        };
        let (child, _, took) = serve.start(20)?;
        times.push(took);
        if number + 1 == STARTS {
            std::thread::sleep(IDLE);
            idle = cost::resident_kib(child.id());
        }
        stage::end(child)?;
    }
    times.sort_by(f64::total_cmp);
    let median = times.get(STARTS / 2).context("no start")?;
    report.note(
        "start",
        format!("{median:.0} ms from an empty folder to the first answer, median of {STARTS}; idle memory {:.1} MiB", mib(idle)),
    );
    Ok(())
}

/// A server on a full instance that was just started: its start, its memory, and its memory after a load over all
/// organizations.
pub fn full(bench: &Bench, stage: &Stage, scenario: &Scenario, report: &mut Report) -> Result<()> {
    std::thread::sleep(IDLE);
    let idle = cost::resident_kib(stage.pid());
    let told = format!(
        "{:.0} ms to the first answer with 10,000 organizations and 1,000,000 principals; memory {:.0} MiB idle",
        stage.start_ms,
        mib(idle)
    );
    report.note(scenario.name, told);
    let figure = loaded(bench, stage, Kind::Token, scenario)?;
    report.note(
        scenario.name,
        format!(
            "memory {} MiB after a load over all organizations",
            figure.resident_mib
        ),
    );
    report.figures.push(figure);
    Ok(())
}

/// What `loadkit append` prints.
pub fn append(bench: &Bench, report: &mut Report) -> Result<()> {
    let folder = stage::scratch(bench)?;
    for organizations in [1, 10_000] {
        let mut command = Command::new(&bench.loadkit);
        command
            .args(["append", "--organizations", &organizations.to_string()])
            .args(["--seconds", &bench.seconds.to_string(), "--file"])
            .arg(folder.join(format!("append-{organizations}.db")));
        if let Some(cluster) = &bench.cluster {
            cluster.create("append", None)?;
            command.args(["--database-url", &cluster.url("append")]);
        }
        report.note("append", shell::output(&mut command)?.trim().to_owned());
    }
    Ok(())
}

/// What `loadkit search` prints of a log that `loadkit append` fills for ten times as long as anything is measured: some
/// millions of entries of one organization.
pub fn search(bench: &Bench, report: &mut Report) -> Result<()> {
    let file = stage::scratch(bench)?.join("search.db");
    let seconds = (bench.seconds * 10).to_string();
    let mut append = Command::new(&bench.loadkit);
    append.args([
        "append",
        "--organizations",
        "1",
        "--seconds",
        &seconds,
        "--file",
    ]);
    append.arg(&file);
    let mut search = Command::new(&bench.loadkit);
    search.args(["search", "--file"]).arg(&file);
    if let Some(cluster) = &bench.cluster {
        cluster.create("search", None)?;
        for command in [&mut append, &mut search] {
            command.args(["--database-url", &cluster.url("search")]);
        }
    }
    shell::output(&mut append)?;
    for line in shell::output(&mut search)?.lines() {
        report.note("search", line.to_owned());
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
