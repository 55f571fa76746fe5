//! The binary itself, as an operator meets it: commands that end, and a server that is watched, stopped or killed.
//! Ends only what it started.

use serde_json::Value;
use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

/// The public URL of servers that come back on another port.
pub const PUBLIC_URL: &str = "https://id.acme.example";
const PATIENCE: Duration = Duration::from_secs(30);

/// The program with nothing from this process's environment.
pub fn cardea() -> Command {
    wrapped(Command::new(env!("CARGO_BIN_EXE_cardea")))
}

/// Another program that runs it, equally bare.
pub fn wrapped(mut command: Command) -> Command {
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(command: &mut Command) -> Self {
        let done = command.output().unwrap();
        Self {
            code: done.status.code().unwrap_or(-1),
            out: String::from_utf8(done.stdout).unwrap(),
            err: String::from_utf8(done.stderr).unwrap(),
        }
    }
    /// The output of a command that must have ended with this code.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
    /// Both outputs.
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs a command to its end.
pub fn run(arguments: &[&str]) -> Ended {
    Ended::of(cardea().args(arguments))
}

/// Where an instance lives: the flags that name it.
#[derive(Clone, Debug)]
pub struct Place {
    pub data: PathBuf,
    pub database_url: Option<String>,
}

impl Place {
    pub fn new(data: &Path) -> Self {
        Self {
            data: data.to_owned(),
            database_url: None,
        }
    }
    pub fn flags(&self) -> Vec<String> {
        let mut flags = vec!["--data".to_owned(), self.data.display().to_string()];
        flags.extend(
            self.database_url
                .iter()
                .flat_map(|url| ["--database-url".to_owned(), url.clone()]),
        );
        flags
    }
    /// Runs a command on it.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(cardea().args(arguments).args(self.flags()))
    }
    /// Makes `acme` with a bootstrap token and gives what `init` said.
    pub fn init(&self) -> Value {
        let acme = [
            "init",
            "--org",
            "acme",
            "--owner",
            "owner@acme.example",
            "--token",
            "--output",
            "json",
            "--public-url",
            PUBLIC_URL,
        ];
        self.run(&acme).with(0).json()
    }
    /// A server on it, on a free port.
    pub fn serve(&self) -> Serving {
        self.serve_by(cardea())
    }
    /// A server on it, started by a command that takes the program's arguments at its end.
    pub fn serve_by(&self, mut command: Command) -> Serving {
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(self.flags());
        Serving::start(command, &self.data.with_extension("err"))
    }
}

/// A server that answers. Killed when dropped.
pub struct Serving {
    child: Child,
    lines: Receiver<String>,
    said: String,
    errors: PathBuf,
    pub url: String,
}

impl Serving {
    /// Waits until it says where it listens.
    pub fn start(mut command: Command, errors: &Path) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(errors)
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let mut serving = Self {
            child,
            lines,
            said: String::new(),
            errors: errors.to_owned(),
            url: String::new(),
        };
        let first = serving.line("cardea listens on ");
        serving.url = first
            .trim_start_matches("cardea listens on ")
            .trim()
            .to_owned();
        serving
    }

    /// The next line that begins like this; those before it are kept in `said`.
    #[track_caller]
    pub fn line(&mut self, start: &str) -> String {
        loop {
            let Ok(line) = self.lines.recv_timeout(PATIENCE) else {
                panic!(
                    "no line `{start}…`: {}{}",
                    self.said,
                    std::fs::read_to_string(&self.errors).unwrap_or_default()
                )
            };
            self.said.push_str(&line);
            self.said.push('\n');
            if line.starts_with(start) {
                return line;
            }
        }
    }
    pub fn said(&self) -> &str {
        &self.said
    }
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
    /// As a power cut would: no signal handler runs.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
    /// As an operator would; gives the exit code.
    pub fn stop(self) -> i32 {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.ended()
    }
    /// Waits for its end, which somebody else brings about; gives the exit code.
    pub fn ended(mut self) -> i32 {
        self.child.wait().unwrap().code().unwrap_or(-1)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}
