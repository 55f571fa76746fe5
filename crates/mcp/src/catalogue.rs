//! The tools, made once from the registry in its order: names, schemas, descriptions and hints are the build's own
//! and carry nothing of any organization (MCP-10). Hints are hints; what may be done is decided at each call.

use crate::{arguments, schema};
use rmcp::model::{Tool, ToolAnnotations};
use service::{Erased, Meta, Method};
use std::sync::Arc;

/// Verbs that take something away from somebody.
const DESTRUCTIVE: [&str; 10] = [
    "cancel",
    "deactivate",
    "delete",
    "end",
    "kill",
    "leave",
    "remove",
    "revoke",
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

/// By the words of the operation's name, such as `agents.revoke`.
fn is_destructive(meta: &Meta) -> bool {
    let mut words = meta.name.split(['.', '_', '-']);
    meta.method == Method::Delete
        || (!meta.is_read() && words.any(|word| DESTRUCTIVE.contains(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hinted(name: &'static str, method: Method) -> (bool, bool, bool) {
        let hints = hints(&Meta {
            name,
            method,
            ..*service::OPERATIONS[0].meta()
        });
        let hint = |hint: Option<bool>| hint.unwrap();
        (
            hint(hints.read_only_hint),
            hint(hints.destructive_hint),
            hint(hints.idempotent_hint),
        )
    }

    #[test]
    fn hints_say_what_reads_what_takes_away_and_what_may_be_repeated() {
        assert_eq!(hinted("agents.list", Method::Get), (true, false, true));
        assert_eq!(
            hinted("agents.register", Method::Post),
            (false, false, false)
        );
        assert_eq!(hinted("agents.update", Method::Patch), (false, false, true));
        assert_eq!(hinted("agents.revoke", Method::Post), (false, true, true));
        assert_eq!(
            hinted("kill_switches.set", Method::Put),
            (false, true, true)
        );
        assert_eq!(
            hinted("assignments.drop", Method::Delete),
            (false, true, true)
        );
    }
}
