//! What a run saw, as JSON for programs and as Markdown for people.

use super::{Bench, closed::Figure, curve, machine::Machine, open::Seen};
use anyhow::Result;
use serde::Serialize;
use std::fmt::Write;

/// Everything of one run.
#[derive(Serialize)]
pub struct Report {
    pub machine: Machine,
    pub engine: &'static str,
    pub pinned: bool,
    pub seconds: u32,
    pub runs: usize,
    pub figures: Vec<Figure>,
    pub open: Vec<OpenFigure>,
    pub notes: Vec<Note>,
}

/// What is not a row of a table.
#[derive(Serialize)]
pub struct Note {
    pub name: String,
    pub text: String,
}

/// One open loop.
#[derive(Serialize)]
pub struct OpenFigure {
    pub name: String,
    pub about: String,
    /// Due in a second.
    pub rate: f64,
    /// Succeeded within the deadline, in a second.
    pub good_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub late: f64,
    pub shed: f64,
    pub refused: f64,
    pub broken: f64,
    pub missed: f64,
    pub failure: Option<String>,
}

impl OpenFigure {
    pub fn new(name: &str, about: &str, rate: f64, seen: &Seen) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            rate,
            good_per_second: seen.good / seen.seconds,
            p50_ms: seen.p50_us / 1e3,
            p99_ms: seen.p99_us / 1e3,
            p999_ms: seen.p999_us / 1e3,
            late: seen.late,
            shed: seen.shed,
            refused: seen.refused,
            broken: seen.broken,
            missed: seen.missed,
            failure: seen.failure.clone(),
        }
    }
}

const CLOSED: &str = "\n| load | organizations | per second (least–most) | p50 ms | p99 ms | p99.9 ms | server CPU µs (least–most) | database CPU µs | switches | memory MiB | failed |\n\
     | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";
const OPEN: &str = "\n| open loop | due per second | good per second | p50 ms | p99 ms | p99.9 ms | late | shed | refused | broken | missed |\n\
     | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n";

impl Report {
    pub fn new(bench: &Bench) -> Result<Self> {
        Ok(Self {
            machine: Machine::read(&bench.root)?,
            engine: bench.engine.name(),
            pinned: bench.pinned,
            seconds: bench.seconds,
            runs: bench.runs,
            figures: Vec::new(),
            open: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// The name of a whole run's files.
    pub fn name(&self) -> String {
        let pinned = if self.pinned { "-pinned" } else { "" };
        format!("{}-{}{pinned}", self.machine.date, self.engine)
    }

    pub fn note(&mut self, name: &str, text: String) {
        self.notes.push(Note {
            name: name.into(),
            text,
        });
    }

    pub fn figure(&self, name: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.name == name)
    }

    /// Adds what follows from the figures.
    pub fn conclude(&mut self) {
        if let Some(verdict) = curve::verdict(&self.figures) {
            self.note("curve", verdict);
        }
        if let (Some(ours), Some(peer)) = (self.figure("token-1"), self.figure("peer")) {
            let times = ours.per_second / peer.per_second;
            self.note(
                "peer",
                format!("token-1 is {times:.1} times the peer's rate"),
            );
        }
    }

    pub fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    pub fn to_markdown(&self) -> String {
        let m = &self.machine;
        let mut out = format!(
            "# Figures of {} on {}\n\nCommit {}; {} cores ({}), {} MiB, Linux {}; load average {} before; {} of {} s each{}.\n",
            m.date,
            self.engine,
            m.commit,
            m.cores,
            m.cpu,
            m.memory_mib,
            m.kernel,
            m.load_before,
            if self.runs == 1 {
                "one run".to_owned()
            } else {
                format!("median of {} runs", self.runs)
            },
            self.seconds,
            if self.pinned {
                "; server on core 0, load on core 1"
            } else {
                "; load on the same cores"
            },
        );
        if !self.figures.is_empty() {
            out += CLOSED;
        }
        for figure in &self.figures {
            closed_row(&mut out, figure);
        }
        if !self.open.is_empty() {
            out += OPEN;
        }
        for figure in &self.open {
            open_row(&mut out, figure);
        }
        out.push('\n');
        for note in &self.notes {
            let _ = writeln!(out, "* **{}**: {}", note.name, note.text);
        }
        out
    }
}

fn closed_row(out: &mut String, f: &Figure) {
    let database = f.database_us.map_or("–".into(), |us| format!("{us:.0}"));
    let _ = writeln!(
        out,
        "| {}: {} | {} | {:.0} ({:.0}–{:.0}) | {:.2} | {:.2} | {:.2} | {:.0} ({:.0}–{:.0}) | {database} | {:.2} | {} | {:.0} |",
        f.name,
        f.about,
        f.organizations,
        f.per_second,
        f.per_second_least,
        f.per_second_most,
        f.p50_ms,
        f.p99_ms,
        f.p999_ms,
        f.server_us,
        f.server_us_least,
        f.server_us_most,
        f.switches,
        f.resident_mib,
        f.failed
    );
}

fn open_row(out: &mut String, f: &OpenFigure) {
    let _ = writeln!(
        out,
        "| {}: {} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} |",
        f.name,
        f.about,
        f.rate,
        f.good_per_second,
        f.p50_ms,
        f.p99_ms,
        f.p999_ms,
        f.late,
        f.shed,
        f.refused,
        f.broken,
        f.missed
    );
}
