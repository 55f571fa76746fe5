//! `loadkit`: what `cargo xtask bench` runs beside the server, as a release binary: it fills a database through the
//! product's own code and loads a server. Development only: no product code depends on it.

mod credential;
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
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Task::Seed(options) => threads().and_then(|runtime| runtime.block_on(seed::run(options))),
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
