//! The project's own commands: `cargo xtask test`, `tidy`, `bench`, `kill`, `differential` and `generate`. Development only.
//! Nothing of the product depends on this crate, and it depends on no crate of the product.

mod bench;
mod differential;
mod generate;
mod house;
mod install;
mod kill;
mod shell;
mod stopwatch;
mod test;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "build, test and keep the repository")]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need, then format check, lints, tidy, build and every test
    Test(test::Options),
    /// Check the repository against its own rules
    Tidy,
    /// Measure rates, start and memory of the release build
    Bench(bench::Options),
    /// Kill servers under load, again and again, and look at what is left
    Kill(kill::Options),
    /// Compare the relation engine with its specification on random models, tuples and questions
    Differential(differential::Options),
    /// Write the generated files again
    Generate,
}

fn main() -> ExitCode {
    let root = root();
    let done = match Arguments::parse().command {
        Task::Test(options) => test::run(&root, &options),
        Task::Tidy => tidy::run(&root),
        Task::Bench(options) => bench::run(&root, &options),
        Task::Kill(options) => kill::run(&root, &options),
        Task::Differential(options) => differential::run(&root, &options),
        Task::Generate => generate::run(&root),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The workspace's folder: cargo names this crate's folder at run time, the build names it otherwise.
fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent().map_or(here.clone(), PathBuf::from)
}
