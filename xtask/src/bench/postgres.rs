//! A PostgreSQL of the benchmark's own: a cluster under `target/bench`, started on a free loopback port and stopped
//! at the end, durable as it comes (`fsync` and `synchronous_commit` on). Filled databases stay in it as templates.

use crate::shell;
use anyhow::{Context, Result, bail};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What differs from the defaults: memory and checkpoints as on a server of some size, nothing of durability.
const SETTINGS: &[&str] = &[
    "listen_addresses=127.0.0.1",
    "shared_buffers=1GB",
    "max_wal_size=8GB",
    "checkpoint_timeout=15min",
    "max_connections=200",
];

/// A running cluster.
pub struct Cluster {
    child: Child,
    programs: PathBuf,
    port: u16,
}

impl Cluster {
    /// Starts the cluster in this folder, made now if it is not there.
    pub fn start(folder: &Path) -> Result<Self> {
        let programs = programs()?;
        let data = folder.join("data");
        if !data.join("PG_VERSION").exists() {
            make(folder, &data, &programs)?;
        }
        // One that was left behind by a run that was killed still holds the folder.
        let mut stop = owner(&programs.join("pg_ctl"))?;
        stop.args(["stop", "--silent", "--mode=fast", "-D"])
            .arg(&data);
        shell::succeeds(stop.current_dir("/"));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = owner(&programs.join("postgres"))?;
        command
            .arg("-D")
            .arg(&data)
            .args(["-k", "/tmp", "-p", &port.to_string()]);
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        let child = command
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log"))?)
            .current_dir("/")
            .spawn()
            .context("starting PostgreSQL")?;
        let cluster = Self {
            child,
            programs,
            port,
        };
        cluster.wait(folder)?;
        Ok(cluster)
    }

    fn wait(&self, folder: &Path) -> Result<()> {
        for _ in 0..600 {
            if self.sql("SELECT 1").is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("PostgreSQL does not start; see {}/log", folder.display())
    }

    /// The parent of its processes.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes a database in place of one that has the name, empty or as a copy; what was written is on the disk after.
    pub fn create(&self, database: &str, template: Option<&str>) -> Result<()> {
        self.sql(&format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        let template = template.unwrap_or("template0");
        self.sql(&format!("CREATE DATABASE {database} TEMPLATE {template}"))?;
        self.sql("CHECKPOINT")
    }

    fn sql(&self, statement: &str) -> Result<()> {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args([
            "--no-psqlrc",
            "--quiet",
            "--set=ON_ERROR_STOP=1",
            "-c",
            statement,
        ]);
        shell::output(psql.arg(self.url("postgres"))).map(|_| ())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A fast shutdown: it ends its connections and writes a checkpoint.
        let asked =
            shell::succeeds(Command::new("kill").args(["-INT", &self.child.id().to_string()]));
        if !asked || self.child.wait().is_err() {
            eprintln!("PostgreSQL could not be stopped");
        }
    }
}

fn programs() -> Result<PathBuf> {
    let found = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = found
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|folder| folder.join("initdb").is_file())
        .collect();
    found.sort();
    found
        .pop()
        .context("PostgreSQL is not on this machine; `cargo xtask test` installs it")
}

/// PostgreSQL refuses to run as root: then its own user runs it.
fn owner(program: &Path) -> Result<Command> {
    let root = shell::output(Command::new("id").arg("-u"))?.trim() == "0";
    if !root {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--init-groups",
            "--reuid",
            "postgres",
            "--regid",
            "postgres",
        ])
        .arg(program);
    Ok(command)
}

fn make(folder: &Path, data: &Path, programs: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    if data.exists() {
        std::fs::remove_dir_all(data)?;
    }
    std::fs::create_dir(data)?;
    if shell::output(Command::new("id").arg("-u"))?.trim() == "0" {
        shell::run(Command::new("chown").arg("postgres:postgres").arg(data))?;
    }
    let mut initdb = owner(&programs.join("initdb"))?;
    initdb.args([
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C",
        "-D",
    ]);
    shell::output(initdb.arg(data).current_dir("/")).map(|_| ())
}
