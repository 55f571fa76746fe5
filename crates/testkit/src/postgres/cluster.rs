//! A PostgreSQL of one test alone: a primary and, where it is asked for, a synchronous standby, which can be killed,
//! started again and promoted. Everything of it is gone with the test, however that ends.

use super::{
    FRESH, psql, run,
    server::{command, nest, open, output, owner, programs, tail},
};
use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

const GUARD: &str = include_str!("guard.sh");
/// The name by which the primary knows its standby.
const STANDBY: &str = "standby";
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: u32 = 3_000;
/// What a test needs: durable, small, and a standby whenever one comes.
const OPTIONS: [&str; 7] = [
    "fsync=on",
    "listen_addresses=127.0.0.1",
    "max_connections=100",
    "shared_buffers=16MB",
    "max_wal_senders=4",
    "wal_receiver_status_interval=1",
    "log_min_messages=warning",
];

/// A primary, perhaps with a standby.
#[derive(Debug)]
pub struct Cluster {
    /// The one that was the primary first.
    pub first: Member,
    /// The one that began as its standby.
    pub second: Option<Member>,
    folder: PathBuf,
    guard: Child,
    _alive: File,
}

/// One server of it.
#[derive(Debug)]
pub struct Member {
    data: PathBuf,
    port: u16,
    programs: PathBuf,
    owner: Vec<String>,
    child: Option<Child>,
}

impl Cluster {
    /// A primary without a standby.
    ///
    /// # Panics
    /// When PostgreSQL is not installed or does not start; ask `require(Tool::Postgres)` first.
    pub fn alone() -> Self {
        let programs =
            programs().expect("PostgreSQL is not on this machine; `cargo xtask test` installs it");
        let owner = owner();
        let made = output(
            command(&owner, "mktemp")
                .arg("-d")
                .arg(nest().join("cardea-pgc-XXXXXXXXXX")),
        );
        let folder = PathBuf::from(made.trim());
        let (guard, alive) = guard(&folder);
        let mut first = Member {
            data: folder.join("first"),
            port: free_port(),
            programs,
            owner,
            child: None,
        };
        let mut initdb = first.program("initdb");
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8"]);
        output(
            initdb
                .args(["--locale=C", "--no-sync", "-D"])
                .arg(&first.data),
        );
        first.start();
        Self {
            first,
            second: None,
            folder,
            guard,
            _alive: alive,
        }
    }

    /// A primary that acknowledges nothing before its standby has it on its disk.
    ///
    /// # Panics
    /// As `alone`.
    pub fn with_standby() -> Self {
        let mut cluster = Self::alone();
        let first = &cluster.first;
        let mut second = Member {
            data: cluster.folder.join("second"),
            port: free_port(),
            programs: first.programs.clone(),
            owner: first.owner.clone(),
            child: None,
        };
        let source = format!(
            "host=127.0.0.1 port={} user=postgres application_name={STANDBY}",
            first.port
        );
        let mut copy = second.program("pg_basebackup");
        copy.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        output(copy.args(["-d", &source, "-D"]).arg(&second.data));
        second.start();
        let admin = first.url("postgres");
        psql(
            &admin,
            &format!("ALTER SYSTEM SET synchronous_standby_names = '{STANDBY}'"),
        );
        psql(&admin, "SELECT pg_reload_conf()");
        let synced = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        eventually("the standby does not follow", || {
            psql(&admin, synced).trim() == "1"
        });
        cluster.second = Some(second);
        cluster
    }

    /// The standby.
    ///
    /// # Panics
    /// When there is none.
    pub fn second(&mut self) -> &mut Member {
        self.second.as_mut().expect("the cluster has a standby")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.first.kill();
        if let Some(second) = &mut self.second {
            second.kill();
        }
        let _gone = (self.guard.kill(), self.guard.wait());
        let _gone = std::fs::remove_dir_all(&self.folder);
        let _gone = std::fs::remove_file(self.folder.with_extension("lock"));
    }
}

impl Member {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The URL of a new, empty database.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn database(&self) -> String {
        let name = run(&self.programs, &self.url("postgres"), FRESH);
        self.url(name.trim())
    }

    /// Starts it and waits until it answers. What a killed server left behind may take a moment to end.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&mut self) {
        for _ in 0..20 {
            let mut postgres = self.program("postgres");
            postgres.arg("-D").arg(&self.data).arg("-k").arg(nest());
            postgres.args(["-p", &self.port.to_string()]);
            postgres.args(OPTIONS.iter().flat_map(|option| ["-c", option]));
            let log = open(&self.log());
            postgres.stderr(log.try_clone().expect("the log can be shared"));
            let mut child = postgres
                .stdin(Stdio::null())
                .stdout(log)
                .process_group(0)
                .spawn()
                .expect("PostgreSQL starts");
            for _ in 0..PATIENCE {
                if self.answers() {
                    self.child = Some(child);
                    return;
                }
                if !matches!(child.try_wait(), Ok(None)) {
                    break;
                }
                std::thread::sleep(PAUSE);
            }
            std::thread::sleep(PAUSE * 10);
        }
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        panic!("PostgreSQL does not start:\n{}", tail(&log));
    }

    /// `kill -9` of the postmaster, as when a machine fails: nobody is told, nothing is written out.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let pid = std::fs::read_to_string(self.data.join("postmaster.pid"))
            .ok()
            .and_then(|text| text.lines().next()?.trim().parse().ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _gone = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _gone = child.kill();
        let _ended = child.wait();
    }

    /// Makes a standby the primary, and waits until it takes writes.
    ///
    /// # Panics
    /// When it is none.
    pub fn promote(&self) {
        let mut promote = self.program("pg_ctl");
        output(
            promote
                .args(["promote", "--wait", "--silent", "-D"])
                .arg(&self.data),
        );
    }

    fn program(&self, name: &str) -> Command {
        let mut program = command(&self.owner, self.programs.join(name));
        program.current_dir("/");
        program
    }

    fn answers(&self) -> bool {
        let mut ask = Command::new(self.programs.join("pg_isready"));
        ask.args(["--quiet", "--timeout=5", "--username=postgres"]);
        ask.args(["--dbname=postgres", "-h", "127.0.0.1", "-p"]);
        ask.arg(self.port.to_string());
        ask.status().is_ok_and(|status| status.success())
    }

    fn log(&self) -> PathBuf {
        self.data.with_extension("log")
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a loopback port is free")
        .port()
}

/// A lock that this process holds for as long as it lives, and somebody who waits for it.
fn guard(folder: &Path) -> (Child, File) {
    let lock = folder.with_extension("lock");
    let alive = open(&lock);
    alive.lock().expect("a new lock is free");
    let guard = Command::new("sh")
        .args(["-c", GUARD, "guard"])
        .args([folder, &lock])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .current_dir("/")
        .spawn()
        .expect("sh starts");
    (guard, alive)
}

fn eventually(otherwise: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..PATIENCE {
        if holds() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("{otherwise}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::{Tool, require};

    #[test]
    fn what_was_acknowledged_is_on_the_standby_and_stays_after_the_primary_is_killed() {
        let Some(_) = require(Tool::Postgres) else {
            return;
        };
        let mut cluster = Cluster::with_standby();
        let url = cluster.first.database();
        // Flushed on the standby is not yet to be seen there.
        let seen = "set synchronous_commit = remote_apply; create table t (n int); insert into t values (7)";
        psql(&url, seen);
        cluster.first.kill();
        let name = url.rsplit('/').next().unwrap().to_owned();
        let there = cluster.second().url(&name);
        assert_eq!(
            psql(&there, "select n, pg_is_in_recovery() from t"),
            "7|t\n"
        );
        cluster.second().promote();
        psql(&there, "insert into t values (8)");
        assert_eq!(psql(&there, "select sum(n) from t"), "15\n");
        cluster.first.start();
        assert_eq!(psql(&url, "select sum(n) from t"), "7\n", "another history");
        let folder = cluster.folder.clone();
        drop(cluster);
        assert!(!folder.exists());
    }
}
