//! `xtask/house.toml`: the rules that `cargo xtask tidy` checks, as data.
//! Holds no rule itself; each check says what its part of the table means.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// The whole table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct House {
    /// Crate, and the crates of this workspace that it may use.
    pub crates: BTreeMap<String, Vec<String>>,
    /// Crates that only tests may use, whoever they are.
    pub development_only: Vec<String>,
    /// A crate from outside, and who may use it.
    pub fenced: BTreeMap<String, Fence>,
    /// Packages that may not be in the product's tree at all.
    pub banned_packages: Vec<String>,
    /// Where time and randomness may be read.
    pub ambient: Ambient,
    /// Files that a command prints.
    pub generated: Vec<Generated>,
    /// Words that may not stand in a source or a page.
    pub forbidden_words: Vec<String>,
}

/// Who may use a fenced crate.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fence {
    /// In the product.
    pub product: Vec<String>,
    /// In tests alone.
    pub tests: Vec<String>,
}

/// Readings of the clock and of randomness.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ambient {
    /// Regular expressions of what is refused.
    pub patterns: Vec<String>,
    /// Files, and folders that end with `/`, where it is allowed.
    pub allowed: Vec<String>,
}

/// A file and the command whose output it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generated {
    /// Path from the workspace's folder.
    pub file: String,
    /// Program and arguments, without a shell.
    pub command: Vec<String>,
}

impl House {
    pub fn read(root: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(root.join("xtask/house.toml"))
            .context("cannot read xtask/house.toml")?;
        Self::parse(&text)
    }

    pub fn parse(text: &str) -> Result<Self> {
        toml::from_str(text).context("xtask/house.toml does not hold the house's rules")
    }
}
