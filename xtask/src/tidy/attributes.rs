//! A lint is switched off with a reason or not at all, and no test is left asleep.
//! Comments are left out; strings are not, so a text that quotes an attribute has to split it.

use anyhow::Result;
use regex::Regex;

use super::{Finding, Source};

const ALLOWED: &str = r"#!?\[\s*(?:cfg_attr\([^\]]*?,\s*)?allow\s*\(([^\]]*)\]";
const ASLEEP: &str = r"#\[\s*(?:cfg_attr\([^\]]*?,\s*)?ignore\b";

pub fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let (allowed, asleep) = (Regex::new(ALLOWED)?, Regex::new(ASLEEP)?);
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.is("rs")) {
        let code = Source {
            path: source.path.clone(),
            text: without_comments(&source.text),
        };
        let bare = allowed.captures_iter(&code.text).filter(|found| {
            !found
                .get(1)
                .is_some_and(|inside| inside.as_str().contains("reason"))
        });
        findings.extend(bare.filter_map(|found| found.get(0)).map(|found| {
            at(
                &code,
                found.start(),
                "switches a lint off silently; use `#[expect(.., reason = \"..\")]`",
            )
        }));
        findings.extend(asleep.find_iter(&code.text).map(|found| {
            at(
                &code,
                found.start(),
                "a test that never runs; make it run or take it out",
            )
        }));
    }
    Ok(findings)
}

fn at(source: &Source, offset: usize, message: &str) -> Finding {
    Finding::new(&source.path, source.line_of(offset), message)
}

/// Empties comment lines, so that the line numbers stay.
fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| {
            if line.trim_start().starts_with("//") {
                ""
            } else {
                line
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::sample;

    fn caught(text: &str) -> Vec<usize> {
        check(&[sample("a.rs", text)])
            .unwrap()
            .into_iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn a_silent_allow_is_caught_on_its_line() {
        assert_eq!(
            caught(concat!("fn a() {}\n#[al", "low(dead_code)]\nfn b() {}")),
            [2]
        );
        assert_eq!(caught(concat!("#![al", "low(\n    dead_code,\n)]")), [1]);
        assert_eq!(
            caught(concat!("#[cfg_attr(test, al", "low(dead_code))]")),
            [1]
        );
    }

    #[test]
    fn an_allow_with_a_reason_passes() {
        assert!(
            caught(concat!(
                "#[al",
                "low(dead_code, reason = \"read by the debugger\")]"
            ))
            .is_empty()
        );
        assert!(caught(concat!("// #[al", "low(dead_code)]")).is_empty());
    }

    #[test]
    fn a_sleeping_test_is_caught_with_or_without_an_excuse() {
        assert_eq!(caught(concat!("#[test]\n#[ig", "nore]\nfn a() {}")), [2]);
        assert_eq!(caught(concat!("#[ig", "nore = \"slow\"]")), [1]);
    }
}
