//! Where and of what figures were taken. Says how busy the machine was before the first of them, because figures of
//! a busy machine are no figures.

use anyhow::Result;
use serde::Serialize;
use std::path::Path;
use std::process::Command;

/// Where the figures were taken.
#[derive(Serialize)]
pub struct Machine {
    pub date: String,
    pub commit: String,
    pub cpu: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    /// Processes that were running or waiting in the minute before.
    pub load_before: f64,
}

impl Machine {
    pub fn read(root: &Path) -> Result<Self> {
        let line = |program: &str, arguments: &[&str]| -> Result<String> {
            let out = Command::new(program)
                .args(arguments)
                .current_dir(root)
                .output()?;
            Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned())
        };
        Ok(Self {
            date: line("date", &["-u", "+%Y-%m-%d"])?,
            commit: line("git", &["describe", "--always", "--dirty"])?,
            cpu: after("/proc/cpuinfo", "model name"),
            cores: std::thread::available_parallelism()?.get(),
            memory_mib: kib(&after("/proc/meminfo", "MemTotal")) / 1024,
            kernel: line("uname", &["-r"])?,
            load_before: load(),
        })
    }
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or(0.0)
}

/// What follows the first `name:` of a file of such lines; nothing when there is none.
pub fn after(file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let found = text.lines().find_map(|line| line.strip_prefix(name));
    found
        .unwrap_or_default()
        .trim_matches([':', ' ', '\t'])
        .to_owned()
}

/// A number of kibibytes such as `123 kB`.
pub fn kib(text: &str) -> u64 {
    text.trim_end_matches(" kB").trim().parse().unwrap_or(0)
}
