//! Every Rust file begins with `//!`: what it is for and what it never does.
//! Whether the words are true is for the reader to judge.

use super::{Finding, Source};

const REMEDY: &str = "has no `//!` on its first line; say in two or three lines what it is for and what it never does";

pub fn check(sources: &[Source]) -> Vec<Finding> {
    let bare = sources
        .iter()
        .filter(|source| source.is("rs") && !says_something(&source.text));
    bare.map(|source| Finding::new(&source.path, 1, REMEDY))
        .collect()
}

fn says_something(text: &str) -> bool {
    text.lines()
        .next()
        .and_then(|line| line.strip_prefix("//!"))
        .is_some_and(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::sample;

    #[test]
    fn a_file_without_a_header_is_caught() {
        let sources = [
            sample("good.rs", "//! Grants.\n"),
            sample("bad.rs", "use std::fmt;\n//! late\n"),
            sample("empty.rs", "//!\n"),
        ];
        let caught: Vec<_> = check(&sources)
            .into_iter()
            .map(|finding| finding.path)
            .collect();
        assert_eq!(caught, ["bad.rs", "empty.rs"]);
    }
}
