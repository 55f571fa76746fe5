//! Reading entries in their order, all or those that are looked for, with place, hashes and personal values opened. The
//! reading is itself an entry, durable before the answer leaves (AUD-9).

use super::open;
use crate::{
    Cx, Error, Result,
    operation::{Meta, Operation, Target},
    sealing::hex,
};
use domain::Permission;
use kernel::{Agent, Id, Timestamp, limit, limits};
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{EventRow, Search, Words};

/// Reads entries of the log.
pub struct ListEvents;

/// What it takes.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Only entries after this sequence number.
    #[serde(default)]
    after: Option<u64>,
    /// Most items wanted, 1 to 200.
    #[serde(default)]
    limit: Option<usize>,
    /// Only entries of this type, such as `agent.registered`.
    #[serde(default, rename = "type")]
    kind: Option<String>,
    /// Only entries of this actor.
    #[serde(default)]
    actor: Option<String>,
    /// Only entries about this resource.
    #[serde(default)]
    resource: Option<String>,
    /// Only tokens that were issued to this agent.
    #[serde(default)]
    agent: Option<Id<Agent>>,
    /// Only entries of this time and later.
    #[serde(default)]
    since: Option<Timestamp>,
    /// Only entries before this time.
    #[serde(default)]
    until: Option<Timestamp>,
    /// Only entries in whose clear values every word of this text occurs, in upper or lower case. Sealed values and
    /// times have no words.
    #[serde(default)]
    text: Option<String>,
}

/// Entries of the log, oldest first.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Each entry's body with `tenant_id`, `sequence`, `prev_hash` and `hash` (hexadecimal).
    items: Vec<Value>,
    /// What to send as `after` for more; absent when there was no more. One request looks through so many entries and no
    /// more, so that a page may be short, or empty, and name this.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_after: Option<u64>,
}

impl Operation for ListEvents {
    const META: Meta = Meta {
        summary: "Read entries of the log",
        tool: Some("list-audit-events"),
        command: "audit events",
        records: Some("audit.read"),
        ..Meta::read(
            "audit.events",
            "/orgs/{org}/audit/events",
            Permission::AuditRead,
        )
    };
    type Input = Input;
    type Output = Output;

    fn target(_: &Input, _: &View, _: &Cx) -> Result<Target> {
        Ok(Target::Organization)
    }

    async fn run(cx: &Cx, input: Input) -> Result<Output> {
        let (stream, limit) = (cx.stream()?, limit(input.limit)?);
        let search = input.search(limit + 1)?;
        let read = move |reader: &mut store::Reader<'_>| reader.search(stream, &search);
        let mut found = cx.platform.store.read(stream, read).await?;
        let more = found.rows.len() > limit;
        found.rows.truncate(limit);
        let next_after = match found.rows.last() {
            Some(row) if more => Some(row.seq),
            _ => found.stopped,
        };
        let mut items = Vec::with_capacity(found.rows.len());
        for row in found.rows {
            items.push(shown(cx, &row).await?);
        }
        Ok(Output { items, next_after })
    }
}

impl Input {
    fn search(self, limit: usize) -> Result<Search> {
        let filters = [
            ("type", &self.kind),
            ("actor", &self.actor),
            ("resource", &self.resource),
            ("text", &self.text),
        ];
        for (field, text) in filters {
            text.as_deref().map_or(Ok(()), |text| sound(field, text))?;
        }
        Ok(Search {
            after_seq: self.after.unwrap_or(0),
            limit,
            kind: self.kind,
            actor: self.actor,
            resource: self.resource,
            agent: self.agent,
            since: self.since,
            until: self.until,
            words: self.text.as_deref().map(words).transpose()?,
        })
    }
}

fn sound(field: &str, text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(Error::invalid(field, "must not hold control characters"));
    }
    if text.chars().count() > limits::NAME_CHARS {
        let detail = format!("must have at most {} characters", limits::NAME_CHARS);
        return Err(Error::invalid(field, detail).at(limit!(NAME_CHARS)));
    }
    Ok(())
}

fn words(text: &str) -> Result<Words> {
    let none = || Error::invalid("text", "has no word to look for; give letters or digits");
    let words = Words::of(text).ok_or_else(none)?;
    if words.count() > limits::SEARCH_WORDS {
        let detail = format!("must have at most {} words", limits::SEARCH_WORDS);
        return Err(Error::invalid("text", detail).at(limit!(SEARCH_WORDS)));
    }
    Ok(words)
}

fn limit(wanted: Option<usize>) -> Result<usize> {
    let page = crate::PageQuery {
        limit: wanted,
        ..crate::PageQuery::default()
    };
    page.limit()
}

async fn shown(cx: &Cx, row: &EventRow) -> Result<Value> {
    let mut body: Value = serde_json::from_slice(&row.body).map_err(Error::internal)?;
    open::personal(cx, row.stream, &mut body).await?;
    let place = json!({
        "tenant_id": row.stream.to_string(), "sequence": row.seq,
        "prev_hash": hex(&row.prev_hash), "hash": hex(&row.hash),
    });
    if let (Value::Object(body), Value::Object(place)) = (&mut body, place) {
        body.extend(place);
    }
    Ok(body)
}
