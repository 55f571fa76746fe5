//! What an organization holds at a moment, in two numbers: the revision of its state, and how many entries of its
//! log tell of something other than an attempt or a reading. Equal numbers before and after mean nothing changed.

use crate::world::Api;
use service::OPERATIONS;
use std::collections::BTreeMap;

/// Types of entries that tell of attempts and readings, beside those that the registry names.
const ATTEMPTS: [&str; 8] = [
    "access.denied",
    "authentication.failed",
    "authentication.failures_counted",
    "client.authenticated",
    "dispatch.blocked",
    "setup.refused",
    "token.refused",
    "audit.read",
];

/// Two numbers of one organization; the second as a count of each type, so that a difference names itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heads {
    pub revision: u64,
    pub changes: BTreeMap<String, usize>,
}

/// Reads them with the token of somebody who may read the log.
pub async fn heads(api: &Api) -> Heads {
    let read: Vec<&str> = OPERATIONS
        .iter()
        .filter_map(|operation| operation.meta().records)
        .collect();
    let (mut changes, mut after) = (BTreeMap::new(), 0);
    loop {
        let page = api
            .get(&format!("/audit/events?limit=200&after={after}"))
            .await
            .ok();
        for item in page["items"].as_array().unwrap() {
            let kind = item["type"].as_str().unwrap();
            if !ATTEMPTS.contains(&kind) && !read.contains(&kind) {
                *changes.entry(kind.to_owned()).or_insert(0) += 1;
            }
        }
        match page["next_after"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    let answer = api.get("").await;
    let revision = answer
        .response
        .header("cardea-revision")
        .unwrap()
        .parse()
        .unwrap();
    Heads { revision, changes }
}
