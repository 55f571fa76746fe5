//! Fairness: one organization asks for tokens at a steady rate, first alone, then while another floods the server with
//! writes and with wrong secrets over as many connections as one address may hold.

use super::{
    Bench,
    open::{Open, Seen},
    report::{OpenFigure, Report},
    requests,
    scenario::Scenario,
    stage::Stage,
};
use anyhow::{Context, Result};
use std::path::Path;
use std::thread;

/// What the quiet organization asks in a second: well within what a core serves.
const RATE: f64 = 500.0;
/// What is due of the flood in a second, of each of its two sorts.
const FLOOD: f64 = 20_000.0;
const CONNECTIONS: u32 = 512;
/// The flood begins before it is measured, and ends after.
const AROUND: u32 = 2;

pub fn measure(bench: &Bench, scenario: &Scenario, report: &mut Report) -> Result<()> {
    let stage = Stage::open(bench, scenario.size, bench.pinned)?;
    let measured = on(bench, &stage, scenario, report);
    stage.stop()?;
    measured
}

fn on(bench: &Bench, stage: &Stage, scenario: &Scenario, report: &mut Report) -> Result<()> {
    let files = requests::neighbours(bench, stage)?;
    let steady = |seconds| open(stage, &files.steady, RATE, 64, seconds);
    steady(AROUND).run(bench)?;
    let quiet = steady(bench.seconds).run(bench)?;
    let flooding = |file| open(stage, file, FLOOD, CONNECTIONS, bench.seconds + 2 * AROUND);
    let (flooded, writes, wrong) = thread::scope(|scope| {
        let writes = scope.spawn(|| flooding(&files.writes).run(bench));
        let wrong = scope.spawn(|| flooding(&files.wrong).run(bench));
        thread::sleep(std::time::Duration::from_secs(AROUND.into()));
        let flooded = steady(bench.seconds).run(bench);
        (flooded, writes.join(), wrong.join())
    });
    let (flooded, writes) = (flooded?, writes.ok().context("the flood of writes")??);
    let wrong = wrong.ok().context("the flood of wrong secrets")??;
    report.note(scenario.name, told(&quiet, &flooded, &writes, &wrong));
    for (name, rate, seen) in [
        ("fair: alone", RATE, &quiet),
        ("fair: beside the flood", RATE, &flooded),
        ("fair: the flood's writes", FLOOD, &writes),
        ("fair: the flood's wrong secrets", FLOOD, &wrong),
    ] {
        report
            .open
            .push(OpenFigure::new(name, scenario.about, rate, seen));
    }
    Ok(())
}

fn open<'a>(
    stage: &'a Stage,
    requests: &'a Path,
    rate: f64,
    connections: u32,
    seconds: u32,
) -> Open<'a> {
    Open {
        address: &stage.address,
        requests,
        rate,
        seconds,
        connections,
        wait_ms: 50,
        pinned: stage.pinned,
    }
}

fn told(quiet: &Seen, flooded: &Seen, writes: &Seen, wrong: &Seen) -> String {
    format!(
        "{:.0} tokens/s of one organization: p99 {:.1} ms alone and {:.1} ms beside the flood ({:.1} times), {:.2} % failed. \
         Of the flood {:.0} writes/s were done and {:.0}/s put off, {:.0} wrong secrets/s were refused and {:.0}/s put off.",
        quiet.good / quiet.seconds,
        quiet.p99_us / 1_000.0,
        flooded.p99_us / 1_000.0,
        flooded.p99_us / quiet.p99_us.max(1.0),
        (flooded.due - flooded.good - flooded.late) / flooded.due * 100.0,
        (writes.good + writes.late) / writes.seconds,
        writes.shed / writes.seconds,
        wrong.refused / wrong.seconds,
        wrong.shed / wrong.seconds,
    )
}
