//! Starting the server once for many processes: a lock around the start, a file that says where it is,
//! and a shared lock per user that the watchdog looks at. Never stops a server itself.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::Limits;
use crate::tools::on_path;

const WATCHDOG: &str = include_str!("watchdog.sh");
const OPTIONS: [&str; 4] = [
    "fsync=on",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
    "log_min_messages=warning",
];
const STATE: &str = "server";

/// Where a server is: what the state file says, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) port: u16,
    /// Holds `data` and the socket; gone when the server is.
    pub(super) folder: PathBuf,
    /// Locked by every user.
    users: PathBuf,
}

/// The folder of the server's programs: what `pg_config` names, else Debian's newest.
pub fn programs() -> Option<PathBuf> {
    let named = Command::new("pg_config")
        .arg("--bindir")
        .output()
        .ok()
        .and_then(|out| String::from_utf8(out.stdout).ok());
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|version| version.path().join("bin"))
        .collect();
    folders.sort();
    folders.extend(named.map(|path| PathBuf::from(path.trim())));
    folders
        .into_iter()
        .rev()
        .find(|folder| folder.join("initdb").is_file())
}

/// Joins the server that is there or starts one; the file keeps it alive.
pub(super) fn join(folder: &Path, programs: &Path, limits: Limits) -> (Server, File) {
    std::fs::create_dir_all(folder).expect("the folder of the shared server can be made");
    let door = open(&folder.join("lock"));
    door.lock()
        .expect("the start of the shared server can be locked");
    // The door opens when it is dropped, whatever happens in between.
    running(folder, programs, limits).unwrap_or_else(|| start(folder, programs, limits))
}

fn running(folder: &Path, programs: &Path, limits: Limits) -> Option<(Server, File)> {
    let state = folder.join(STATE);
    let age = state
        .metadata()
        .ok()?
        .modified()
        .ok()?
        .elapsed()
        .unwrap_or_default();
    let server = Server::read(&std::fs::read_to_string(state).ok()?)?;
    let user = enter(&server);
    (age < limits.joined_until && answers(&server, programs)).then_some((server, user))
}

/// Waits while the watchdog is stopping the server; after that it does not answer.
fn enter(server: &Server) -> File {
    let user = open(&server.users);
    user.lock_shared().expect("the file of users can be locked");
    user
}

fn start(folder: &Path, programs: &Path, limits: Limits) -> (Server, File) {
    let owner = owner();
    // Another program may take the port between our look and the server's start.
    for _ in 0..3 {
        let server = prepare(folder, programs, &owner);
        let user = enter(&server);
        let mut watchdog = launch(folder, &server, programs, &owner, limits);
        if answers_soon(&server, programs, &mut watchdog) {
            std::fs::write(folder.join(STATE), server.written())
                .expect("the state of the shared server can be written");
            return (server, user);
        }
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!(
        "PostgreSQL does not start; its log in {} ends with:\n{}",
        folder.display(),
        tail(&log)
    );
}

pub(super) fn tail(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines
        .iter()
        .skip(lines.len().saturating_sub(20))
        .copied()
        .collect::<Vec<_>>()
        .join("\n")
}

fn prepare(folder: &Path, programs: &Path, owner: &[String]) -> Server {
    let port = TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a loopback port is free")
        .port();
    let place = output(
        command(owner, "mktemp")
            .arg("-d")
            .arg(nest().join("cardea-pg-XXXXXXXXXX")),
    );
    let server = Server {
        port,
        folder: PathBuf::from(place.trim()),
        users: folder.join(format!("users-{port}")),
    };
    let mut initdb = command(owner, programs.join("initdb"));
    initdb.args([
        "--auth=trust",
        "--username=postgres",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]);
    output(
        initdb
            .arg("-D")
            .arg(server.folder.join("data"))
            .current_dir("/"),
    );
    server
}

fn launch(
    folder: &Path,
    server: &Server,
    programs: &Path,
    owner: &[String],
    limits: Limits,
) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .expect("the server's log can be opened");
    let mut watchdog = Command::new("sh");
    watchdog
        .args(["-c", WATCHDOG, "watchdog"])
        .arg(&server.users)
        .arg(&server.folder);
    watchdog.args([limits.idle, limits.age].map(|length| length.as_secs().to_string()));
    let postgres = postgres(server, programs, owner);
    watchdog
        .arg(postgres.get_program())
        .args(postgres.get_args());
    // No pipe and no process group of the test: the runner neither waits for it nor ends it.
    watchdog
        .stdin(Stdio::null())
        .stderr(log.try_clone().expect("the log can be shared"))
        .stdout(log);
    watchdog
        .process_group(0)
        .current_dir("/")
        .spawn()
        .expect("sh starts")
}

fn postgres(server: &Server, programs: &Path, owner: &[String]) -> Command {
    let mut postgres = command(owner, programs.join("postgres"));
    postgres
        .arg("-D")
        .arg(server.folder.join("data"))
        .arg("-k")
        .arg(&server.folder)
        .arg("-p")
        .arg(server.port.to_string());
    postgres.args(OPTIONS.iter().flat_map(|option| ["-c", option]));
    postgres
}

fn answers_soon(server: &Server, programs: &Path, watchdog: &mut Child) -> bool {
    for _ in 0..1200 {
        if answers(server, programs) {
            return true;
        }
        if !matches!(watchdog.try_wait(), Ok(None)) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

/// Asked through the socket in the server's own folder: another server on the same port does not answer there.
pub(super) fn answers(server: &Server, programs: &Path) -> bool {
    let mut ask = Command::new(programs.join("pg_isready"));
    ask.args([
        "--quiet",
        "--timeout=5",
        "--username=postgres",
        "--dbname=postgres",
    ]);
    ask.args(["-p", &server.port.to_string(), "-h"])
        .arg(&server.folder);
    ask.status().is_ok_and(|status| status.success())
}

/// The words before a command of the server's, which refuses to run as root.
pub(super) fn owner() -> Vec<String> {
    if output(Command::new("id").arg("-u")).trim() != "0" {
        return Vec::new();
    }
    let known = |name: &&str| {
        Command::new("id")
            .arg(name)
            .output()
            .is_ok_and(|out| out.status.success())
    };
    let name = ["postgres", "nobody"]
        .into_iter()
        .find(known)
        .expect("root needs a user `postgres` or `nobody` to run PostgreSQL as");
    let group = output(Command::new("id").args(["-g", name]));
    match on_path("setpriv") {
        Some(_) => [
            "setpriv",
            "--init-groups",
            "--reuid",
            name,
            "--regid",
            group.trim(),
        ]
        .map(str::to_owned)
        .to_vec(),
        None => ["runuser", "-u", name, "--"].map(str::to_owned).to_vec(),
    }
}

pub(super) fn command(owner: &[String], program: impl AsRef<std::ffi::OsStr>) -> Command {
    let Some((first, rest)) = owner.split_first() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// A folder that the server's user can reach and whose path is short enough for a socket (107 bytes).
pub(super) fn nest() -> PathBuf {
    PathBuf::from("/tmp")
}

pub(super) fn output(command: &mut Command) -> String {
    let out = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    assert!(
        out.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("a command's output is UTF-8")
}

pub(super) fn open(path: &Path) -> File {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap_or_else(|error| panic!("cannot open {}: {error}", path.display()))
}

impl Server {
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let port = lines.next()?.parse().ok()?;
        let (folder, users) = (PathBuf::from(lines.next()?), PathBuf::from(lines.next()?));
        Some(Self {
            port,
            folder,
            users,
        })
    }

    fn written(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.port,
            self.folder.display(),
            self.users.display()
        )
    }
}
