//! A closed loop: warm up, then load some times and keep the median, with what the server and the database used for
//! each request.

use super::{
    Bench,
    cost::{self, Cost},
    stage::Stage,
    wrk::{Seen, Wrk},
};
use anyhow::{Context, Result, bail};
use serde::Serialize;
use std::path::Path;

/// One figure: the median of the runs, with the least and the most.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    pub name: String,
    pub about: String,
    pub organizations: usize,
    pub connections: u32,
    pub per_second: f64,
    pub per_second_least: f64,
    pub per_second_most: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// Microseconds of the server's processors for a request.
    pub server_us: f64,
    pub server_us_least: f64,
    pub server_us_most: f64,
    /// Microseconds of the database server's processors for a request.
    pub database_us: Option<f64>,
    /// Context switches of the server for a request.
    pub switches: f64,
    pub resident_mib: u64,
    pub failed: f64,
}

/// Who is loaded and measured.
pub struct Target<'a> {
    pub address: &'a str,
    pub server: u32,
    pub database: Option<u32>,
    pub pinned: bool,
}

impl<'a> Target<'a> {
    pub fn of(bench: &Bench, stage: &'a Stage) -> Self {
        Self {
            address: &stage.address,
            server: stage.pid(),
            database: bench.cluster.as_ref().map(super::postgres::Cluster::pid),
            pinned: stage.pinned,
        }
    }
}

struct Run {
    seen: Seen,
    server: Cost,
    database: Option<Cost>,
}

/// How a figure is named.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    pub name: &'a str,
    pub about: &'a str,
    pub organizations: usize,
}

/// Most seconds of a warm-up.
const WARM: u32 = 90;

/// Warms up for two seconds at least, until every line of the file was sent `passes` times, then measures.
pub fn measure(
    bench: &Bench,
    target: &Target<'_>,
    requests: &Path,
    passes: u32,
    named: Named<'_>,
) -> Result<Figure> {
    let lines = std::fs::read_to_string(requests)?.lines().count();
    let mut wrk = Wrk {
        address: target.address,
        requests,
        connections: bench.connections,
        seconds: 2,
        offset: 0,
        pinned: target.pinned,
    };
    let mut warmed = 0;
    while warmed == 0 || (warmed < WARM && wrk.offset < lines as u64 * u64::from(passes)) {
        let seen = wrk.run()?;
        warmed += wrk.seconds;
        wrk.offset += whole(seen.requests);
        if seen.requests < 1.0 {
            bail!("the server answers nothing");
        }
    }
    wrk.seconds = bench.seconds;
    let mut runs = Vec::with_capacity(bench.runs);
    for _ in 0..bench.runs {
        let run = once(target, &wrk)?;
        wrk.offset += whole(run.seen.requests);
        runs.push(run);
    }
    figure(bench, target, runs, named)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count that wrk prints"
)]
fn whole(count: f64) -> u64 {
    count as u64
}

fn once(target: &Target<'_>, wrk: &Wrk<'_>) -> Result<Run> {
    let costs = || -> Result<_> {
        let database = target.database.map(Cost::of_family).transpose()?;
        Ok((Cost::of(target.server)?, database))
    };
    let before = costs()?;
    let seen = wrk.run()?;
    let after = costs()?;
    Ok(Run {
        seen,
        server: after.0.since(before.0, seen.requests),
        database: after
            .1
            .zip(before.1)
            .map(|(after, before)| after.since(before, seen.requests)),
    })
}

fn figure(
    bench: &Bench,
    target: &Target<'_>,
    mut runs: Vec<Run>,
    named: Named<'_>,
) -> Result<Figure> {
    runs.sort_by(|a, b| a.seen.per_second.total_cmp(&b.seen.per_second));
    let rates = spread(runs.iter().map(|run| run.seen.per_second));
    let costs = spread(runs.iter().map(|run| run.server.cpu_us));
    let failed = runs.iter().map(|run| run.seen.failed).sum();
    let requests: f64 = runs.iter().map(|run| run.seen.requests).sum();
    let median = runs.get(runs.len() / 2).context("no run")?;
    if median.seen.requests < 1.0 {
        bail!("nothing was answered");
    }
    // Refusals are fast: a rate of them is no figure.
    if failed > requests / 100.0 {
        bail!("{failed} of {requests} requests failed");
    }
    Ok(Figure {
        name: named.name.into(),
        about: named.about.into(),
        organizations: named.organizations,
        connections: bench.connections,
        per_second: median.seen.per_second,
        per_second_least: rates.0,
        per_second_most: rates.1,
        p50_ms: median.seen.p50_ms,
        p99_ms: median.seen.p99_ms,
        p999_ms: median.seen.p999_ms,
        server_us: median.server.cpu_us,
        server_us_least: costs.0,
        server_us_most: costs.1,
        database_us: median.database.map(|cost| cost.cpu_us),
        switches: median.server.switches,
        resident_mib: cost::resident_kib(target.server) / 1024,
        failed,
    })
}

fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let least = values.clone().fold(f64::INFINITY, f64::min);
    (least, values.fold(0.0, f64::max))
}
