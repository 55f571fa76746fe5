//! Goes through the chosen scenarios. A server is started for those that stand beside each other on an instance of
//! one size; a scenario that fails is told and does not stop the others.

use super::{
    Bench,
    closed::{self, Figure, Named, Target},
    fair, open, overload, peer,
    report::Report,
    requests,
    scenario::{Kind, Scenario, Work},
    stage::Stage,
    start,
};
use anyhow::{Context, Result};

/// Measures everything and gives the names of what failed.
pub fn all(bench: &Bench, chosen: &[Scenario], report: &mut Report) -> Vec<&'static str> {
    let (mut stage, mut failed) = (None, Vec::new());
    for scenario in chosen {
        eprintln!("{} …", scenario.name);
        if let Err(error) = one(bench, scenario, &mut stage, report) {
            eprintln!("{}: {error:#}", scenario.name);
            report.note(scenario.name, format!("not measured: {error:#}"));
            failed.push(scenario.name);
            // What is left of it may be the reason; the next scenario begins afresh.
            close(&mut stage);
        }
    }
    close(&mut stage);
    failed
}

fn close(stage: &mut Option<Stage>) {
    if let Some(Err(error)) = stage.take().map(Stage::stop) {
        eprintln!("{error:#}");
    }
}

fn one(
    bench: &Bench,
    scenario: &Scenario,
    stage: &mut Option<Stage>,
    report: &mut Report,
) -> Result<()> {
    match scenario.work {
        Work::Closed(kind) => {
            let stage = on(bench, scenario, stage)?;
            let figure = loaded(bench, stage, kind, scenario)?;
            report.figures.push(figure);
            Ok(())
        }
        Work::Half(kind) => {
            let stage = on(bench, scenario, stage)?;
            open::half(bench, stage, kind, scenario, report)
        }
        Work::Full => {
            close(stage);
            let stage = on(bench, scenario, stage)?;
            start::full(bench, stage, scenario, report)
        }
        Work::Start => {
            close(stage);
            start::empty(bench, report)
        }
        Work::Overload(kind) => {
            close(stage);
            overload::measure(bench, kind, scenario, report)
        }
        Work::Fair => {
            close(stage);
            fair::measure(bench, scenario, report)
        }
        Work::Append => {
            close(stage);
            start::append(bench, report)
        }
        Work::Search => {
            close(stage);
            start::search(bench, report)
        }
        Work::Peer => {
            close(stage);
            report.figures.extend(peer::measure(bench)?);
            Ok(())
        }
    }
}

/// The running server, or a new one when its instance is of another size.
fn on<'a>(bench: &Bench, scenario: &Scenario, stage: &'a mut Option<Stage>) -> Result<&'a Stage> {
    if stage
        .as_ref()
        .is_some_and(|open| open.size != scenario.size)
    {
        close(stage);
    }
    if stage.is_none() {
        *stage = Some(Stage::open(bench, scenario.size, bench.pinned)?);
    }
    stage.as_ref().context("a server was started")
}

/// A closed loop of one kind on a stage.
pub fn loaded(bench: &Bench, stage: &Stage, kind: Kind, scenario: &Scenario) -> Result<Figure> {
    let file = requests::file(bench, stage, kind)?;
    // Everything was seen before: cells are loaded, tokens known. What must be new is not used up by that.
    let passes = u32::from(!matches!(kind, Kind::Cold | Kind::Revoke));
    let named = Named {
        name: scenario.name,
        about: scenario.about,
        organizations: scenario.size.organizations,
    };
    closed::measure(bench, &Target::of(bench, stage), &file, passes, named)
}
