//! The tools, made once from the registry in its order: names, schemas, descriptions and hints are the build's own
//! and carry nothing of any organization (MCP-10). Hints are hints; what may be done is decided at each call.

use crate::{arguments, schema};
use rmcp::model::{Tool, ToolAnnotations};
use service::{Erased, Meta, Method};
use std::sync::Arc;

/// Verbs that take something away from somebody.
const DESTRUCTIVE: [&str; 9] = [
    "cancel",
    "deactivate",
    "delete",
    "end",
    "remove",
    "revoke",
    "set-kill-switch",
    "suspend",
    "terminate",
];

/// An operation as a tool.
pub struct Entry {
    /// The operation.
    pub operation: &'static dyn Erased,
    /// What is listed.
    pub tool: Tool,
    /// The common arguments it takes.
    pub offered: Vec<&'static str>,
}

/// Every tool of these operations, in their order. An operation without a tool's name is none, as when it answers
/// a secret (MCP-6).
pub fn of(operations: &[&'static dyn Erased]) -> Vec<Entry> {
    operations
        .iter()
        .filter_map(|operation| entry(*operation))
        .collect()
}

fn entry(operation: &'static dyn Erased) -> Option<Entry> {
    let meta = operation.meta();
    let mut input = schema::input(operation.input_schema().to_value());
    let offered = arguments::offer(meta, &mut input);
    let tool = Tool::new(meta.tool?, meta.summary, Arc::new(input))
        .with_raw_output_schema(Arc::new(schema::output(
            operation.output_schema().to_value(),
        )))
        .with_annotations(hints(meta));
    Some(Entry {
        operation,
        tool,
        offered,
    })
}

fn hints(meta: &Meta) -> ToolAnnotations {
    let destructive = is_destructive(meta);
    ToolAnnotations::new()
        .read_only(meta.is_read())
        .destructive(destructive)
        // Taking away twice takes away once; making twice makes two.
        .idempotent(meta.method != Method::Post || destructive)
        .open_world(false)
}

fn is_destructive(meta: &Meta) -> bool {
    let verb = meta.name.rsplit('.').next().unwrap_or_default();
    let takes_away = |word: &&str| verb.split(['_', '-']).next() == Some(word) || verb == *word;
    meta.method == Method::Delete || (!meta.is_read() && DESTRUCTIVE.iter().any(takes_away))
}
