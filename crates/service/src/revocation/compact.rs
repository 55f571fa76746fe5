//! Forgetting revocations that deny nothing any more (REV-2), in chunks, each with an entry. Whatever a chunk denied is
//! denied for good by one mark that the same commit moves forward, so that no clock can bring it back.

use super::{forget, join};
use crate::{Act, Peer, Platform, Result, audit};
use domain::{Principal, RevocationCore, Stream};
use kernel::{Id, Org};
use serde_json::json;
use store::{Plan, Prepared, Refusal, Tx};

/// How many share a commit: the writer is never held for long.
const CHUNK: usize = 500;

/// Forgets what an organization's deny set need not hold any more; says how much.
///
/// # Errors
/// When the state cannot be proven current or the database does not answer.
pub(crate) async fn compact(platform: &Platform, org: Id<Org>) -> Result<usize> {
    let stream = Stream::org(org);
    let mut forgotten = 0;
    loop {
        let view = platform.node.view(org).await?;
        let due = view.org.forgettable(view.now, CHUNK);
        let Some(rev) = due.iter().map(|core| core.rev).max() else {
            return Ok(forgotten);
        };
        let act = Act::delete("revocations.compacted")
            .by(Principal::System, "schedule")
            .on_text("revocations", org.to_string())
            .after(json!({ "count": due.len(), "issued_before_rev": rev }));
        let entry = audit::prepare(platform, stream, None, &Peer::job(), act).await?;
        let write = move |tx: &mut Tx<'_>| take_away(tx, stream, &due, rev, &entry);
        let done = platform.node.commit(Plan::new(stream), write).await?;
        forgotten += done.value;
        if done.value == 0 {
            // Another node was faster; what it did reaches this one with the feed.
            return Ok(forgotten);
        }
    }
}

/// Everything that these revocations denied was decided before the last of them was written.
fn take_away(
    tx: &mut Tx<'_>,
    stream: Stream,
    due: &[RevocationCore],
    rev: u64,
    entry: &Prepared,
) -> Result<usize, Refusal> {
    let mut gone = 0;
    for core in due {
        gone += usize::from(forget(tx, stream, *core)?);
    }
    if gone > 0 {
        let mark = RevocationCore::mark(RevocationCore::EVERYTHING, RevocationCore::FOR_GOOD);
        join(tx, stream, RevocationCore { rev, ..mark })?;
        tx.entry(stream, entry.clone())?;
    }
    Ok(gone)
}
