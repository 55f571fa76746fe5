//! What the tests need beside Rust, listed in `xtask/interop.toml`: Debian packages, Python and Node clients.
//! Everything but the Debian packages stays under `target/interop`; nothing is fetched as a prebuilt download.

mod debian;
mod node;
mod python;
mod stamp;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// `xtask/interop.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Needs {
    /// Debian package, and the program that shows it is present.
    debian: BTreeMap<String, String>,
    python: Python,
    node: Node,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Python {
    packages: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    /// The oldest major version of Node that the packages run on.
    oldest: u32,
    packages: Vec<String>,
}

/// Where the clients of other projects live.
pub fn folder(root: &Path) -> PathBuf {
    root.join("target/interop")
}

/// Says what is missing, then installs it. Does nothing when everything is there.
pub fn run(root: &Path) -> Result<()> {
    let needs = read(root)?;
    let folder = folder(root);
    let missing = debian::missing(&needs.debian);
    let plan = [
        (!missing.is_empty()).then(|| format!("Debian: {}", missing.join(" "))),
        python::wanted(&folder, &needs.python).then(|| {
            format!(
                "Python, into target/interop/venv: {}",
                needs.python.packages.join(" ")
            )
        }),
        node::wanted(&folder, &needs.node).then(|| {
            format!(
                "npm, into target/interop/node: {}",
                needs.node.packages.join(" ")
            )
        }),
    ];
    let plan: Vec<String> = plan.into_iter().flatten().collect();
    println!(
        "{}",
        if plan.is_empty() {
            "everything is there".to_owned()
        } else {
            format!("will install\n  {}", plan.join("\n  "))
        }
    );
    debian::install(&missing)?;
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    python::install(&folder, &needs.python)?;
    node::install(&folder, &needs.node)
}

/// Installs one program, when it is not there, from the Debian package of this name, and says so first.
pub fn program(package: &str, program: &str) -> Result<()> {
    if crate::shell::which(program).is_some() {
        return Ok(());
    }
    println!("will install\n  Debian: {package}");
    debian::install(&[package.to_owned()])
}

fn read(root: &Path) -> Result<Needs> {
    let text = std::fs::read_to_string(root.join("xtask/interop.toml"))
        .context("cannot read xtask/interop.toml")?;
    toml::from_str(&text).context("xtask/interop.toml does not list what the tests need")
}

/// Lets pip and npm trust what the machine trusts, where nobody has said otherwise: both carry a list of their own.
fn trusting(command: &mut Command) -> &mut Command {
    for name in ["PIP_CERT", "NODE_EXTRA_CA_CERTS"] {
        if std::env::var_os(name).is_none() && Path::new(BUNDLE).is_file() {
            command.env(name, BUNDLE);
        }
    }
    command
}

#[test]
fn every_client_of_the_list_is_pinned() {
    let needs = read(&crate::root()).unwrap();
    assert!(
        needs
            .python
            .packages
            .iter()
            .all(|package| package.contains("=="))
    );
    assert!(
        needs
            .node
            .packages
            .iter()
            .all(|package| package.contains('@'))
    );
}
