//! `cardea config check`: whether a configuration file and the files that it names can be used, without
//! starting, making or changing anything.

use super::{
    exit::{self, Failure},
    global::Global,
    output,
};
use crate::config::{ConfigError, File, Problem};
use clap::ArgMatches;
use serde_json::json;
use std::{fs, path::Path};

/// Checks the file and opens those that it names.
///
/// # Errors
/// Exit 1 with file, line and field of everything that is wrong, 3 when it is not there.
pub fn run(global: &Global, matches: &ArgMatches) -> Result<u8, Failure> {
    let path = matches
        .get_one::<String>("file")
        .map(Path::new)
        .unwrap_or(Path::new(""));
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            let error = ConfigError::Read(path.to_owned(), error);
            return Err(Failure::new(exit::CONFLICT, error));
        }
    };
    let problems = match File::parse(&text) {
        Ok(file) => file.look(&text),
        Err(problem) => vec![problem],
    };
    if problems.is_empty() {
        let told = json!({ "file": path.display().to_string(), "valid": true });
        output::print(&global.format.render(&told));
        return Ok(exit::OK);
    }
    let named = |problem: &Problem| format!("{}:{problem}", path.display());
    let named: Vec<String> = problems.iter().map(named).collect();
    Err(Failure::refused(named.join("\n")))
}
