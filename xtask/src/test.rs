//! `cargo xtask test`: everything a change must pass, in one command, from a fresh clone.
//! Never repairs what it finds; `cargo fmt` and `cargo xtask generate` do that.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::stopwatch::{Budget, Stopwatch};
use crate::{install, shell, tidy};

/// What `cargo xtask test` takes.
#[derive(clap::Args)]
pub struct Options {
    /// Use what is on the machine; tests whose tools are absent say so and pass
    #[arg(long)]
    no_install: bool,
    /// Passed on to the test runner, after `--`
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Runs every step; the test runner's summary is the last thing printed.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let mut watch = Stopwatch::new(Budget::read(root)?);
    if !options.no_install {
        watch.step("install", || install::run(root))?;
    }
    watch.step("format", || cargo(root, &["fmt", "--all", "--check"]))?;
    watch.step("lints", || {
        cargo(
            root,
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
        )
    })?;
    watch.step("tidy", || tidy::run(root))?;
    watch.step("build", || cargo(root, &["build", "--workspace"]))?;
    watch.step("documentation", || {
        cargo(root, &["test", "--quiet", "--workspace", "--doc"])
    })?;
    watch.print();
    watch.step("tests", || tests(root, &options.rest))?;
    if std::env::var("CI").is_ok_and(|ci| ci == "true") {
        watch.judge()
    } else {
        Ok(())
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    shell::run(&mut shell::cargo(root, arguments))
}

fn tests(root: &Path, rest: &[String]) -> Result<()> {
    let mut command = if has_nextest(root) {
        shell::cargo(root, &["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        println!("cargo-nextest is absent: `cargo test` runs the same tests, more slowly");
        shell::cargo(root, &["test", "--workspace", "--bins", "--lib", "--tests"])
    };
    command
        .args(rest)
        .env("CARDEA_INTEROP", install::folder(root));
    shell::run(&mut command)
}

fn has_nextest(root: &Path) -> bool {
    let mut probe: Command = shell::cargo(root, &["nextest", "--version"]);
    shell::succeeds(&mut probe)
}
