//! What processes have used, from `/proc`: processor time, context switches, memory. Reads the processes of a
//! database server together with their parent.

use super::machine::{after, kib};
use anyhow::{Context, Result};
use std::fs;

/// What some processes have used since they began.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// User and system time, microseconds.
    pub cpu_us: f64,
    /// Context switches, voluntary or not.
    pub switches: f64,
}

impl Cost {
    /// Of one process and its threads.
    pub fn of(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("a process is gone")?;
        Ok(Self {
            cpu_us: ticks(&stat) * 10_000.0,
            switches: switches(pid),
        })
    }

    /// Of a process and its children, such as a PostgreSQL.
    pub fn of_family(parent: u32) -> Result<Self> {
        let mut whole = Self::of(parent)?;
        for child in children(parent) {
            // One that ended in between has little to add.
            let cost = Self::of(child).unwrap_or_default();
            whole.cpu_us += cost.cpu_us;
            whole.switches += cost.switches;
        }
        Ok(whole)
    }

    /// What was used since `before`, for each of so many requests.
    pub fn since(self, before: Self, requests: f64) -> Self {
        Self {
            cpu_us: (self.cpu_us - before.cpu_us) / requests,
            switches: (self.switches - before.switches) / requests,
        }
    }
}

/// Fields 14 and 15 of `/proc/<pid>/stat`, in ticks of 10 ms.
fn ticks(stat: &str) -> f64 {
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2);
    ticks.filter_map(|field| field.parse::<f64>().ok()).sum()
}

fn switches(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten();
    let of = |path: String| -> f64 {
        ["voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"]
            .iter()
            .filter_map(|name| after(&path, name).parse::<f64>().ok())
            .sum()
    };
    threads
        .flatten()
        .map(|thread| of(thread.path().join("status").display().to_string()))
        .sum()
}

fn children(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let wanted = parent.to_string();
    pids.filter(|pid| after(&format!("/proc/{pid}/status"), "PPid") == wanted)
        .collect()
}

/// Resident memory now, KiB.
pub fn resident_kib(pid: u32) -> u64 {
    kib(&after(&format!("/proc/{pid}/status"), "VmRSS"))
}

/// The most resident memory since `forget_peak`, KiB.
pub fn peak_kib(pid: u32) -> u64 {
    kib(&after(&format!("/proc/{pid}/status"), "VmHWM"))
}

/// Lets the peak begin again from now.
pub fn forget_peak(pid: u32) -> Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5").context("the peak of memory cannot be reset")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_after_the_name_whatever_it_is() {
        let stat = "7 (odd) name)) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20";
        assert!((ticks(stat) - 42.0).abs() < 0.1, "{}", ticks(stat));
    }

    #[test]
    fn this_process_has_used_something_and_has_memory() {
        let me = std::process::id();
        let cost = Cost::of(me).unwrap();
        assert!(cost.cpu_us >= 0.0 && cost.switches > 0.0, "{cost:?}");
        assert!(resident_kib(me) > 1_000 && peak_kib(me) >= resident_kib(me) / 2);
    }
}
