//! Time and randomness come in as parameters: what reads them out of the air stands in the files of `[ambient]` only.
//! A search of the text, comments left out; clippy's list catches what is spelled another way.

use anyhow::{Context, Result};
use regex::RegexSet;

use super::{Finding, Source};
use crate::house::Ambient;

pub fn check(rule: &Ambient, sources: &[Source]) -> Result<Vec<Finding>> {
    let patterns =
        RegexSet::new(&rule.patterns).context("[ambient] patterns of xtask/house.toml")?;
    let watched = sources
        .iter()
        .filter(|source| source.is("rs") && !allowed(rule, &source.path));
    Ok(watched
        .flat_map(|source| in_file(&patterns, source))
        .collect())
}

fn allowed(rule: &Ambient, path: &str) -> bool {
    rule.allowed
        .iter()
        .any(|place| path == place || (place.ends_with('/') && path.starts_with(place.as_str())))
}

fn in_file(patterns: &RegexSet, source: &Source) -> Vec<Finding> {
    let code = source
        .lines()
        .filter(|(_, line)| !line.trim_start().starts_with("//"));
    let read = code.filter(|(_, line)| patterns.is_match(line));
    read.map(|(number, line)| Finding::new(&source.path, number, message(line)))
        .collect()
}

fn message(line: &str) -> String {
    format!(
        "`{}` reads time or randomness out of the air; take a kernel::Clock or kernel::Entropy as a parameter",
        line.trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::sample;

    fn caught(path: &str, text: &str) -> usize {
        let rule = Ambient {
            patterns: vec![r"Sundial::read\(".to_owned()],
            allowed: vec!["kernel/clock.rs".to_owned(), "bench/".to_owned()],
        };
        check(&rule, &[sample(path, text)]).unwrap().len()
    }

    #[test]
    fn a_reading_outside_the_allowed_places_is_caught() {
        assert_eq!(
            caught(
                "service/a.rs",
                "//! Never calls Sundial::read().\nlet now = Sundial::read();\n"
            ),
            1
        );
        assert_eq!(caught("kernel/clock.rs", "Sundial::read()"), 0);
        assert_eq!(caught("bench/deep/a.rs", "Sundial::read()"), 0);
        assert_eq!(caught("kernel/clock.rs.rs", "Sundial::read()"), 1);
    }

    #[test]
    fn the_projects_patterns_catch_each_reading_they_are_meant_for() {
        let rule = crate::house::House::read(&crate::root()).unwrap().ambient;
        let readings = [
            ("Instant::n", "ow()"),
            ("std::time::SystemTime::n", "ow()"),
            ("Uuid::now", "_v7()"),
            ("rand::r", "ng()"),
            ("thread", "_rng()"),
            ("System", "Random::new()"),
        ];
        for (first, second) in readings {
            assert_eq!(
                check(
                    &rule,
                    &[sample("crates/web/src/a.rs", &format!("{first}{second}"))]
                )
                .unwrap()
                .len(),
                1,
                "{first}"
            );
        }
    }
}
