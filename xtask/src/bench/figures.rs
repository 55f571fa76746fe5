//! Running wrk three times and keeping the median, with the server's CPU time per request from `/proc`.

use super::Load;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// One figure: the median of three runs.
#[derive(Clone)]
pub struct Figure {
    pub name: String,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    /// Microseconds of the server's user and system time per request.
    pub cpu_us: Option<f64>,
    pub failed: u64,
}

/// Where the figures were taken.
pub struct Machine {
    pub date: String,
    pub commit: String,
    pub cpu: String,
    pub cores: usize,
}

pub struct Report {
    pub machine: Machine,
    pub engine: &'static str,
    pub start_ms: f64,
    pub idle_kib: u64,
    pub resident_after_load_kib: u64,
    pub figures: Vec<Figure>,
}

/// Warms up for two seconds, then loads three times.
pub fn measure(load: &Load, pid: Option<u32>, seconds: u32, connections: u32) -> Result<Figure> {
    once(load, None, 2, connections)?;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(once(load, pid, seconds, connections)?);
    }
    runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    runs.into_iter().nth(1).context("three runs have a median")
}

fn once(load: &Load, pid: Option<u32>, seconds: u32, connections: u32) -> Result<Figure> {
    let before = pid.map(cpu_us).transpose()?;
    let out = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{connections}"),
            &format!("-d{seconds}s"),
            "--timeout",
            "5s",
            "-s",
        ])
        .arg(&load.script)
        .arg(&load.url)
        .output()
        .context("starting wrk")?;
    let text = String::from_utf8_lossy(&out.stdout);
    let after = pid.map(cpu_us).transpose()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("figures "))
        .with_context(|| format!("wrk printed no figures: {text}"))?;
    let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, per_second, p50, p99, failed] = numbers.as_slice() else {
        bail!("wrk printed `{line}`")
    };
    // Refusals are fast: a rate of them is no figure.
    if *failed > requests / 100.0 {
        bail!("{failed} of {requests} requests of `{}` failed", load.name);
    }
    let spent = before.zip(after).map(|(before, after)| after - before);
    Ok(Figure {
        name: load.name.into(),
        per_second: *per_second,
        p50_ms: p50 / 1_000.0,
        p99_ms: p99 / 1_000.0,
        cpu_us: spent.map(|us| us / requests),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count that wrk prints as a number"
        )]
        failed: *failed as u64,
    })
}

/// User and system time of a process, microseconds. Fields 14 and 15 of `/proc/<pid>/stat`, in ticks of 10 ms.
fn cpu_us(pid: u32) -> Result<f64> {
    let stat =
        std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the server is gone")?;
    let rest = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest)
        .context("an odd /proc/<pid>/stat")?;
    let ticks: Vec<f64> = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() * 10_000.0)
}

/// What every wrk script ends with: one line that `once` reads.
pub const DONE: &str = r#"
local failed = 0
function response(status) if status ~= 200 then failed = failed + 1 end end
function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("figures %d %.1f %.1f %.1f %d\n", summary.requests, summary.requests / summary.duration * 1000000,
    latency:percentile(50), latency:percentile(99), bad))
end
"#;

impl Machine {
    pub fn read(root: &Path) -> Result<Self> {
        let line = |program: &str, arguments: &[&str]| -> Result<String> {
            let out = Command::new(program)
                .args(arguments)
                .current_dir(root)
                .output()?;
            Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
        };
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .unwrap_or_default();
        Ok(Self {
            date: line("date", &["-u", "+%Y-%m-%d"])?,
            commit: line("git", &["rev-parse", "--short", "HEAD"])?,
            cpu: model.trim_matches([':', ' ', '\t']).to_owned(),
            cores: std::thread::available_parallelism()?.get(),
        })
    }
}

impl Report {
    pub fn to_markdown(&self) -> String {
        let m = &self.machine;
        let mut out = format!(
            "# Figures of {} on {}\n\nCommit {}, {} cores ({}), wrk on the same cores, median of three runs.\n\n\
             * start to first answer on an empty folder: {:.0} ms\n* idle memory: {:.1} MiB\n* memory after load: {:.1} MiB\n\n\
             | load | per second | p50 ms | p99 ms | server CPU µs per request | failed |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
            m.date,
            self.engine,
            m.commit,
            m.cores,
            m.cpu,
            self.start_ms,
            mib(self.idle_kib),
            mib(self.resident_after_load_kib)
        );
        for f in &self.figures {
            let cpu = f.cpu_us.map_or("–".into(), |us| format!("{us:.0}"));
            let _ = writeln!(
                out,
                "| {} | {:.0} | {:.2} | {:.2} | {cpu} | {} |",
                f.name, f.per_second, f.p50_ms, f.p99_ms, f.failed
            );
        }
        out
    }

    pub fn to_json(&self) -> String {
        let figure = |f: &Figure| {
            let cpu = f.cpu_us.map_or("null".into(), |us| format!("{us:.1}"));
            format!(
                "    {{\"load\": \"{}\", \"per_second\": {:.1}, \"p50_ms\": {:.3}, \"p99_ms\": {:.3}, \"server_cpu_us\": {cpu}, \"failed\": {}}}",
                f.name, f.per_second, f.p50_ms, f.p99_ms, f.failed
            )
        };
        let figures: Vec<String> = self.figures.iter().map(figure).collect();
        format!(
            "{{\n  \"date\": \"{}\", \"commit\": \"{}\", \"cores\": {}, \"cpu\": \"{}\", \"engine\": \"{}\",\n  \"start_ms\": {:.1}, \"idle_kib\": {}, \"resident_after_load_kib\": {},\n  \"figures\": [\n{}\n  ]\n}}\n",
            self.machine.date,
            self.machine.commit,
            self.machine.cores,
            self.machine.cpu,
            self.engine,
            self.start_ms,
            self.idle_kib,
            self.resident_after_load_kib,
            figures.join(",\n")
        )
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size for people")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
