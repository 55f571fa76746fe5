//! The gate's numbers in Prometheus' text format: what runs, waits and was refused, and the busiest organizations by
//! id, all others together as `other`. Bounded however many organizations there are.

use super::{Class, Gate, share::Share};
use kernel::{Id, Org};
use std::{
    collections::HashMap,
    fmt::{Display, Write},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
};
use store::Load;

/// How many organizations have lines of their own.
const NAMED: usize = 100;

/// Which organizations have lines of their own, and since which counts: what came before is the others', so that
/// every counter only rises.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<HashMap<Id<Org>, Since>>);

#[derive(Clone, Copy, Debug, Default)]
struct Since {
    asked: u64,
    refused: u64,
}

struct Line {
    org: String,
    asked: u64,
    refused: u64,
}

impl Named {
    fn lines(&self, shares: &[Arc<Share>]) -> Vec<Line> {
        let mut named = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        choose(&mut named, shares);
        let counts = |share: &Share| (share.asked.load(Relaxed), share.refused.load(Relaxed));
        let mut other = Line {
            org: "other".into(),
            asked: 0,
            refused: 0,
        };
        let mut lines = Vec::with_capacity(NAMED + 1);
        for share in shares {
            let (asked, refused) = counts(share);
            share.told.store(asked, Relaxed);
            other.asked += asked;
            other.refused += refused;
            let Some((org, since)) = share.org.and_then(|org| Some((org, named.get(&org)?))) else {
                continue;
            };
            let line = Line {
                org: org.to_string(),
                asked: asked - since.asked,
                refused: refused.saturating_sub(since.refused),
            };
            other.asked -= line.asked;
            other.refused = other.refused.saturating_sub(line.refused);
            lines.push(line);
        }
        lines.sort_by(|a, b| a.org.cmp(&b.org));
        lines.push(other);
        lines
    }
}

/// Gives free lines to the busiest, and the line of the least busy to one that is twice as busy.
fn choose(named: &mut HashMap<Id<Org>, Since>, shares: &[Arc<Share>]) {
    let mut others: Vec<(u64, Id<Org>, &Share)> = shares
        .iter()
        .filter_map(|share| Some((lately(share), share.org?, &**share)))
        .filter(|(lately, org, _)| *lately > 0 && !named.contains_key(org))
        .collect();
    others.sort_by_key(|(lately, org, _)| std::cmp::Reverse((*lately, *org)));
    for (lately, org, share) in others.into_iter().take(NAMED) {
        if named.len() >= NAMED && !make_room(named, shares, lately) {
            return;
        }
        let since = Since {
            asked: share.told.load(Relaxed),
            refused: share.refused.load(Relaxed),
        };
        named.insert(org, since);
    }
}

/// Requests since the last look.
fn lately(share: &Share) -> u64 {
    let told = share.told.load(Relaxed);
    share.asked.load(Relaxed).saturating_sub(told)
}

fn make_room(named: &mut HashMap<Id<Org>, Since>, shares: &[Arc<Share>], busier: u64) -> bool {
    let busy = |share: &Arc<Share>| {
        let org = share.org.filter(|org| named.contains_key(org))?;
        Some((lately(share), org))
    };
    let Some((least, org)) = shares.iter().filter_map(busy).min() else {
        return false;
    };
    if busier <= least.saturating_mul(2) {
        return false;
    }
    named.remove(&org);
    true
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _infallible = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }
    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        let _infallible = writeln!(self.0, "{name}{{{}}} {value}", labels.join(","));
    }
}

impl Gate {
    /// Everything it counts, and what waits for the database, as Prometheus reads it.
    pub fn report(&self, loads: &[Load]) -> String {
        let mut text = Text(String::with_capacity(4_096));
        self.classes(&mut text);
        text.head(
            "cardea_gate_delay_seconds",
            "gauge",
            "How long a request that comes now waits, for a processor and for the database.",
        );
        for (of, delay) in [
            ("processor", self.pressure.runtime()),
            ("database", self.pressure.store()),
        ] {
            let seconds = std::time::Duration::from_micros(delay.get().unsigned_abs());
            text.line(
                "cardea_gate_delay_seconds",
                &[("of", of)],
                seconds.as_secs_f64(),
            );
        }
        queues(&mut text, loads);
        self.breakers(&mut text);
        self.organizations(&mut text);
        text.0
    }

    fn classes(&self, text: &mut Text) {
        type Count = fn(&Gate, Class) -> u64;
        let counts: [(&str, &str, &str, Count); 3] = [
            (
                "cardea_gate_running",
                "gauge",
                "Requests that are being carried out, by class.",
                |gate, class| gate.pool(class).map_or(0, |pool| count(pool.running())),
            ),
            (
                "cardea_gate_waiting",
                "gauge",
                "Requests that wait for their organization's turn, by class.",
                |gate, class| gate.pool(class).map_or(0, |pool| count(pool.waiting())),
            ),
            (
                "cardea_gate_shed_total",
                "counter",
                "Requests refused because they would have waited too long, by class.",
                |gate, class| {
                    let count = gate.shed.get(class as usize);
                    count.map_or(0, |count| count.load(Relaxed))
                },
            ),
        ];
        for (name, kind, help, count) in counts {
            text.head(name, kind, help);
            for class in Class::ALL {
                text.line(name, &[("class", class.as_str())], count(self, class));
            }
        }
    }

    fn breakers(&self, text: &mut Text) {
        let fast = self.shared();
        let open = fast.is_some_and(|fast| fast.is_open());
        let lost = fast.map_or(0, |fast| fast.lost());
        let name = "cardea_breaker_open";
        text.head(
            name,
            "gauge",
            "1 while a dependency that failed is left alone.",
        );
        text.line(name, &[("of", "fast_state")], u8::from(open));
        let name = "cardea_fast_state_lost_total";
        text.head(
            name,
            "counter",
            "Counts that the shared fast state did not take; this node counted by itself.",
        );
        let _infallible = writeln!(text.0, "{name} {lost}");
    }

    fn organizations(&self, text: &mut Text) {
        let lines = self.named.lines(&self.shares.all());
        let (asked, refused) = (
            "cardea_organization_requests_total",
            "cardea_organization_refused_total",
        );
        text.head(
            asked,
            "counter",
            "Requests by organization: the busiest by id, all others together.",
        );
        for line in &lines {
            text.line(asked, &[("org", &line.org)], line.asked);
        }
        text.head(
            refused,
            "counter",
            "Requests refused because there were too many, by organization.",
        );
        for line in &lines {
            text.line(refused, &[("org", &line.org)], line.refused);
        }
    }
}

fn queues(text: &mut Text, loads: &[Load]) {
    let name = "cardea_store_waiting";
    text.head(
        name,
        "gauge",
        "Commands that wait for the database, by queue and priority.",
    );
    for load in loads {
        for (priority, count) in [
            ("urgent", load.urgent),
            ("usual", load.usual),
            ("bulk", load.bulk),
        ] {
            text.line(
                name,
                &[("queue", load.queue), ("priority", priority)],
                count,
            );
        }
    }
    let name = "cardea_store_taken_total";
    text.head(name, "counter", "Commands taken from each queue.");
    for load in loads {
        text.line(name, &[("queue", load.queue)], load.taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;

    fn shares(counts: &[u64]) -> Vec<Arc<Share>> {
        let share = |(n, asked): (usize, &u64)| {
            Arc::new(Share {
                org: Some(Id::from_bytes([u8::try_from(n).unwrap(); 16])),
                asked: AtomicU64::new(*asked),
                ..Share::default()
            })
        };
        counts.iter().enumerate().map(share).collect()
    }

    fn total(lines: &[Line]) -> u64 {
        lines.iter().map(|line| line.asked).sum()
    }

    #[test]
    fn ops_2_the_busiest_have_lines_and_the_rest_is_one() {
        let named = Named::default();
        let counts: Vec<u64> = (1..=150).collect();
        let shares = shares(&counts);
        let lines = named.lines(&shares);
        assert_eq!(lines.len(), NAMED + 1);
        assert_eq!(total(&lines), (1..=150).sum::<u64>());
        assert_eq!(lines.last().unwrap().org, "other");
        for share in &shares {
            share.asked.fetch_add(1, Relaxed);
        }
        let again = named.lines(&shares);
        assert!(
            again
                .iter()
                .zip(&lines)
                .all(|(now, before)| { now.org == before.org && now.asked >= before.asked })
        );
        assert_eq!(total(&again), (2..=151).sum::<u64>());
    }

    #[test]
    fn a_newcomer_that_is_twice_as_busy_takes_the_line_of_the_least_busy() {
        let named = Named::default();
        let shares = shares(&[5; 101]);
        let before = named.lines(&shares);
        let orgs: Vec<_> = before.iter().map(|line| line.org.clone()).collect();
        let left_out = shares
            .iter()
            .find(|share| !orgs.contains(&share.org.unwrap().to_string()))
            .unwrap();
        left_out.asked.fetch_add(1_000, Relaxed);
        let lines = named.lines(&shares);
        assert_eq!(lines.len(), NAMED + 1);
        let taken = left_out.org.unwrap().to_string();
        assert!(lines.iter().any(|line| line.org == taken));
        assert!(lines.last().unwrap().asked >= before.last().unwrap().asked);
    }
}
