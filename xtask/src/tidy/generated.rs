//! A generated file is what its command prints, to the byte.
//! Compares only: `cargo xtask generate` writes.

use std::path::Path;

use anyhow::Result;

use super::Finding;
use crate::generate;
use crate::house::House;

const REMEDY: &str =
    "is not what its generator prints; run `cargo xtask generate` and look at the difference";

pub fn check(root: &Path, house: &House) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for item in &house.generated {
        let wanted = generate::made(root, item)?;
        let found = std::fs::read_to_string(root.join(&item.file)).unwrap_or_default();
        findings
            .extend(differs(&found, &wanted).map(|line| Finding::new(&item.file, line, REMEDY)));
    }
    Ok(findings)
}

/// The first line that is not the same, counted from one.
fn differs(found: &str, wanted: &str) -> Option<usize> {
    let same = found
        .lines()
        .zip(wanted.lines())
        .take_while(|(left, right)| left == right)
        .count();
    (found != wanted).then_some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::house::Generated;

    #[test]
    fn the_first_differing_line_is_named() {
        assert_eq!(differs("a\nb\n", "a\nb\n"), None);
        assert_eq!(differs("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(differs("", "a\n"), Some(1));
        assert_eq!(differs("a\n", "a"), Some(2));
    }

    #[test]
    fn a_stale_file_is_caught() {
        let stale = Generated {
            file: "LICENSE".to_owned(),
            command: ["echo", "another text"].map(str::to_owned).to_vec(),
        };
        let house = House {
            generated: vec![stale],
            ..House::default()
        };
        assert_eq!(check(&crate::root(), &house).unwrap().len(), 1);
    }
}
