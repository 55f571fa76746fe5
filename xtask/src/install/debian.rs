//! Debian packages, through apt as root or through sudo.
//! Leaves alone whatever is there already, however it came there, and starts no service.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The packages whose program is not on this machine, and Python's `venv` when no Python has it.
pub fn missing(packages: &BTreeMap<String, String>) -> Vec<String> {
    let absent = packages
        .iter()
        .filter(|(_, program)| !present(program))
        .map(|(package, _)| package.clone());
    let venv = super::python::interpreter()
        .is_none()
        .then(|| "python3-venv".to_owned());
    absent.chain(venv).collect()
}

/// Installs the packages; one apt at a time, so it waits for another's lock.
pub fn install(packages: &[String]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let apt = apt(packages)?;
    if let Err(error) = shell::run(&mut command(&apt, &["update"])) {
        println!("going on with the package lists of this machine: {error:#}");
    }
    let mut arguments = vec!["install", "--yes", "--no-install-recommends"];
    arguments.extend(packages.iter().map(String::as_str));
    shell::run(&mut command(&apt, &arguments)).context("apt could not install what the tests need")
}

/// The words before apt's own arguments.
fn apt(packages: &[String]) -> Result<Vec<String>> {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect();
    if shell::which("apt-get").is_none() {
        bail!(
            "this is not a Debian system; install {} yourself, or pass --no-install",
            packages.join(" ")
        );
    }
    if shell::output(Command::new("id").arg("-u"))?.trim() == "0" {
        return Ok(words("env"));
    }
    if shell::which("sudo").is_none() {
        bail!(
            "neither root nor sudo; have `apt-get install {}` run for you, or pass --no-install",
            packages.join(" ")
        );
    }
    // sudo drops the environment: what apt has to know comes after it.
    Ok(words("sudo env"))
}

fn command(before: &[String], arguments: &[&str]) -> Command {
    let mut words = before.iter().map(String::as_str);
    let mut command = Command::new(words.next().unwrap_or("env"));
    command
        .args(words)
        .args([
            "DEBIAN_FRONTEND=noninteractive",
            "RUNLEVEL=1",
            "apt-get",
            "-q",
            "-o",
            "DPkg::Lock::Timeout=500",
        ])
        .args(arguments);
    command
}

/// PostgreSQL's own programs are off the path, beside the version that `pg_config` names.
fn present(program: &str) -> bool {
    if program == "initdb" {
        return server();
    }
    ["/usr/sbin", "/sbin"]
        .iter()
        .any(|folder| Path::new(folder).join(program).is_file())
        || shell::which(program).is_some()
}

fn server() -> bool {
    let named = shell::output(Command::new("pg_config").arg("--bindir"))
        .is_ok_and(|folder| Path::new(folder.trim()).join("initdb").is_file());
    named
        || std::fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut versions| {
            versions.any(|version| {
                version.is_ok_and(|version| version.path().join("bin/initdb").is_file())
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_absent_is_missing() {
        let packages = BTreeMap::from([
            ("coreutils".to_owned(), "ls".to_owned()),
            ("ghost".to_owned(), "a-program-that-is-not-there".to_owned()),
        ]);
        let missing = missing(&packages);
        assert!(
            missing.contains(&"ghost".to_owned()) && !missing.contains(&"coreutils".to_owned())
        );
    }

    #[test]
    fn apt_waits_for_the_lock_and_asks_nothing() {
        let command = command(&["sudo".to_owned(), "env".to_owned()], &["update"]);
        let words: Vec<_> = command
            .get_args()
            .map(|word| word.to_string_lossy())
            .collect();
        assert_eq!(command.get_program(), "sudo");
        assert_eq!(
            words,
            [
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "RUNLEVEL=1",
                "apt-get",
                "-q",
                "-o",
                "DPkg::Lock::Timeout=500",
                "update"
            ]
        );
    }
}
