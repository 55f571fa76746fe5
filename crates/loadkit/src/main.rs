//! `loadkit`: what `cargo xtask bench` runs beside the server, as a release binary: it fills a database through the
//! product's own code and loads a server. Development only: no product code depends on it.

mod append;
mod client;
mod collect;
mod credential;
mod open;
mod request;
mod search;
mod seed;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "loadkit", about = "fill a database and load a server")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fill an empty data folder or database with organizations, people, agents and their secrets
    Seed(seed::Options),
    /// Append record entries straight at the store and say how many a second
    Append(append::Options),
    /// Search the longest log of a database and say how long that takes
    Search(search::Options),
    /// Send each request of a file once and write one member of each answer
    Collect(collect::Options),
    /// Send the requests of a file at a constant rate, whatever the server does
    Open(open::Options),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Seed(options) => threads().and_then(|runtime| runtime.block_on(seed::run(options))),
        Task::Append(options) => {
            threads().and_then(|runtime| runtime.block_on(append::run(options)))
        }
        Task::Search(options) => {
            threads().and_then(|runtime| runtime.block_on(search::run(options)))
        }
        Task::Collect(options) => thread(collect::run(options)),
        Task::Open(options) => thread(open::run(options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn threads() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?)
}

/// A load runs on one thread, so that it can share a small machine with the server.
fn thread(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, work)
}
