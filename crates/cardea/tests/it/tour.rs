//! The tour of `README.md` as a reader walks it: every command is run, and every line that is shown as an answer is
//! the answer.

use std::{
    fs::{self, File},
    net::TcpListener,
    os::unix::{fs::symlink, process::CommandExt},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};
use testkit::tools::{Tool, require};

/// The port that the page names.
const PORT: &str = "8080";
/// How often it is looked whether the walk is over, and how long is waited in between: a minute.
const LOOKS: u32 = 3_000;
const BETWEEN: Duration = Duration::from_millis(20);

/// The shell blocks between the markers, one after the other.
fn tour() -> Vec<String> {
    let page = fs::read_to_string(testkit::workspace().join("README.md")).unwrap();
    let (_, rest) = page
        .split_once("<!-- tour -->")
        .expect("README.md has a tour");
    let (tour, _) = rest.split_once("<!-- /tour -->").expect("the tour ends");
    tour.split("```sh\n")
        .skip(1)
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// The lines that are shown as answers: comments, with `…` for what differs from walk to walk.
fn shown(blocks: &[String]) -> Vec<&str> {
    blocks
        .iter()
        .flat_map(|block| block.lines())
        .filter_map(|line| line.strip_prefix("# "))
        .collect()
}

fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        let found = if at + 1 == parts.len() && !part.is_empty() {
            rest.rfind(part)
        } else {
            rest.find(part)
        };
        let Some(found) = found else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.is_empty() || parts.last().is_some_and(|last| last.is_empty())
}

/// Ends everything that the walk started, also when it stopped half way.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _gone = self.0.wait();
    }
}

fn walk(script: &str, folder: &Path) -> ExitStatus {
    let programs = folder.join("bin");
    fs::create_dir(&programs).unwrap();
    symlink(env!("CARGO_BIN_EXE_cardea"), programs.join("cardea")).unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script])
        .env_clear()
        .env("PATH", path)
        .env("HOME", folder)
        .current_dir(folder);
    bash.stdin(Stdio::null())
        .stdout(File::create(folder.join("out")).unwrap())
        .stderr(File::create(folder.join("err")).unwrap());
    let mut group = Group(bash.process_group(0).spawn().unwrap());
    for _ in 0..LOOKS {
        if let Some(status) = group.0.try_wait().unwrap() {
            return status;
        }
        std::thread::sleep(BETWEEN);
    }
    panic!("the tour did not end in time");
}

#[test]
fn the_tour_of_the_readme_says_what_happens() {
    if require(Tool::Curl).is_none() || require(Tool::Jq).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .to_string();
    let blocks: Vec<String> = tour()
        .iter()
        .map(|block| block.replace(PORT, &port))
        .collect();
    let status = walk(&blocks.concat(), folder.path());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let (out, err) = (read("out"), read("err"));
    assert!(status.success(), "{status}\n{out}\n{err}");
    let mut lines = out.lines();
    for pattern in shown(&blocks) {
        assert!(
            lines.any(|line| is_like(line, pattern)),
            "`{pattern}` is not what follows in\n{out}\n{err}"
        );
    }
}

#[test]
fn a_pattern_is_like_what_it_shortens() {
    assert!(
        is_like("agt_01 is active", "agt_… is active")
            && is_like("a b", "a b")
            && is_like("a b c", "a …")
    );
    assert!(
        !is_like("agt_01 is active now", "agt_… is active")
            && !is_like("a b", "a")
            && !is_like("x", "…y")
    );
}
