//! The text files that the checks read: what git tracks, and what it would track if it were added.
//! Never reads what `.gitignore` leaves out.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell;

const KINDS: [&str; 4] = ["rs", "md", "sql", "toml"];

/// A file with its path from the workspace's folder.
#[derive(Debug)]
pub struct Source {
    pub path: String,
    pub text: String,
}

impl Source {
    /// True when the file's name ends with `.kind`.
    pub fn is(&self, kind: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|ending| ending == kind)
    }

    /// The lines, counted from one.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line))
    }

    /// The line of a byte offset, counted from one.
    pub fn line_of(&self, offset: usize) -> usize {
        self.text
            .bytes()
            .take(offset)
            .filter(|byte| *byte == b'\n')
            .count()
            + 1
    }
}

/// Reads every file of a kind that a check looks at, in order of path.
pub fn read(root: &Path) -> Result<Vec<Source>> {
    let mut paths: Vec<String> = paths(root)?
        .into_iter()
        .filter(|path| wanted(path))
        .collect();
    paths.sort();
    paths.dedup();
    // A tracked file may be gone from the work tree: that is git's matter, not a finding.
    paths
        .into_iter()
        .filter(|path| root.join(path).is_file())
        .map(|path| open(root, path))
        .collect()
}

fn open(root: &Path, path: String) -> Result<Source> {
    let text = std::fs::read_to_string(root.join(&path))
        .with_context(|| format!("cannot read {path} as UTF-8 text"))?;
    Ok(Source { path, text })
}

fn wanted(path: &str) -> bool {
    Path::new(path)
        .extension()
        .and_then(|ending| ending.to_str())
        .is_some_and(|ending| KINDS.contains(&ending))
}

fn paths(root: &Path) -> Result<Vec<String>> {
    let mut list = Command::new("git");
    list.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ])
    .current_dir(root);
    // Git also refuses a work tree that belongs to another user, as one mounted into a container does.
    match shell::output(&mut list) {
        Ok(listed) if root.join(".git").exists() => {
            Ok(listed.split_terminator('\0').map(str::to_owned).collect())
        }
        _ => walked(root),
    }
}

/// Without git's word, as in an unpacked archive: everything but build products and hidden folders.
fn walked(root: &Path) -> Result<Vec<String>> {
    let skipped = |name: &str| name.starts_with('.') || name == "target" || name == "node_modules";
    let walk = walkdir::WalkDir::new(root).min_depth(1).into_iter();
    let mut found = Vec::new();
    for entry in walk.filter_entry(|entry| !entry.file_name().to_str().is_some_and(skipped)) {
        let entry = entry?;
        if entry.file_type().is_file() {
            found.push(
                entry
                    .path()
                    .strip_prefix(root)?
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
    Ok(found)
}

#[cfg(test)]
pub fn sample(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_listing_see_this_file_and_no_build_product() {
        let root = crate::root();
        for paths in [paths(&root).unwrap(), walked(&root).unwrap()] {
            assert!(paths.iter().any(|path| path == "xtask/src/tidy/sources.rs"));
            assert!(!paths.iter().any(|path| path.starts_with("target/")));
        }
    }

    #[test]
    fn an_offset_is_on_the_line_after_the_breaks_before_it() {
        assert_eq!(sample("a.rs", "a\nb\nc").line_of(4), 3);
    }
}
