//! `cargo xtask kill`: servers killed under load for as many runs as are asked for, on either engine. Everything is
//! judged by the tests it runs; it prints their figures.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::shell;

/// What `cargo xtask kill` takes.
#[derive(clap::Args)]
pub struct Options {
    /// How many kills in all
    #[arg(long, default_value_t = 1_000)]
    runs: u64,
    /// On which engine; both in turn when not said
    #[arg(long)]
    engine: Option<Engine>,
    /// Where the dice begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    const fn test(self) -> &'static str {
        match self {
            Self::Sqlite => "kill::neg_f4_sqlite_loses_and_doubles_nothing",
            Self::Postgres => {
                "kill::neg_f4_postgres_that_is_killed_itself_loses_and_doubles_nothing"
            }
        }
    }
}

/// Runs them; a write that is lost or doubled ends it with an error.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    ensure!(options.runs > 0, "`--runs` must be at least 1");
    let engines = match options.engine {
        Some(engine) => vec![engine],
        None => vec![Engine::Sqlite, Engine::Postgres],
    };
    let parts = u64::try_from(engines.len())?;
    for engine in engines {
        let mut command = shell::cargo(root, &["test", "--quiet", "-p", "cardea", "--test", "it"]);
        command.args(["--", "--exact", "--nocapture", engine.test()]);
        command
            .env("CARDEA_KILLS", options.runs.div_ceil(parts).to_string())
            .env("CARDEA_SEED", options.seed.to_string());
        shell::run(&mut command)?;
    }
    Ok(())
}
