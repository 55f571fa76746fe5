//! Reading entries in their order, with place, hashes and personal values opened. The reading is itself an entry,
//! durable before the answer leaves (AUD-9).

use super::open;
use crate::{
    Cx, Error, Result,
    operation::{Meta, Operation, Target},
    sealing::hex,
};
use domain::Permission;
use live::View;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{EventQuery, EventRow};

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
}

/// Entries of the log, oldest first.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    /// Each entry's body with `tenant_id`, `sequence`, `prev_hash` and `hash` (hexadecimal).
    items: Vec<Value>,
    /// What to send as `after` for more; absent when there was no more.
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
        let query = EventQuery {
            after_seq: input.after.unwrap_or(0),
            limit: limit + 1,
            kind: input.kind,
            actor: input.actor,
            resource: input.resource,
            ..EventQuery::default()
        };
        let mut rows = cx
            .platform
            .store
            .read(stream, move |reader| reader.events(stream, &query))
            .await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_after = rows.last().filter(|_| more).map(|row| row.seq);
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            items.push(shown(cx, &row).await?);
        }
        Ok(Output { items, next_after })
    }
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
