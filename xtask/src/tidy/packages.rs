//! No second cryptography library in what ships: the packages of `banned_packages` are absent from the whole tree.
//! Tests may use them; only normal and build dependencies are read.

use std::path::Path;

use anyhow::Result;

use super::Finding;
use crate::house::House;
use crate::shell;

const TREE: [&str; 11] = [
    "tree",
    "--workspace",
    "--edges",
    "normal,build",
    "--target",
    "x86_64-unknown-linux-gnu",
    "--prefix",
    "none",
    "--format",
    "{p}",
    "--no-dedupe",
];

pub fn check(root: &Path, house: &House) -> Result<Vec<Finding>> {
    let tree = shell::output(&mut shell::cargo(root, &TREE))?;
    Ok(banned(&house.banned_packages, &tree)
        .into_iter()
        .map(finding)
        .collect())
}

fn banned<'a>(names: &'a [String], tree: &str) -> Vec<&'a str> {
    let present = |name: &&String| {
        tree.lines()
            .any(|line| line.split_whitespace().next() == Some(name.as_str()))
    };
    names.iter().filter(present).map(String::as_str).collect()
}

fn finding(name: &str) -> Finding {
    let remedy = format!(
        "package `{name}` is in the product's tree; `cargo tree --invert {name}` says through whom, take another feature or crate"
    );
    Finding::new("Cargo.lock", 1, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_banned_package_is_caught_by_its_whole_name() {
        let names = ["ring".to_owned(), "openssl".to_owned()];
        assert_eq!(
            banned(
                &names,
                "kernel v0.1.0 (/x)\nring v0.17.8\nstring-cache v1.0.0\n"
            ),
            ["ring"]
        );
        assert!(banned(&names, "openssl-probe v0.1.6\nstring v1.0.0 (*)\n").is_empty());
    }
}
