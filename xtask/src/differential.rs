//! `cargo xtask differential`: the relation engine beside its specification, for as many random pairs of a model and a
//! question as are asked for. The test that it runs judges, and prints the seed of the first difference, shrunk.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::shell;

/// What `cargo xtask differential` takes.
#[derive(clap::Args)]
pub struct Options {
    /// How many pairs of a model and a question
    #[arg(long, default_value_t = 10_000_000)]
    pairs: u64,
    /// Where the dice begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

const TEST: &str = "differential::the_engine_answers_as_the_specification";

/// Runs them; a difference ends it with an error.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    ensure!(options.pairs > 0, "`--pairs` must be at least 1");
    let test = ["test", "--quiet", "-p", "authz", "--test", "relations"];
    let mut command = shell::cargo(root, &test);
    command
        .args(["--", "--exact", "--nocapture", TEST])
        .env("RELATION_PAIRS", options.pairs.to_string())
        .env("RELATION_SEED", options.seed.to_string());
    shell::run(&mut command)
}
