//! The documentation holds what the code says: tables are printed from it, samples are the files that tests run, and
//! links lead somewhere. `UPDATE=1` writes the tables anew.

use domain::Permission;
use kernel::{Code, code::Retry, limits};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

const LONGEST: usize = 150;

fn pages() -> Vec<PathBuf> {
    let root = testkit::workspace();
    let docs = fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let top = [
        "README.md",
        "ARCHITECTURE.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
    ]
    .map(|name| root.join(name));
    docs.filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .chain(top)
        .collect()
}

/// Holds the text between two markers of a page against what it must be.
#[track_caller]
fn holds(page: &str, marker: &str, wanted: &str) {
    let path = testkit::workspace().join("docs").join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (
        format!("<!-- {marker} -->\n"),
        format!("<!-- /{marker} -->"),
    );
    let (before, rest) = text
        .split_once(&begin)
        .unwrap_or_else(|| panic!("{page} has no `{marker}`"));
    let (found, after) = rest.split_once(&end).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{begin}{wanted}{end}{after}")).unwrap();
    } else {
        assert_eq!(
            found, wanted,
            "run this test with UPDATE=1 to write {page} anew"
        );
    }
}

fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut text = format!("| {} |\n|{}\n", heading.join(" | "), " --- |".repeat(N));
    for row in rows {
        let _infallible = writeln!(text, "| {} |", row.join(" | "));
    }
    text
}

#[test]
fn the_table_of_error_codes() {
    let again = |code: &Code| match code.retry() {
        Retry::No => "no",
        Retry::Later => "later",
        Retry::AfterReading => "after reading",
    };
    let row = |code: &Code| {
        let meaning = code.meaning().trim_end_matches('.').to_owned();
        [
            format!("`{}`", code.as_str()),
            code.status().to_string(),
            again(code).to_owned(),
            meaning,
        ]
    };
    holds(
        "api.md",
        "codes",
        &table(
            ["code", "status", "again", "meaning"],
            Code::ALL.iter().map(row),
        ),
    );
}

#[test]
fn the_table_of_limits() {
    let row = |(name, value, meaning): (String, String, &str)| {
        let meaning = meaning.trim_end_matches('.').to_owned();
        [format!("`{name}`"), value, meaning]
    };
    holds(
        "limits.md",
        "limits",
        &table(
            ["limit", "value", "meaning"],
            limits::table().into_iter().map(row),
        ),
    );
}

#[test]
fn the_table_of_permissions() {
    let row = |permission: &Permission| {
        [
            format!("`{}`", permission.as_str()),
            permission.description().to_owned(),
        ]
    };
    holds(
        "concepts.md",
        "permissions",
        &table(
            ["permission", "lets its holder"],
            Permission::ALL.iter().map(row),
        ),
    );
}

#[test]
fn the_sample_verifier_is_the_one_that_is_tested() {
    let source = fs::read_to_string(testkit::workspace().join("interop/verify_token.py")).unwrap();
    let (sample, _) = source.split_once("\n\nif __name__").unwrap();
    holds(
        "agents.md",
        "verify",
        &format!("```python\n{}\n```\n", sample.trim_end()),
    );
}

#[test]
fn the_sample_configuration_is_read() {
    let page = fs::read_to_string(testkit::workspace().join("docs/operations.md")).unwrap();
    let sample = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let read = cardea::config::File::parse(sample)
        .map_err(|problem| problem.to_string())
        .unwrap();
    assert!(read.keys.instance_file.is_some() && !read.proxy.trusted.is_empty());
}

#[test]
fn links_lead_somewhere_and_pages_are_short() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        let is_short = text.lines().count() <= LONGEST || !page.parent().unwrap().ends_with("docs");
        assert!(
            is_short,
            "{} is longer than {LONGEST} lines",
            page.display()
        );
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = link.split('#').next().unwrap();
            let elsewhere = file.is_empty() || link.starts_with("http");
            assert!(
                elsewhere || is_there(&page, file),
                "{}: `{link}` leads nowhere",
                page.display()
            );
        }
    }
}

fn is_there(page: &Path, file: &str) -> bool {
    page.parent().unwrap().join(file).exists()
}
