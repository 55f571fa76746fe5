//! A Rust file over 800 lines is refused; over 400 it is named as a warning.
//! Counts every line, tests and comments too: a reader has to pass them all.

use super::{Finding, Source};

const REFUSED: usize = 800;
const WARNED: usize = 400;

pub fn check(sources: &[Source]) -> Vec<Finding> {
    over(
        sources,
        REFUSED + 1..=usize::MAX,
        "lines; split it along its ideas, 800 are the most",
    )
}

pub fn warnings(sources: &[Source]) -> Vec<Finding> {
    over(
        sources,
        WARNED + 1..=REFUSED,
        "lines; over 400 a file wants splitting",
    )
}

fn over(sources: &[Source], range: std::ops::RangeInclusive<usize>, remedy: &str) -> Vec<Finding> {
    let counted = sources
        .iter()
        .filter(|source| source.is("rs"))
        .map(|source| (source, source.text.lines().count()));
    counted
        .filter(|(_, lines)| range.contains(lines))
        .map(|(source, lines)| Finding::new(&source.path, lines, format!("has {lines} {remedy}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::sample;

    #[test]
    fn long_files_are_refused_and_longish_ones_warned() {
        let sources = [
            sample("800.rs", &"\n".repeat(800)),
            sample("801.rs", &"\n".repeat(801)),
            sample("400.rs", &"\n".repeat(400)),
        ];
        assert_eq!(check(&sources).len(), 1);
        assert_eq!(check(&sources)[0].path, "801.rs");
        assert_eq!(warnings(&sources)[0].path, "800.rs");
        assert_eq!(warnings(&sources).len(), 1);
    }
}
