//! An open loop: requests are due at a constant rate whatever the server does, and a latency counts from the moment
//! a request was due. Connections are bounded; a request that finds none free in its time was missed, as
//! a user who has gone away.

use crate::{
    client::Client,
    request::{self, Wanted},
};
use anyhow::Result;
use clap::Args;
use kernel::{Clock, Micros, Monotonic, ambient::SystemClock};
use std::{cell::RefCell, path::PathBuf, rc::Rc, time::Duration};

/// What `loadkit open` takes.
#[derive(Args)]
pub struct Options {
    /// The server, as `host:port`
    #[arg(long)]
    address: String,
    /// The file of requests
    #[arg(long)]
    requests: PathBuf,
    /// The line to begin at
    #[arg(long, default_value_t = 0)]
    offset: usize,
    /// Requests due in a second
    #[arg(long)]
    rate: f64,
    /// For how many seconds
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// How many connections at most
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Milliseconds after which an answer is worth nothing
    #[arg(long, default_value_t = 1_000)]
    deadline_ms: i64,
    /// Milliseconds that a request waits for a free connection before it counts as missed
    #[arg(long, default_value_t = 1_000)]
    wait_ms: i64,
}

/// What happened.
#[derive(Default)]
struct Seen {
    due: usize,
    missed: u64,
    good: u64,
    late: u64,
    shed: u64,
    refused: u64,
    broken: u64,
    /// From due to answered, of all that succeeded, microseconds.
    latencies: Vec<i64>,
    failure: Option<String>,
}

struct Plan {
    wanted: Vec<Wanted>,
    began: Monotonic,
    options: Options,
}

impl Plan {
    /// The next request with the moment it is due.
    fn next(&self, seen: &RefCell<Seen>) -> Option<(&Wanted, Monotonic)> {
        let mut seen = seen.borrow_mut();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a moment within minutes"
        )]
        let after = (seen.due as f64 / self.options.rate * 1e6) as i64;
        if after >= i64::from(self.options.seconds) * 1_000_000 {
            return None;
        }
        let at = (self.options.offset + seen.due) % self.wanted.len();
        seen.due += 1;
        let due = Monotonic::from_micros(self.began.micros() + after);
        Some((self.wanted.get(at)?, due))
    }

    fn wait(&self) -> Micros {
        Micros::new(self.options.wait_ms * 1_000)
    }

    fn deadline(&self) -> Micros {
        Micros::new(self.options.deadline_ms * 1_000)
    }
}

/// Sends and prints one line of JSON.
///
/// # Errors
/// When the file of requests cannot be read.
pub async fn run(options: Options) -> Result<()> {
    let plan = Rc::new(Plan {
        wanted: request::read(&options.requests, &options.address)?,
        began: SystemClock.boot(),
        options,
    });
    let seen = Rc::new(RefCell::new(Seen::default()));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..plan.options.connections {
        let (plan, seen) = (plan.clone(), seen.clone());
        tasks.spawn_local(async move { connection(&plan, &seen, number).await });
    }
    while let Some(task) = tasks.join_next().await {
        task?;
    }
    let took = SystemClock.boot().since(plan.began);
    let told = seen.borrow_mut().told(plan.options.seconds, took);
    println!("{told}");
    Ok(())
}

async fn connection(plan: &Plan, seen: &RefCell<Seen>, number: usize) {
    let mut client = Client::new(&plan.options.address).numbered(number);
    while let Some((wanted, due)) = plan.next(seen) {
        let late = SystemClock.boot().since(due);
        if late > plan.wait() {
            seen.borrow_mut().missed += 1;
            continue;
        }
        if late.get() < 0 {
            tokio::time::sleep(Duration::from_micros(late.get().unsigned_abs())).await;
        }
        let answer = client.send(wanted).await;
        let took = SystemClock.boot().since(due);
        seen.borrow_mut()
            .count(answer.map(|(status, _)| status), took, plan.deadline());
    }
}

impl Seen {
    fn count(&mut self, answer: Result<u16>, took: Micros, deadline: Micros) {
        match answer {
            Ok(200..300) => {
                self.latencies.push(took.get());
                *if took > deadline {
                    &mut self.late
                } else {
                    &mut self.good
                } += 1;
            }
            Ok(429 | 503) => self.shed += 1,
            Ok(status) => {
                self.refused += 1;
                self.failure = Some(format!("status {status}"));
            }
            Err(error) => {
                self.broken += 1;
                self.failure = Some(format!("{error:#}"));
            }
        }
    }

    fn told(&mut self, seconds: u32, took: Micros) -> serde_json::Value {
        self.latencies.sort_unstable();
        serde_json::json!({
            "due": self.due, "missed": self.missed, "good": self.good, "late": self.late, "shed": self.shed,
            "refused": self.refused, "broken": self.broken, "failure": self.failure, "seconds": seconds,
            "took_us": took.get(), "own_cpu_us": used(),
            "p50_us": self.percentile(500), "p99_us": self.percentile(990), "p999_us": self.percentile(999),
        })
    }

    /// Of all answers that succeeded; thousandths.
    fn percentile(&self, of: usize) -> i64 {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * of / 1_000).copied().unwrap_or(0)
    }
}

/// What this process has used of the processors, in microseconds: at a whole core the load, not the server, is the limit.
pub fn used() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = fields
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse::<u64>().ok());
    ticks.sum::<u64>() * 10_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_apart_and_percentiles_are_of_what_succeeded() {
        let (mut seen, deadline) = (Seen::default(), Micros::new(100));
        for took in 1..=99 {
            seen.count(Ok(200), Micros::new(took), deadline);
        }
        seen.count(Ok(201), Micros::new(1_000), deadline);
        seen.count(Ok(503), Micros::new(1), deadline);
        seen.count(Ok(401), Micros::new(1), deadline);
        let told = seen.told(1, Micros::new(5));
        assert_eq!(
            (told["good"].as_u64(), told["late"].as_u64()),
            (Some(99), Some(1))
        );
        assert_eq!(
            (told["shed"].as_u64(), told["refused"].as_u64()),
            (Some(1), Some(1))
        );
        assert_eq!(
            (told["p50_us"].as_i64(), told["p999_us"].as_i64()),
            (Some(50), Some(99))
        );
    }

    #[test]
    fn requests_are_due_at_the_rate_and_end_with_the_seconds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("requests");
        std::fs::write(&file, "GET\t/a\t-\t-\t\nGET\t/b\t-\t-\t\n").unwrap();
        let options = Options {
            address: "localhost:1".into(),
            requests: file.clone(),
            offset: 1,
            rate: 4.0,
            seconds: 1,
            connections: 1,
            deadline_ms: 1,
            wait_ms: 1,
        };
        let plan = Plan {
            wanted: request::read(&file, "localhost:1").unwrap(),
            began: Monotonic::from_micros(5),
            options,
        };
        let seen = RefCell::new(Seen::default());
        let due: Vec<_> = std::iter::from_fn(|| plan.next(&seen))
            .map(|(wanted, due)| (wanted.request().uri().to_string(), due.micros()))
            .collect();
        let expected = [("/b", 5), ("/a", 250_005), ("/b", 500_005), ("/a", 750_005)];
        assert_eq!(due, expected.map(|(path, at)| (path.to_owned(), at)));
    }
}
