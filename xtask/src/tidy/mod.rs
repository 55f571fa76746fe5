//! `cargo xtask tidy`: the repository checked against its own rules, one rule per file, table in `xtask/house.toml`.
//! Reads only; what it finds is printed as `file:line: what is wrong and the remedy`.

mod ambient;
mod attributes;
mod directions;
mod generated;
mod header;
mod length;
mod packages;
mod sources;
mod tables;
mod words;

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};

use crate::house::House;
use sources::Source;

/// One thing that is wrong, with the place and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Runs every check and prints what it finds.
///
/// # Errors
/// When anything is refused; warnings alone pass.
pub fn run(root: &Path) -> Result<()> {
    let sources = sources::read(root)?;
    for warning in length::warnings(&sources) {
        println!("warning: {warning}");
    }
    let findings = check(root, &House::read(root)?, &sources)?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files are in order", sources.len());
        return Ok(());
    }
    bail!("tidy refuses {} thing(s), named above", findings.len())
}

fn check(root: &Path, house: &House, sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = header::check(sources);
    findings.extend(length::check(sources));
    findings.extend(directions::check(house, sources)?);
    findings.extend(tables::check(sources)?);
    findings.extend(ambient::check(&house.ambient, sources)?);
    findings.extend(attributes::check(sources)?);
    findings.extend(words::check(&house.forbidden_words, sources)?);
    findings.extend(packages::check(root, house)?);
    findings.extend(generated::check(root, house)?);
    Ok(findings)
}

#[test]
fn repository_is_tidy() {
    let root = crate::root();
    let sources = sources::read(&root).unwrap();
    let findings = check(&root, &House::read(&root).unwrap(), &sources).unwrap();
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "\n{}", shown.join("\n"));
}
