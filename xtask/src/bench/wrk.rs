//! One run of wrk: it sends the lines of a file of requests in turn, beginning where the run before ended, and
//! keeps its connections busy.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The lines are turned into bytes before the clock starts; nothing is looked at in an answer but its status.
const SCRIPT: &str = r#"
local lines, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    local method, path, authorization, kind, body = line:match("^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t(.*)$")
    local headers = { Host = wrk.headers["Host"] }
    if authorization ~= "-" then headers["Authorization"] = authorization end
    if kind ~= "-" then headers["Content-Type"] = kind end
    if body == "" then body = nil end
    lines[#lines + 1] = wrk.format(method, path, headers, body)
  end
  at = tonumber(args[2]) % #lines
end
function request()
  at = at + 1
  if at > #lines then at = 1 end
  return lines[at]
end
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("figures %d %d %d %d %d %d\n", summary.requests, summary.duration, latency:percentile(50),
    latency:percentile(99), latency:percentile(99.9), e.status + e.connect + e.read + e.write + e.timeout))
end
"#;

/// How wrk is to run.
#[derive(Clone, Copy)]
pub struct Wrk<'a> {
    /// `host:port`.
    pub address: &'a str,
    pub requests: &'a Path,
    pub connections: u32,
    pub seconds: u32,
    /// The line to begin at.
    pub offset: u64,
    /// Whether it keeps to the second processor.
    pub pinned: bool,
}

/// What it saw.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub requests: f64,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub failed: f64,
}

impl Wrk<'_> {
    pub fn run(&self) -> Result<Seen> {
        let script = self.script()?;
        let mut command = if self.pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", "1", "wrk"]);
            command
        } else {
            Command::new("wrk")
        };
        let out = command
            .args(["-t1", &format!("-c{}", self.connections)])
            .args([&format!("-d{}s", self.seconds), "--timeout", "5s", "-s"])
            .arg(&script)
            .arg(format!("http://{}/", self.address))
            .arg("--")
            .arg(self.requests)
            .arg(self.offset.to_string())
            .output()
            .context("starting wrk")?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        read(&text).with_context(|| {
            let complaint = String::from_utf8_lossy(&out.stderr).into_owned();
            format!("wrk printed no figures: {text}{complaint}")
        })
    }

    fn script(&self) -> Result<PathBuf> {
        let path = self.requests.with_extension("lua");
        std::fs::write(&path, SCRIPT).context("writing the script for wrk")?;
        Ok(path)
    }
}

fn read(text: &str) -> Result<Seen> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("figures "))
        .context("no line of figures")?;
    let numbers: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, duration, p50, p99, p999, failed] = *numbers.as_slice() else {
        bail!("wrk printed `{line}`")
    };
    Ok(Seen {
        requests,
        per_second: requests / duration * 1e6,
        p50_ms: p50 / 1e3,
        p99_ms: p99 / 1e3,
        p999_ms: p999 / 1e3,
        failed,
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_line_of_figures_is_read() {
        let seen = super::read("noise\nfigures 1000 2000000 1500 9000 20000 3\n").unwrap();
        assert!((seen.per_second - 500.0).abs() < 0.1 && (seen.p50_ms - 1.5).abs() < 0.01);
        assert!((seen.p999_ms - 20.0).abs() < 0.01 && (seen.failed - 3.0).abs() < 0.1);
        assert!(super::read("figures 1 2\n").is_err());
    }
}
