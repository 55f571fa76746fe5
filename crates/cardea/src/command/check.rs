//! `cardea config check`: whether a configuration file can be used, without starting anything.

use super::{
    exit::{self, Failure},
    global::Global,
    output,
};
use crate::config::{ConfigError, File};
use clap::ArgMatches;
use serde_json::json;
use std::path::Path;

/// Checks the file.
///
/// # Errors
/// Exit 1 with file, line and field when it cannot be used, 3 when it is not there.
pub fn run(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let path = matches
        .get_one::<String>("file")
        .map(Path::new)
        .unwrap_or(Path::new(""));
    match File::read(path) {
        Ok(_) => {
            output::print(
                &global
                    .format
                    .render(&json!({ "file": path.display().to_string(), "valid": true })),
            );
            Ok(exit::OK)
        }
        Err(error @ ConfigError::Read(..)) => Err(Failure::new(exit::CONFLICT, error)),
        Err(error) => Err(Failure::refused(error)),
    }
}
