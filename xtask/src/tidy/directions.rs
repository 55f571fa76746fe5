//! Which crate may use which: the table `[crates]` for this workspace, `[fenced]` for crates from outside.
//! Reads manifests only; a path inside the code cannot reach what the manifest does not name.

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::{Finding, Source};
use crate::house::House;

/// One line of a manifest: `user` depends on `used`.
struct Edge<'a> {
    manifest: &'a Source,
    user: &'a str,
    used: String,
    line: usize,
    in_tests: bool,
}

pub fn check(house: &House, sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for manifest in sources
        .iter()
        .filter(|source| source.path.ends_with("/Cargo.toml"))
    {
        let table: Table = manifest
            .text
            .parse()
            .with_context(|| format!("{} is not a manifest", manifest.path))?;
        let Some(user) = table
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(Value::as_str)
        else {
            continue;
        };
        if house.crates.contains_key(user) {
            findings.extend(
                edges(manifest, user, &table)
                    .iter()
                    .filter_map(|edge| refused(house, edge)),
            );
        } else {
            findings.push(Finding::new(
                &manifest.path,
                1,
                format!(
                    "crate `{user}` is not in [crates] of xtask/house.toml; write what it may use"
                ),
            ));
        }
    }
    Ok(findings)
}

fn refused(house: &House, edge: &Edge) -> Option<Finding> {
    let Edge { user, used, .. } = edge;
    let remedy = if house.crates.contains_key(used) {
        between_crates(house, edge)?
    } else {
        from_outside(house, edge)?
    };
    Some(Finding::new(
        &edge.manifest.path,
        edge.line,
        format!("`{user}` may not use `{used}`; {remedy}"),
    ))
}

fn between_crates(house: &House, edge: &Edge) -> Option<&'static str> {
    let development = house.development_only.contains(&edge.used);
    match (development, edge.in_tests) {
        (true, true) => None,
        (true, false) => Some("it is for tests: move it to [dev-dependencies]"),
        (false, _)
            if house
                .crates
                .get(edge.user)
                .is_some_and(|allowed| allowed.contains(&edge.used)) =>
        {
            None
        }
        (false, _) => Some("move the code to a crate that may, or declare a trait on this side"),
    }
}

fn from_outside(house: &House, edge: &Edge) -> Option<&'static str> {
    let fence = house.fenced.get(&edge.used)?;
    let named = |list: &[String]| list.iter().any(|name| name == edge.user);
    let allowed = named(&fence.product) || (edge.in_tests && named(&fence.tests));
    (!allowed).then_some("it is fenced: ask the crate that [fenced] of xtask/house.toml names")
}

fn edges<'a>(manifest: &'a Source, user: &'a str, table: &Table) -> Vec<Edge<'a>> {
    let targets = table
        .get("target")
        .and_then(Value::as_table)
        .into_iter()
        .flat_map(Table::values)
        .filter_map(Value::as_table);
    let mut edges = Vec::new();
    for part in std::iter::once(table).chain(targets) {
        for (section, in_tests) in [
            ("dependencies", false),
            ("build-dependencies", false),
            ("dev-dependencies", true),
        ] {
            for (key, value) in part
                .get(section)
                .and_then(Value::as_table)
                .into_iter()
                .flatten()
            {
                // `alias = { package = "real" }` uses the real one.
                let used = value
                    .get("package")
                    .and_then(Value::as_str)
                    .unwrap_or(key)
                    .to_owned();
                edges.push(Edge {
                    manifest,
                    user,
                    used,
                    line: line(manifest, key),
                    in_tests,
                });
            }
        }
    }
    edges
}

fn line(manifest: &Source, key: &str) -> usize {
    let starts = |text: &str| {
        text.trim_start()
            .strip_prefix(key)
            .is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    manifest
        .lines()
        .find(|(_, text)| starts(text))
        .map_or(1, |(number, _)| number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::sample;

    const HOUSE: &str = "development_only = ['testkit']\n[crates]\nkernel = []\ndomain = ['kernel']\nstore = ['domain']\ntestkit = ['store']\n[fenced]\nrusqlite = { product = ['store'], tests = ['domain'] }\n";

    fn caught(name: &str, rest: &str) -> Vec<String> {
        let manifest = sample(
            &format!("crates/{name}/Cargo.toml"),
            &format!("[package]\nname = '{name}'\n{rest}"),
        );
        check(&House::parse(HOUSE).unwrap(), &[manifest])
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn what_the_table_allows_passes() {
        assert!(
            caught(
                "store",
                "[dependencies]\ndomain.workspace = true\nrusqlite.workspace = true\n"
            )
            .is_empty()
        );
        assert!(caught("kernel", "[dev-dependencies]\ntestkit.workspace = true\n").is_empty());
        assert!(caught("domain", "[dev-dependencies]\nrusqlite = '1'\n").is_empty());
    }

    #[test]
    fn a_step_backwards_is_caught_with_its_line() {
        let found = caught(
            "domain",
            "[dependencies]\nkernel.workspace = true\nstore.workspace = true\n",
        );
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("crates/domain/Cargo.toml:5: `domain` may not use `store`"),
            "{found:?}"
        );
    }

    #[test]
    fn arrows_are_not_transitive() {
        assert_eq!(
            caught("store", "[dependencies]\nkernel.workspace = true\n").len(),
            1
        );
    }

    #[test]
    fn a_fenced_crate_is_caught_even_renamed_or_for_one_target() {
        assert_eq!(
            caught(
                "domain",
                "[dependencies]\nsql = { package = 'rusqlite', version = '1' }\n"
            )
            .len(),
            1
        );
        assert_eq!(
            caught(
                "kernel",
                "[target.'cfg(unix)'.dependencies]\nrusqlite = '1'\n"
            )
            .len(),
            1
        );
    }

    #[test]
    fn the_testkit_in_the_product_and_an_unknown_crate_are_caught() {
        assert_eq!(
            caught("store", "[dependencies]\ntestkit.workspace = true\n").len(),
            1
        );
        assert_eq!(caught("stranger", "").len(), 1);
    }
}
