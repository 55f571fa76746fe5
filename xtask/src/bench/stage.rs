//! A server of the shipped build on a copy of a filled instance, on a free loopback port. It is killed at the end:
//! its instance is thrown away, and a shutdown would sign every organization's log.

use super::{Bench, scenario::Size, seed::Seed};
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The database of the running server.
const RUNNING: &str = "running";

/// A running server.
pub struct Stage {
    child: Child,
    pub folder: PathBuf,
    /// `host:port`.
    pub address: String,
    pub size: Size,
    pub pinned: bool,
    /// Milliseconds from starting the process to the first answer.
    pub start_ms: f64,
    /// One agent of each organization.
    pub credentials: Vec<Credential>,
}

/// What one line of the file of credentials says.
#[derive(Clone)]
pub struct Credential {
    pub org: String,
    pub agent: String,
    pub secret: String,
    pub connection: String,
    pub connection_secret: String,
    pub audience: String,
}

/// How to start a server.
pub struct Serve<'a> {
    pub binary: &'a Path,
    pub data: &'a Path,
    pub database_url: Option<String>,
    pub pinned: bool,
}

impl Serve<'_> {
    /// Starts it, waits for its first answer and says how long that took.
    pub fn start(&self, seconds: u64) -> Result<(Child, u16, f64)> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = self.data.with_extension("log");
        let (child, took) = crate::stopwatch::timed(|| {
            let mut child = self.spawn(port, &log)?;
            match wait(port, &mut child, seconds) {
                Ok(()) => Ok(child),
                Err(error) => {
                    end(child)?;
                    let said = fs::read_to_string(&log).unwrap_or_default();
                    Err(error.context(said))
                }
            }
        })?;
        Ok((child, port, took.as_secs_f64() * 1_000.0))
    }

    fn spawn(&self, port: u16, log: &Path) -> Result<Child> {
        let mut command = if self.pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(self.binary);
            command
        } else {
            Command::new(self.binary)
        };
        command
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
            .arg(self.data);
        if let Some(url) = &self.database_url {
            command.args(["--database-url", url]);
        }
        command
            .env("CARDEA_LOG", "warn")
            .stdout(Stdio::null())
            .stderr(fs::File::create(log)?)
            .spawn()
            .context("starting the server")
    }
}

fn wait(port: u16, child: &mut Child, seconds: u64) -> Result<()> {
    for _ in 0..seconds * 500 {
        if answers(port).unwrap_or(false) {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("the server ended with {status}");
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("the server did not answer within {seconds} seconds")
}

/// One request by hand: starting another program would take longer than the server does.
fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// Kills a server and waits for its end.
pub fn end(mut child: Child) -> Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// An empty folder for one run.
pub fn scratch(bench: &Bench) -> Result<PathBuf> {
    let folder = bench.root.join("target/bench/run");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

impl Stage {
    /// Starts a server on a copy of the instance of this size.
    pub fn open(bench: &Bench, size: Size, pinned: bool) -> Result<Self> {
        let seed = Seed::ensure(bench, size)?;
        let folder = scratch(bench)?;
        let data = folder.join("data");
        seed.copy(&data)?;
        let database_url = match (&bench.cluster, &seed.database) {
            (Some(cluster), Some(database)) => {
                cluster.create(RUNNING, Some(database))?;
                Some(cluster.url(RUNNING))
            }
            _ => None,
        };
        let serve = Serve {
            binary: &bench.binary,
            data: &data,
            database_url,
            pinned,
        };
        let (child, port, start_ms) = serve.start(120)?;
        Ok(Self {
            child,
            address: format!("127.0.0.1:{port}"),
            size,
            pinned,
            start_ms,
            credentials: credentials(&seed.credentials())?,
            folder,
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn stop(self) -> Result<()> {
        end(self.child)?;
        fs::remove_dir_all(&self.folder).context("removing what was measured")
    }
}

/// The first agent of each organization.
fn credentials(file: &Path) -> Result<Vec<Credential>> {
    let text = fs::read_to_string(file).context("reading the credentials")?;
    let mut known: Vec<Credential> = Vec::new();
    for line in text.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [org, agent, secret, connection, connection_secret, audience] = fields.as_slice()
        else {
            bail!("a credential has six fields");
        };
        if known.last().is_none_or(|last| last.org != *org) {
            known.push(Credential {
                org: (*org).into(),
                agent: (*agent).into(),
                secret: (*secret).into(),
                connection: (*connection).into(),
                connection_secret: (*connection_secret).into(),
                audience: (*audience).into(),
            });
        }
    }
    Ok(known)
}
