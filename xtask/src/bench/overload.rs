//! Overload: the server on the first processor, the load on the second. A closed loop finds the peak; then four times
//! as much is due, over as many connections as a server holds, and what succeeds within a second is compared with
//! the peak. Afterwards a closed loop again, to see whether the server recovers.

use super::{
    Bench,
    closed::{self, Named, Target},
    cost,
    open::Open,
    report::{OpenFigure, Report},
    requests,
    scenario::{Kind, Scenario},
    stage::Stage,
};
use anyhow::{Result, bail};

const TIMES: f64 = 4.0;
const CONNECTIONS: u32 = 2_048;
/// Short, so that the load's own queue does not count against the server.
const WAIT_MS: u32 = 50;

pub fn measure(bench: &Bench, kind: Kind, scenario: &Scenario, report: &mut Report) -> Result<()> {
    if std::thread::available_parallelism()?.get() < 2 {
        bail!("it needs two processors, one for the server and one for the load");
    }
    let stage = Stage::open(bench, scenario.size, true)?;
    let measured = on(bench, &stage, kind, scenario, report);
    stage.stop()?;
    measured
}

fn on(
    bench: &Bench,
    stage: &Stage,
    kind: Kind,
    scenario: &Scenario,
    report: &mut Report,
) -> Result<()> {
    let file = requests::file(bench, stage, kind)?;
    let target = Target::of(bench, stage);
    let named = |name| Named {
        name,
        about: "pinned: client credentials in one organization",
        organizations: scenario.size.organizations,
    };
    let before = closed::measure(bench, &target, &file, 1, named("overload-before"))?;
    cost::forget_peak(stage.pid())?;
    let open = Open {
        address: &stage.address,
        requests: &file,
        rate: before.per_second * TIMES,
        seconds: bench.seconds.max(5),
        connections: CONNECTIONS,
        wait_ms: WAIT_MS,
        pinned: true,
    };
    let seen = open.run(bench)?;
    let peak_mib = cost::peak_kib(stage.pid()) / 1024;
    let after = closed::measure(bench, &target, &file, 1, named("overload-after"))?;
    let (good, busy) = (seen.good / seen.seconds, seen.own_cpu_us / seen.took_us);
    report.note(
        scenario.name,
        format!(
            "at {TIMES} times the pinned peak of {:.0}/s, {good:.0}/s succeeded within a second: {:.0} % of the peak. \
             The load sent {:.0}/s and kept {:.0} % of its processor busy. Memory rose from {} to {peak_mib} MiB at most; \
             afterwards the closed loop reached {:.0}/s.",
            before.per_second,
            good / before.per_second * 100.0,
            (seen.due - seen.missed) / seen.seconds,
            busy * 100.0,
            before.resident_mib,
            after.per_second,
        ),
    );
    let figure = OpenFigure::new(scenario.name, scenario.about, open.rate, &seen);
    report.open.push(figure);
    report.figures.extend([before, after]);
    Ok(())
}
