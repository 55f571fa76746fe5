//! What commands print: a table for people, JSON or YAML for programs. Values come from elsewhere, so characters
//! that steer a terminal never reach one.

use serde_json::{Map, Value};
use std::{
    fmt::Write as _,
    io::{Write as _, stdout},
};

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Columns, or a line a field.
    #[default]
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

impl Format {
    /// By the name that `--output` takes.
    pub fn named(name: &str) -> Self {
        match name {
            "json" => Self::Json,
            "yaml" => Self::Yaml,
            _ => Self::Table,
        }
    }
    /// The answer in this form, ended by a line end unless it is empty.
    pub fn render(self, answer: &Value) -> String {
        match self {
            Self::Json => format!(
                "{}\n",
                steerless_json(&serde_json::to_string_pretty(answer).unwrap_or_default())
            ),
            Self::Yaml => yaml(answer),
            Self::Table => table(answer),
        }
    }
}

/// Prints a text as it is. A reader that went away is no failure.
pub fn print(text: &str) {
    let mut out = stdout().lock();
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether a character steers a terminal or the direction of text.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text that cannot steer a terminal.
pub fn steerless(text: &str) -> String {
    text.chars()
        .map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}

/// JSON says the same with the steering characters escaped; they occur only within its strings.
fn steerless_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if steers(c) && c != '\n' {
            let _infallible = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) => steerless(text),
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            items.iter().map(scalar).collect::<Vec<_>>().join(", ")
        }
        other => steerless(&other.to_string()),
    }
}

fn table(answer: &Value) -> String {
    let rows = match answer {
        Value::Object(page) => page.get("items").and_then(Value::as_array),
        Value::Array(rows) => Some(rows),
        _ => None,
    };
    match (rows, answer) {
        (Some(rows), _) => {
            let mut text = columns(rows);
            if let Some(cursor) = answer.get("next_cursor").and_then(Value::as_str) {
                let _infallible = writeln!(text, "more: --cursor {}", steerless(cursor));
            }
            text
        }
        (None, Value::Object(fields)) => lines(fields),
        (None, Value::Null) => String::new(),
        (None, other) => format!("{}\n", scalar(other)),
    }
}

fn lines(fields: &Map<String, Value>) -> String {
    let width = fields
        .keys()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    let line = |(name, value): (&String, &Value)| {
        format!("{:width$}  {}\n", steerless(name), scalar(value))
    };
    ordered(fields.keys())
        .into_iter()
        .filter_map(|name| fields.get_key_value(name))
        .map(line)
        .collect()
}

/// What names a thing comes first.
fn ordered<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
    const FIRST: [&str; 6] = ["id", "name", "email", "type", "state", "status"];
    let place = |name: &String| {
        FIRST
            .iter()
            .position(|first| first == name)
            .unwrap_or(FIRST.len())
    };
    let mut names: Vec<&String> = names.collect();
    names.sort_by_key(|name| place(name));
    names.dedup();
    names
}

fn columns(rows: &[Value]) -> String {
    let mut names: Vec<&String> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let names = ordered(names.into_iter().filter(|name| fits(rows, name)));
    if names.is_empty() {
        return rows
            .iter()
            .map(|row| format!("{}\n", scalar(row)))
            .collect();
    }
    let cell = |row: &Value, name: &String| {
        row.get(name)
            .map_or_else(|| "-".into(), |value| shortened(scalar(value)))
    };
    let heading = names
        .iter()
        .map(|name| steerless(name).to_uppercase())
        .collect();
    let body = rows
        .iter()
        .map(|row| names.iter().map(|name| cell(row, name)).collect());
    let all: Vec<Vec<String>> = std::iter::once(heading).chain(body).collect();
    let width = |at: usize| {
        all.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    all.iter().map(line).collect()
}

/// Whether a column has anything that is read in a table; objects are for JSON and YAML.
fn fits(rows: &[Value], name: &str) -> bool {
    let is_object = |item: &Value| item.is_object();
    let deep = |value: &Value| {
        is_object(value)
            || value
                .as_array()
                .is_some_and(|items| items.iter().any(is_object))
    };
    rows.iter()
        .filter_map(|row| row.get(name))
        .any(|value| !deep(value))
}

fn shortened(text: String) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn yaml(answer: &Value) -> String {
    let mut out = String::new();
    block(&mut out, answer, 0, false);
    out
}

/// Block style, with every scalar in its JSON form, which YAML 1.2 reads as the same value (chapter 1.2).
fn block(out: &mut String, value: &Value, depth: usize, nested: bool) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (at, (name, value)) in fields.iter().enumerate() {
                let lead = if nested && at == 0 {
                    ""
                } else {
                    indent.as_str()
                };
                let _infallible = write!(
                    out,
                    "{lead}{}:",
                    steerless_json(&Value::from(name.as_str()).to_string())
                );
                after(out, value, depth);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (at, item) in items.iter().enumerate() {
                let lead = if nested && at == 0 {
                    ""
                } else {
                    indent.as_str()
                };
                let _infallible = write!(out, "{lead}- ");
                block(out, item, depth + 1, true);
            }
        }
        plain => {
            let _infallible = writeln!(out, "{}", steerless_json(&plain.to_string()));
        }
    }
}

fn after(out: &mut String, value: &Value, depth: usize) {
    let empty =
        value.as_object().is_none_or(Map::is_empty) && value.as_array().is_none_or(Vec::is_empty);
    out.push(if empty { ' ' } else { '\n' });
    block(out, value, depth + 1, false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_that_steers_a_terminal_is_printed_in_any_form() {
        let hostile = "a\u{1b}[2Jb\u{9b}31mc\u{202e}d\re\u{7}";
        let answer = json!({ "items": [{ "id": "x", "name": hostile, hostile: [hostile] }], "next_cursor": hostile });
        for format in [Format::Table, Format::Json, Format::Yaml] {
            for text in [
                format.render(&answer),
                format.render(&json!({ "name": hostile })),
                format.render(&json!(hostile)),
            ] {
                let steering = text.chars().find(|c| steers(*c) && *c != '\n');
                assert_eq!(steering, None, "{format:?}: {text}");
            }
        }
    }

    #[test]
    fn json_reads_back_with_the_same_values() {
        let answer = json!({ "name": "a\u{9b}b\u{202e}", "list": [1, null, { "x": true }] });
        assert_eq!(
            serde_json::from_str::<Value>(&Format::Json.render(&answer)).unwrap(),
            answer
        );
    }

    #[test]
    fn a_list_is_a_table_and_a_thing_is_a_line_a_field() {
        let page = json!({ "items": [{ "state": "active", "id": "agt_1" }, { "id": "agt_22", "scopes": ["a", "b"] }], "next_cursor": "c1" });
        let expected =
            "ID      STATE   SCOPES\nagt_1   active  -\nagt_22  -       a, b\nmore: --cursor c1\n";
        assert_eq!(Format::Table.render(&page), expected);
        assert_eq!(
            Format::Table.render(&json!({ "zone": 1, "id": "x" })),
            "id    x\nzone  1\n"
        );
        assert_eq!(Format::Table.render(&json!({ "items": [] })), "");
        let deep = json!({ "items": [{ "id": "x", "actor": { "a": 1 } }] });
        assert_eq!(
            Format::Table.render(&deep),
            "ID\nx\n",
            "what does not fit a table is left to JSON"
        );
    }

    #[test]
    fn yaml_nests_by_indentation() {
        let answer = json!({ "a": { "b": [1, { "c": "x: y" }, []] }, "d": {}, "e": null });
        let expected =
            "\"a\":\n  \"b\":\n    - 1\n    - \"c\": \"x: y\"\n    - []\n\"d\": {}\n\"e\": null\n";
        assert_eq!(Format::Yaml.render(&answer), expected);
    }
}
