//! Words that put off what should be done now are refused in sources and pages.
//! Whole words only, in capitals as the list has them.

use anyhow::{Context, Result};
use regex::Regex;

use super::{Finding, Source};

pub fn check(words: &[String], sources: &[Source]) -> Result<Vec<Finding>> {
    if words.is_empty() {
        return Ok(Vec::new());
    }
    let escaped: Vec<String> = words.iter().map(|word| regex::escape(word)).collect();
    let pattern = Regex::new(&format!(r"\b(?:{})\b", escaped.join("|")))
        .context("forbidden_words of xtask/house.toml")?;
    let read = sources
        .iter()
        .filter(|source| source.is("rs") || source.is("md"));
    Ok(read.flat_map(|source| in_file(&pattern, source)).collect())
}

fn in_file(pattern: &Regex, source: &Source) -> Vec<Finding> {
    let found = source
        .lines()
        .filter_map(|(number, line)| Some((number, pattern.find(line)?.as_str())));
    found
        .map(|(number, word)| {
            Finding::new(
                &source.path,
                number,
                format!("says `{word}`; do it now, or write it down where work is planned"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::sample;

    #[test]
    fn a_forbidden_word_is_caught_and_part_of_a_word_is_not() {
        let sources = [
            sample("a.rs", "fine\n// LATER: the rest"),
            sample("b.md", "LATERAL later"),
            sample("c.toml", "LATER"),
        ];
        let found = check(&["LATER".to_owned()], &sources).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("a.rs", 2));
    }

    #[test]
    fn the_projects_words_catch_a_note_to_self() {
        let words = crate::house::House::read(&crate::root())
            .unwrap()
            .forbidden_words;
        assert_eq!(
            check(&words, &[sample("a.rs", concat!("// TO", "DO: later"))])
                .unwrap()
                .len(),
            1
        );
    }
}
