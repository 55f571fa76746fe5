//! The server under measurement: a release binary on a temporary folder and a free loopback port, prepared through
//! its own interface with curl.

use super::{Load, figures::DONE};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Server {
    child: Child,
    folder: PathBuf,
    url: String,
    agent: Client,
    introspector: Client,
    control: String,
    access: String,
    connection: String,
}

#[derive(Deserialize, Clone)]
struct Client {
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Init {
    token: String,
}

#[derive(Deserialize)]
struct Made {
    id: String,
    client_id: String,
    client_secret: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn temporary() -> Result<PathBuf> {
    let out = Command::new("mktemp")
        .args(["-d", "/tmp/cardea-bench.XXXXXX"])
        .output()?;
    Ok(PathBuf::from(String::from_utf8(out.stdout)?.trim()))
}

fn serve(binary: &Path, folder: &Path, port: u16, database: Option<&str>) -> Result<Child> {
    let mut command = Command::new(binary);
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(folder);
    command.args(["--public-url", &format!("http://localhost:{port}")]);
    if let Some(url) = database {
        command.args(["--database-url", url]);
    }
    command
        .env("CARDEA_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("starting the server")
}

/// Asks until the server answers, at most ten seconds.
fn wait(port: u16) -> Result<()> {
    for _ in 0..5_000 {
        if answers(port).unwrap_or(false) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    bail!("the server did not answer within ten seconds")
}

/// One request by hand: starting curl would take longer than the server does.
fn answers(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// Milliseconds from starting the process on an empty folder to its first answer; the median of five.
pub fn cold_start(binary: &Path) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let (folder, port) = (temporary()?, free_port()?);
        let (child, took) = crate::stopwatch::timed(|| {
            let child = serve(binary, &folder, port, None)?;
            wait(port).map(|()| child)
        })?;
        times.push(took.as_secs_f64() * 1_000.0);
        end(child, &folder)?;
    }
    times.sort_by(f64::total_cmp);
    times.get(2).copied().context("five runs have a median")
}

/// Resident memory of a server that did nothing for two seconds.
pub fn idle_memory(binary: &Path) -> Result<u64> {
    let (folder, port) = (temporary()?, free_port()?);
    let child = serve(binary, &folder, port, None)?;
    wait(port)?;
    std::thread::sleep(Duration::from_secs(2));
    let size = resident(child.id())?;
    end(child, &folder)?;
    Ok(size)
}

fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

fn end(mut child: Child, folder: &Path) -> Result<()> {
    let _ = Command::new("kill").arg(child.id().to_string()).status()?;
    child.wait()?;
    std::fs::remove_dir_all(folder).context("removing the temporary folder")
}

fn curl<T: for<'de> Deserialize<'de>>(arguments: &[&str]) -> Result<T> {
    let out = Command::new("curl")
        .args(["-sS", "--fail-with-body"])
        .args(arguments)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    if !out.status.success() {
        bail!("the server refused: {text}");
    }
    serde_json::from_slice(&out.stdout).with_context(|| format!("not the expected answer: {text}"))
}

impl Server {
    /// A running server with one organization, one connection and one agent that may use it.
    pub fn prepared(binary: &Path, database: Option<&str>) -> Result<Self> {
        let (folder, port) = (temporary()?, free_port()?);
        let url = format!("http://localhost:{port}");
        let mut init = Command::new(binary);
        init.args([
            "init",
            "--org",
            "bench",
            "--owner",
            "owner@bench.example",
            "--token",
            "--output",
            "json",
            "--data",
        ]);
        init.arg(&folder).args(["--public-url", &url]);
        if let Some(database) = database {
            init.args(["--database-url", database]);
        }
        let out = init.output()?;
        let Init { token } = serde_json::from_slice(&out.stdout)
            .with_context(|| String::from_utf8_lossy(&out.stderr).into_owned())?;
        let child = serve(binary, &folder, port, database)?;
        wait(port)?;
        let bearer = format!("Authorization: Bearer {token}");
        let post = |path: &str, body: &str| -> Result<Made> {
            curl(&[
                "-H",
                &bearer,
                "-H",
                "Content-Type: application/json",
                "-d",
                body,
                &format!("{url}/api/v1/orgs/bench/{path}"),
            ])
        };
        let owner: serde_json::Value =
            curl(&["-H", &bearer, &format!("{url}/api/v1/orgs/bench/users")])?;
        let owner = owner
            .pointer("/items/0/id")
            .and_then(serde_json::Value::as_str)
            .context("no owner")?
            .to_owned();
        let connection = post(
            "connections",
            r#"{"name":"orders","audience":"https://orders.example","min_trust":0,"scopes":["orders:read","orders:write"],"operations":{"orders.list":"read"},"introspection":true}"#,
        )?;
        let agent = post(
            "agents",
            &format!(
                r#"{{"name":"bench","owner":"{owner}","scope_ceiling":["orders:read"],"auth":{{"method":"client_secret"}}}}"#
            ),
        )?;
        let client = |made: &Made| Client {
            client_id: made.client_id.clone(),
            client_secret: made.client_secret.clone(),
        };
        let (agent, introspector) = (client(&agent), client(&connection));
        let mut server = Self {
            child,
            folder,
            url,
            agent,
            introspector,
            control: String::new(),
            access: String::new(),
            connection: connection.id,
        };
        let issuer = format!("{}/o/bench", server.url);
        server.control = server.token(&issuer)?;
        server.access = server.token("https://orders.example")?;
        Ok(server)
    }

    fn token(&self, resource: &str) -> Result<String> {
        let user = format!("{}:{}", self.agent.client_id, self.agent.client_secret);
        let resource = format!("resource={resource}");
        let url = format!("{}/o/bench/oauth2/token", self.url);
        let token: Token = curl(&[
            "-u",
            &user,
            "-d",
            "grant_type=client_credentials",
            "--data-urlencode",
            &resource,
            &url,
        ])?;
        Ok(token.access_token)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn resident_kib(&self) -> Result<u64> {
        resident(self.pid())
    }

    pub fn stop(self) -> Result<()> {
        end(self.child, &self.folder)
    }

    fn script(&self, name: &str, body: &str) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.lua"));
        std::fs::write(&path, format!("{body}\n{DONE}"))?;
        Ok(path)
    }

    /// The loads of a report.
    pub fn loads(&self) -> Result<Vec<Load>> {
        let form = "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/x-www-form-urlencoded'\n";
        let (id, secret) = (&self.agent.client_id, &self.agent.client_secret);
        let token = format!(
            "{form}wrk.body = 'grant_type=client_credentials&client_id={id}&client_secret={secret}&resource=https%3A%2F%2Forders.example'"
        );
        let (id, secret) = (
            &self.introspector.client_id,
            &self.introspector.client_secret,
        );
        let introspect = format!(
            "{form}wrk.body = 'client_id={id}&client_secret={secret}&token={}'",
            self.access
        );
        let id = &self.agent.client_id;
        let dispatch = format!(
            "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.headers['Authorization'] = 'Bearer {}'\nwrk.body = '{{\"agent\":\"{id}\",\"connection\":\"{}\",\"operation\":\"orders.list\"}}'",
            self.control, self.connection
        );
        let at = |path: &str| format!("{}/{path}", self.url.replace("localhost", "127.0.0.1"));
        Ok(vec![
            Load {
                name: "client credentials, audited and durable",
                url: at("o/bench/oauth2/token"),
                script: self.script("token", &token)?,
            },
            Load {
                name: "introspection of one live token",
                url: at("o/bench/oauth2/introspect"),
                script: self.script("introspect", &introspect)?,
            },
            Load {
                name: "dispatch with a new run and a capability",
                url: at("api/v1/orgs/bench/dispatch"),
                script: self.script("dispatch", &dispatch)?,
            },
            Load {
                name: "health",
                url: at("health/live"),
                script: self.script("health", "")?,
            },
        ])
    }
}
