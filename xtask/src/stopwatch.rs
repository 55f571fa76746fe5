//! How long the steps of `cargo xtask test` take, against the seconds in `xtask/budget.toml`.
//! Never measures the product: that is what benchmarks are for.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// How long something took.
pub fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = now();
    let value = work()?;
    Ok((value, start.elapsed()))
}

/// Seconds per step, read from `xtask/budget.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    total: u64,
    steps: BTreeMap<String, u64>,
}

impl Budget {
    pub fn read(root: &Path) -> Result<Self> {
        let file = root.join("xtask/budget.toml");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("cannot read {}", file.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a budget", file.display()))
    }

    /// Refuses a total over the budget; the message names the steps that took more than their share.
    pub fn judge(&self, laps: &[(String, Duration)]) -> Result<()> {
        let total: Duration = laps.iter().map(|(_, took)| *took).sum();
        if total <= Duration::from_secs(self.total) {
            return Ok(());
        }
        let late: Vec<_> = laps
            .iter()
            .filter(|(step, took)| self.over(step, *took))
            .map(|(step, _)| step.as_str())
            .collect();
        bail!(
            "the run took {} s of {} s in xtask/budget.toml; make these faster: {}",
            total.as_secs(),
            self.total,
            late.join(", ")
        )
    }

    fn over(&self, step: &str, took: Duration) -> bool {
        self.steps
            .get(step)
            .is_none_or(|seconds| took > Duration::from_secs(*seconds))
    }
}

/// Runs the steps one after the other and keeps how long each took.
pub struct Stopwatch {
    budget: Budget,
    laps: Vec<(String, Duration)>,
}

impl Stopwatch {
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            laps: Vec::new(),
        }
    }

    /// Runs one step; prints its name before and nothing after, so that a step's own summary stays last.
    pub fn step(&mut self, name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n== {name}");
        let begun = now();
        let done = work().with_context(|| format!("step `{name}`"));
        self.laps.push((name.to_owned(), begun.elapsed()));
        done
    }

    /// Prints the steps so far with what the budget gives them.
    pub fn print(&self) {
        println!("\n== seconds so far (budget)");
        for (step, took) in &self.laps {
            let share = self
                .budget
                .steps
                .get(step)
                .map_or("none".to_owned(), u64::to_string);
            let note = if self.budget.over(step, *took) {
                "  over"
            } else {
                ""
            };
            println!("{:>8.1} ({share})  {step}{note}", took.as_secs_f64());
        }
    }

    /// Refuses a run over its total.
    pub fn judge(&self) -> Result<()> {
        self.budget.judge(&self.laps)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the only thing measured here is the machine's own time"
)]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        toml::from_str("total = 10\n[steps]\nlints = 4\ntests = 6\n").unwrap()
    }

    #[test]
    fn a_run_over_its_total_is_refused_and_names_the_late_step() {
        let laps = [
            ("lints".to_owned(), Duration::from_secs(3)),
            ("tests".to_owned(), Duration::from_secs(8)),
        ];
        let refused = budget().judge(&laps).unwrap_err().to_string();
        assert!(
            refused.contains("tests") && !refused.contains("lints"),
            "{refused}"
        );
    }

    #[test]
    fn a_late_step_inside_the_total_passes() {
        assert!(
            budget()
                .judge(&[("lints".to_owned(), Duration::from_secs(9))])
                .is_ok()
        );
    }

    #[test]
    fn the_projects_budget_reads_and_its_steps_fit_its_total() {
        let budget = Budget::read(&crate::root()).unwrap();
        assert!(budget.steps.values().sum::<u64>() <= budget.total);
    }
}
