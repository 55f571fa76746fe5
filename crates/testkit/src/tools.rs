//! Programs that tests run beside the product: clients of other projects, checkers, load generators.
//! Installs nothing: `cargo xtask test` does, and names its folder in `CARDEA_INTEROP`.

use std::path::{Path, PathBuf};

/// A program that a test may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// The servers' programs of PostgreSQL.
    Postgres,
    /// The fast state that nodes share.
    Redis,
    /// Python with joserfc, Authlib, requests, fastmcp, decern and the SDK and command line of OpenFGA.
    Python,
    /// Node 22 or newer, with the packages in [`node_modules`].
    Node,
    /// Prometheus' checker of metrics.
    Promtool,
    /// The HTTP load generator.
    Wrk,
    /// The tracer of system calls.
    Strace,
    /// The HTTP client of the command line.
    Curl,
    /// The reader of JSON of the command line.
    Jq,
    /// The recorder of terminals.
    Script,
}

impl Tool {
    /// Where the program is, when it is there.
    pub fn find(self) -> Option<PathBuf> {
        match self {
            Self::Postgres => crate::postgres::programs().map(|folder| folder.join("postgres")),
            Self::Redis => on_path("redis-server"),
            Self::Python => python(),
            Self::Node => node(),
            Self::Promtool => promtool(),
            Self::Wrk => wrk(),
            Self::Strace => strace(),
            Self::Curl => on_path("curl"),
            Self::Jq => on_path("jq"),
            Self::Script => on_path("script"),
        }
    }
}

/// The program, or `None` after a printed line, on which the test returns.
///
/// # Panics
/// Under `CI=true`, where a test that skips itself would look like one that passed.
pub fn require(tool: Tool) -> Option<PathBuf> {
    let found = tool.find();
    if found.is_none() {
        absent(tool, std::env::var("CI").is_ok_and(|ci| ci == "true"));
    }
    found
}

fn absent(tool: Tool, ci: bool) {
    let message = format!("{tool:?} is not on this machine; `cargo xtask test` installs it");
    assert!(!ci, "{message}");
    println!("skipped: {message}");
}

/// The interpreter of the environment with the Python clients. One from `PATH` would lack them, so it is not taken.
pub fn python() -> Option<PathBuf> {
    Some(interop().join("venv/bin/python")).filter(|file| file.exists())
}

/// The Node that was chosen for the npm clients.
pub fn node() -> Option<PathBuf> {
    Some(interop().join("bin/node")).filter(|file| file.exists() && node_modules().is_some())
}

/// The folder with the npm clients. A script finds them when it lies beside that folder or is run with it as working directory.
pub fn node_modules() -> Option<PathBuf> {
    Some(interop().join("node/node_modules")).filter(|folder| folder.is_dir())
}

/// Prometheus' checker of metrics.
pub fn promtool() -> Option<PathBuf> {
    on_path("promtool")
}

/// The HTTP load generator.
pub fn wrk() -> Option<PathBuf> {
    on_path("wrk")
}

/// The tracer of system calls.
pub fn strace() -> Option<PathBuf> {
    on_path("strace")
}

/// Without `CARDEA_INTEROP`, as when one test is run by hand, what an earlier `cargo xtask test` left in this workspace.
fn interop() -> PathBuf {
    std::env::var_os("CARDEA_INTEROP")
        .map_or_else(|| crate::workspace().join("target/interop"), PathBuf::from)
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(|folder| Path::new(folder).to_owned()));
    folders
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_every_machine_is_found_and_one_of_none_is_not() {
        assert!(on_path("sh").is_some());
        assert!(on_path("a-program-that-is-not-there").is_none());
    }

    #[test]
    #[should_panic(expected = "Wrk is not on this machine; `cargo xtask test` installs it")]
    fn under_ci_an_absent_tool_fails_the_test() {
        absent(Tool::Wrk, true);
    }

    #[test]
    fn the_python_clients_import_and_the_npm_client_loads() {
        if let Some(python) = require(Tool::Python) {
            let mut run = std::process::Command::new(python);
            assert!(
                run.args(["-c", "import authlib, decern, fastmcp, joserfc, requests"])
                    .status()
                    .unwrap()
                    .success()
            );
        }
        if let Some(node) = require(Tool::Node) {
            let mut run = std::process::Command::new(node);
            run.args(["--input-type=module", "--eval", "import 'openid-client'"])
                .current_dir(node_modules().unwrap());
            assert!(run.status().unwrap().success());
        }
    }
}
