//! A PostgreSQL for the tests of this workspace: started by the first test process that asks, shared by the
//! others, ended by a watchdog when nobody has used it for a minute. Every test gets a database of its own.
//! Never touches a server that it did not start.

mod cluster;
mod server;

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

pub use cluster::{Cluster, Member};
pub use server::programs;

/// How long a shared server lives.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Ended after this long without a user.
    idle: Duration,
    /// Ended at this age even if used.
    age: Duration,
    /// Not joined any more at this age: what joins now must be done before the end.
    joined_until: Duration,
}

const SHARED: Limits = Limits {
    idle: Duration::from_secs(60),
    age: Duration::from_secs(2400),
    joined_until: Duration::from_secs(1500),
};

/// Makes a database with a name that nobody has, and prints the name.
const FRESH: &str = "select 'test_' || replace(gen_random_uuid()::text, '-', '') as name \\gset\ncreate database :name;\n\\echo :name\n";

/// A running server, kept alive while this value lives.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    programs: PathBuf,
    _user: File,
}

impl Postgres {
    /// The server of this workspace, for the rest of this process.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; ask `require(Tool::Postgres)` first.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| Self::join(&folder(), SHARED))
    }

    /// The URL of a new, empty database (UTF-8, locale C), owned by the superuser `postgres`, who needs no password.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self) -> String {
        let name = run(&self.programs, &self.url("postgres"), FRESH);
        self.url(name.trim())
    }

    fn join(folder: &Path, limits: Limits) -> Self {
        let programs =
            programs().expect("PostgreSQL is not on this machine; `cargo xtask test` installs it");
        let (server, user) = server::join(folder, &programs, limits);
        Self {
            port: server.port,
            programs,
            _user: user,
        }
    }

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
}

/// Runs SQL with `psql` and returns the rows as text: a line per row, columns parted by `|`.
///
/// # Panics
/// At the first statement that fails, with what the server said.
pub fn psql(url: &str, sql: &str) -> String {
    run(
        &programs().expect("PostgreSQL is not on this machine; `cargo xtask test` installs it"),
        url,
        sql,
    )
}

fn run(programs: &Path, url: &str, sql: &str) -> String {
    let mut psql = Command::new(programs.join("psql"));
    psql.args([
        "--no-psqlrc",
        "--quiet",
        "--tuples-only",
        "--no-align",
        "--set=ON_ERROR_STOP=1",
        "--file=-",
        url,
    ]);
    let mut child = psql
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql does not start");
    let mut input = child.stdin.take().expect("psql's input is a pipe");
    let sql = sql.to_owned();
    // On a thread of its own: psql may answer before it has read everything. A broken pipe shows in its status.
    let writer = std::thread::spawn(move || input.write_all(sql.as_bytes()));
    let out = child.wait_with_output().expect("psql cannot be waited for");
    let written = writer.join();
    assert!(
        out.status.success() && written.is_ok(),
        "psql failed: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("psql prints UTF-8")
}

/// One folder per workspace, so that two work trees on one machine do not meet.
fn folder() -> PathBuf {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    crate::workspace().hash(&mut hasher);
    crate::workspace().join(format!("target/testkit/pg-{:016x}", hasher.finish()))
}

#[cfg(test)]
mod tests;
