//! A Redis for one test: on a free loopback port, killed as hard as a machine dies, stopped in its tracks, started
//! again on the same port, gone with the value. It keeps nothing on disk.

use crate::{certificates::Pair, tools::on_path};
use std::{
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// A server.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    scheme: &'static str,
    arguments: Vec<String>,
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl Redis {
    /// Starts one.
    ///
    /// # Panics
    /// When it is not installed or does not start; ask `require(Tool::Redis)` first.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments, such as `--requirepass`.
    ///
    /// # Panics
    /// As `start`.
    pub fn start_with(more: &[&str]) -> Self {
        let mut redis = Self::unstarted("redis");
        redis.arguments = vec!["--port".into(), redis.port.to_string()];
        redis.arguments.extend(more.iter().map(ToString::to_string));
        redis.restart();
        redis
    }

    /// Starts one that speaks TLS alone.
    ///
    /// # Panics
    /// As `start`.
    pub fn start_encrypted(pair: &Pair) -> Self {
        let mut redis = Self::unstarted("rediss");
        let certificate = redis.write("certificate.pem", &pair.certificate);
        let key = redis.write("key.pem", &pair.key);
        let port = redis.port.to_string();
        let arguments = ["--port", "0", "--tls-port", &port, "--tls-auth-clients"];
        redis.arguments = arguments.iter().map(ToString::to_string).collect();
        let files = [
            "no",
            "--tls-cert-file",
            &certificate,
            "--tls-key-file",
            &key,
        ];
        redis
            .arguments
            .extend(files.iter().map(ToString::to_string));
        redis.restart();
        redis
    }

    fn unstarted(scheme: &'static str) -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .expect("a loopback port is free")
            .port();
        Self {
            port,
            scheme,
            arguments: Vec::new(),
            child: None,
            folder: tempfile::tempdir().expect("a folder can be made"),
        }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        std::fs::write(&path, text).expect("a file can be written");
        path.display().to_string()
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port)
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Kills it without a word (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the server can be killed");
            child.wait().expect("the server can be waited for");
        }
    }

    /// Stops it in its tracks: connections stand and nothing is answered (SIGSTOP).
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("the server runs").id();
        let sent = Command::new("kill")
            .args([signal, &pid.to_string()])
            .status();
        assert!(sent.expect("`kill` runs").success());
    }

    /// What it answers to a command, as `redis-cli` prints it.
    ///
    /// # Panics
    /// When `redis-cli` cannot be run.
    pub fn ask(&self, command: &[&str]) -> String {
        let asked = Command::new("redis-cli")
            .args(["-p", &self.port.to_string()])
            .args(command)
            .output();
        let output = asked.expect("`redis-cli` runs");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Starts it again, empty.
    ///
    /// # Panics
    /// When it does not answer within ten seconds.
    pub fn restart(&mut self) {
        self.kill();
        let program = on_path("redis-server")
            .expect("Redis is not on this machine; `cargo xtask test` installs it");
        let child = Command::new(program)
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server starts"));
        for _ in 0..1_000 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not answer");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}
