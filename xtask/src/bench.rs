//! `cargo xtask bench`: first figures, taken from outside with wrk on the same machine: rates with the server's
//! CPU per request beside them, start to first answer, idle memory. It asserts nothing; it writes what it saw.

mod figures;
mod peer;
mod server;

use crate::shell;
use anyhow::{Context, Result, bail};
use clap::Args;
use figures::Machine;
use server::Server;
use std::path::Path;

#[derive(Args)]
pub struct Options {
    /// Seconds of load for each of the three runs of a figure
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// Connections that wrk keeps open
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// Database instead of the embedded one, such as postgres://…
    #[arg(long)]
    database_url: Option<String>,
    /// A built binary to measure instead of building the release profile
    #[arg(long)]
    binary: Option<std::path::PathBuf>,
    /// Leave out the peer
    #[arg(long)]
    no_peer: bool,
}

pub fn run(root: &Path, options: &Options) -> Result<()> {
    if shell::which("wrk").is_none() {
        bail!("wrk is not installed; `cargo xtask test` installs it");
    }
    let binary = binary(root, options)?;
    let start = server::cold_start(&binary)?;
    let idle = server::idle_memory(&binary)?;
    let server = Server::prepared(&binary, options.database_url.as_deref())?;
    let mut figures = Vec::new();
    for load in server.loads()? {
        eprintln!("{} …", load.name);
        figures.push(figures::measure(
            &load,
            Some(server.pid()),
            options.seconds,
            options.connections,
        )?);
    }
    let peer = if options.no_peer {
        None
    } else {
        peer::measure(root, options.seconds, options.connections)?
    };
    figures.extend(peer);
    let report = figures::Report {
        machine: Machine::read(root)?,
        engine: if options.database_url.is_some() {
            "postgresql"
        } else {
            "sqlite"
        },
        start_ms: start,
        idle_kib: idle,
        resident_after_load_kib: server.resident_kib()?,
        figures,
    };
    server.stop()?;
    write(root, &report)
}

fn binary(root: &Path, options: &Options) -> Result<std::path::PathBuf> {
    if let Some(binary) = &options.binary {
        return Ok(binary.clone());
    }
    shell::run(&mut shell::cargo(
        root,
        &["build", "--release", "--locked", "-p", "cardea"],
    ))?;
    Ok(root.join("target/release/cardea"))
}

fn write(root: &Path, report: &figures::Report) -> Result<()> {
    let folder = root.join("bench/results");
    std::fs::create_dir_all(&folder)?;
    let name = format!("{}-{}", report.machine.date, report.engine);
    let markdown = report.to_markdown();
    std::fs::write(folder.join(format!("{name}.json")), report.to_json())
        .context("writing the figures")?;
    std::fs::write(folder.join(format!("{name}.md")), &markdown).context("writing the figures")?;
    println!("{markdown}");
    Ok(())
}

/// One thing to load: a name, an address and a wrk script.
pub struct Load {
    pub name: &'static str,
    pub url: String,
    pub script: std::path::PathBuf,
}
