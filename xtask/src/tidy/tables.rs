//! Every SQL table declares its class in `crates/store/tables.toml`: governed, operational, projection or log.
//! Knows nothing of what a table holds; the classes are explained in the architecture page.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use regex::Regex;
use toml::{Table, Value};

use super::{Finding, Source};

const LIST: &str = "crates/store/tables.toml";
const MIGRATIONS: &str = "crates/store/migrations/";
const CLASSES: [&str; 4] = ["governed", "operational", "projection", "log"];
const CREATED: &str = r#"(?i)\bcreate\s+(?:unlogged\s+|virtual\s+)?table\s+(?:if\s+not\s+exists\s+)?"?(?:[a-z0-9_]+"?\.)?"?([a-z0-9_]+)"#;

pub fn check(sources: &[Source]) -> Result<Vec<Finding>> {
    let created = created(sources)?;
    let list = sources.iter().find(|source| source.path == LIST);
    if created.is_empty() && list.is_none() {
        return Ok(Vec::new());
    }
    let Some(list) = list else {
        return Ok(vec![Finding::new(
            LIST,
            1,
            "is missing; write `table = \"class\"` for each table of the migrations",
        )]);
    };
    let classes: Table = list
        .text
        .parse()
        .context("crates/store/tables.toml is not a table of classes")?;
    let mut findings: Vec<Finding> = created
        .iter()
        .filter(|(table, _)| !classes.contains_key(*table))
        .map(|(table, place)| undeclared(table, place))
        .collect();
    findings.extend(
        classes
            .iter()
            .filter_map(|(table, class)| declared(list, &created, table, class)),
    );
    Ok(findings)
}

/// Each table with the first place that creates it.
fn created(sources: &[Source]) -> Result<BTreeMap<String, (String, usize)>> {
    let pattern = Regex::new(CREATED)?;
    let mut tables = BTreeMap::new();
    for source in sources
        .iter()
        .filter(|source| source.is("sql") && source.path.starts_with(MIGRATIONS))
    {
        let bare = Source {
            path: source.path.clone(),
            text: without_comments(&source.text),
        };
        for name in pattern
            .captures_iter(&bare.text)
            .filter_map(|found| found.get(1))
        {
            tables
                .entry(name.as_str().to_lowercase())
                .or_insert_with(|| (bare.path.clone(), bare.line_of(name.start())));
        }
    }
    Ok(tables)
}

/// Cuts each line at `--`, so that a comment creates nothing and the line numbers stay.
fn without_comments(text: &str) -> String {
    text.lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn undeclared(table: &str, (path, line): &(String, usize)) -> Finding {
    Finding::new(
        path,
        *line,
        format!(
            "table `{table}` has no class; add it to {LIST} as one of {}",
            CLASSES.join(", ")
        ),
    )
}

fn declared(
    list: &Source,
    created: &BTreeMap<String, (String, usize)>,
    table: &str,
    class: &Value,
) -> Option<Finding> {
    let line = list
        .lines()
        .find(|(_, text)| text.trim_start().starts_with(table))
        .map_or(1, |(number, _)| number);
    if !class.as_str().is_some_and(|class| CLASSES.contains(&class)) {
        return Some(Finding::new(
            LIST,
            line,
            format!(
                "`{table}` has the class {class}; write one of {}",
                CLASSES.join(", ")
            ),
        ));
    }
    let gone = format!("no migration creates `{table}`; take it out or correct its name");
    (!created.contains_key(table)).then(|| Finding::new(LIST, line, gone))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::sources::sample;

    fn caught(sql: &str, list: &str) -> Vec<String> {
        let sources = [
            sample("crates/store/migrations/sqlite/0001.sql", sql),
            sample(LIST, list),
        ];
        check(&sources)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn declared_tables_pass_whatever_the_spelling_of_create() {
        let sql = "CREATE TABLE if NOT exists orgs (id);\ncreate virtual table \"search\" using fts5(x);\n-- create table nothing (id)\n";
        assert!(caught(sql, "orgs = 'governed'\nsearch = 'projection'\n").is_empty());
    }

    #[test]
    fn an_undeclared_table_is_caught_where_it_is_created() {
        let found = caught("-- first\nCREATE TABLE agents (id);", "");
        assert!(
            found[0].starts_with(
                "crates/store/migrations/sqlite/0001.sql:2: table `agents` has no class"
            ),
            "{found:?}"
        );
    }

    #[test]
    fn a_wrong_class_and_a_table_that_is_gone_are_caught() {
        let found = caught(
            "CREATE TABLE orgs (id);",
            "orgs = 'important'\nghosts = 'log'\n",
        );
        assert_eq!(found.len(), 2, "{found:?}");
    }

    #[test]
    fn without_migrations_there_is_nothing_to_say() {
        assert!(check(&[]).unwrap().is_empty());
        assert_eq!(
            check(&[sample(
                "crates/store/migrations/1.sql",
                "create table a (b)"
            )])
            .unwrap()
            .len(),
            1
        );
    }
}
