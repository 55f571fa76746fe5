//! `cargo xtask bench`: the figures, taken from outside the shipped build on one machine: rates with the processors'
//! time of server and database beside them, latencies, start, memory, overload. It asserts nothing; it writes what
//! it saw, and `bench/README.md` says how to read it.

mod closed;
mod cost;
mod curve;
mod fair;
mod machine;
mod measure;
mod open;
mod overload;
mod peer;
mod postgres;
mod report;
mod requests;
mod scenario;
mod seed;
mod stage;
mod start;
mod wrk;

use crate::{install, shell};
use anyhow::{Context, Result, bail};
use clap::Args;
use report::Report;
use std::path::{Path, PathBuf};

/// What `cargo xtask bench` takes.
#[derive(Args)]
pub struct Options {
    /// Print what can be measured and end
    #[arg(long)]
    list: bool,
    /// Measure only what these names begin, such as `token` or `token-1000,health`
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Seconds of load for each run of a figure
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// One run of two seconds instead of the median of three, for a first look
    #[arg(long)]
    quick: bool,
    /// Connections that wrk keeps open
    #[arg(long, default_value_t = 64)]
    connections: u32,
    /// The database
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// Give the server the first processor and the load the second
    #[arg(long)]
    pinned: bool,
    /// A built `cardea` to measure instead of building the profile `dist`
    #[arg(long)]
    binary: Option<PathBuf>,
    /// A built `loadkit` to load with instead of building the profile `dist`
    #[arg(long)]
    loadkit: Option<PathBuf>,
    /// Write bench/results/NAME.json and NAME.md; a whole run takes the date and the database as name
    #[arg(long)]
    name: Option<String>,
}

/// The database under the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// The embedded one.
    Sqlite,
    /// A PostgreSQL of its own, started beside the server.
    Postgresql,
}

impl Engine {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
        }
    }
}

/// What every measurement is given.
pub struct Bench {
    pub root: PathBuf,
    pub binary: PathBuf,
    pub loadkit: PathBuf,
    pub engine: Engine,
    pub cluster: Option<postgres::Cluster>,
    pub connections: u32,
    pub seconds: u32,
    pub runs: usize,
    pub pinned: bool,
}

pub fn run(root: &Path, options: &Options) -> Result<()> {
    let chosen = scenario::chosen(&options.only)?;
    if options.list {
        print!("{}", scenario::listed(&chosen));
        return Ok(());
    }
    install::program("wrk", "wrk")?;
    let bench = Bench::new(root, options)?;
    let mut report = Report::new(&bench)?;
    let failed = measure::all(&bench, &chosen, &mut report);
    report.conclude();
    write(root, options, &report)?;
    if !failed.is_empty() {
        bail!("not measured: {}", failed.join(", "));
    }
    Ok(())
}

impl Bench {
    fn new(root: &Path, options: &Options) -> Result<Self> {
        let cluster = match options.engine {
            Engine::Sqlite => None,
            Engine::Postgresql => Some(postgres::Cluster::start(
                &root.join("target/bench/postgresql"),
            )?),
        };
        Ok(Self {
            root: root.to_owned(),
            binary: built(root, options.binary.as_deref(), "cardea")?,
            loadkit: built(root, options.loadkit.as_deref(), "loadkit")?,
            engine: options.engine,
            cluster,
            connections: options.connections,
            seconds: if options.quick { 2 } else { options.seconds },
            runs: if options.quick { 1 } else { 3 },
            pinned: options.pinned,
        })
    }
}

fn built(root: &Path, given: Option<&Path>, package: &str) -> Result<PathBuf> {
    if let Some(given) = given {
        return std::fs::canonicalize(given).with_context(|| format!("no {}", given.display()));
    }
    shell::run(&mut shell::cargo(
        root,
        &["build", "--profile", "dist", "--locked", "-p", package],
    ))?;
    Ok(root.join("target/dist").join(package))
}

/// A whole run belongs into the repository, a part of one only under the name that somebody gives it.
fn write(root: &Path, options: &Options, report: &Report) -> Result<()> {
    let whole = options.only.is_empty() && !options.quick;
    let place = match &options.name {
        Some(name) => root.join("bench/results").join(name),
        None if whole => root.join("bench/results").join(report.name()),
        None => root.join("target/bench/last"),
    };
    let folder = place.parent().context("a folder for the figures")?;
    std::fs::create_dir_all(folder)?;
    let markdown = report.to_markdown();
    std::fs::write(place.with_extension("json"), report.to_json()?)
        .context("writing the figures")?;
    std::fs::write(place.with_extension("md"), &markdown).context("writing the figures")?;
    println!("{markdown}\nwritten to {}.md and .json", place.display());
    Ok(())
}
