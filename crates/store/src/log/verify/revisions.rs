//! Revisions of the state: each entry that changed state has the next one, and the feed of changes says the same
//! of the same entries. What the changes are is not looked at.

use super::{Fault, collect::Findings};
use std::collections::BTreeMap;

/// Compares the revisions of the rows, by number, with the feed's pairs of revision and number. A feed may begin
/// late; without one only the rows are looked at. Returns the last revision.
pub(super) fn compare(
    mut rows: Vec<(u64, u64)>,
    feed: Option<Vec<(u64, u64)>>,
    first: Option<u64>,
    passed_over: &BTreeMap<u64, u64>,
    findings: &mut Findings,
) -> u64 {
    rows.sort_unstable();
    let agreed = match feed {
        Some(feed) => join(&rows, feed, findings),
        None => rows,
    };
    gapless(&agreed, first, passed_over, findings)
}

/// Both by number. Where they differ the feed is told, and the rows are gone on from.
fn join(rows: &[(u64, u64)], feed: Vec<(u64, u64)>, findings: &mut Findings) -> Vec<(u64, u64)> {
    let mut fed: BTreeMap<u64, u64> = BTreeMap::new();
    for (rev, seq) in feed {
        if fed.insert(seq, rev).is_some() {
            let what = "two revisions are of one entry";
            findings.push(Fault::Feed { seq, what });
        }
    }
    let begin = fed.keys().next().copied().unwrap_or(u64::MAX);
    let mut agreed = Vec::with_capacity(rows.len());
    for (seq, rev) in rows.iter().copied() {
        let what = match fed.remove(&seq) {
            Some(same) if same == rev => None,
            Some(other) => {
                agreed.push((seq, other));
                findings.changed(seq, "state revision differs from the feed's");
                continue;
            }
            None => (seq >= begin).then_some("the entry changed state, but nothing is here"),
        };
        if let Some(what) = what {
            findings.push(Fault::Feed { seq, what });
        }
        agreed.push((seq, rev));
    }
    for (seq, rev) in fed {
        findings.changed(seq, "state revision is not there, but the feed has it");
        agreed.push((seq, rev));
    }
    agreed.sort_unstable();
    agreed
}

/// Every revision is one more than the one before, unless entries between them were not seen. Returns the last.
fn gapless(
    all: &[(u64, u64)],
    first: Option<u64>,
    passed_over: &BTreeMap<u64, u64>,
    findings: &mut Findings,
) -> u64 {
    let mut want = first;
    let mut seen = 0;
    for (at, (seq, rev)) in all.iter().copied().enumerate() {
        let unseen = passed_over.range(seen..seq).next().is_some();
        let expected = want.filter(|_| !unseen).unwrap_or(rev);
        let after = all.get(at.saturating_add(1)).map(|(_, rev)| *rev);
        if expected != rev {
            findings.changed(seq, "state revision is not the next");
        }
        want = Some(match (expected == rev, after) {
            (true, _) => rev.saturating_add(1),
            // The one after goes on as if this one were right, or were not there.
            (false, Some(after)) if after == expected => expected,
            (false, Some(after)) if after != expected.saturating_add(1) => rev.saturating_add(1),
            (false, _) => expected.saturating_add(1),
        });
        seen = seq;
    }
    want.map_or(0, |want| want.saturating_sub(1))
}
