//! The end of a verification: the tree against every signed size, the head and the feed against the rows, and the
//! report. A signature that covers more than was found is what gives a shortened log away.

use super::{
    Claims, Fault, Report, Verifier,
    claims::Claim,
    finding::range,
    keys::{Handed, Keys},
    revisions,
};
use crate::log::{FIRST_PREVIOUS, Frontier, note};
use domain::Stream;

/// The row that says where a stream stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeadRow {
    /// The number of the last entry.
    pub seq: u64,
    /// The hash of the last entry.
    pub hash: [u8; 32],
    /// The time of the last entry, microseconds since 1970, UTC.
    pub time: i64,
    /// The right edge of the tree, as `Frontier::to_bytes` writes it.
    pub frontier: Vec<u8>,
    /// The last revision of the state.
    pub state_rev: u64,
}

/// What the rows are held against.
#[derive(Clone, Debug)]
pub struct Against<'a> {
    /// The stream's head, which a database has and an export has not.
    pub head: Option<HeadRow>,
    /// The signatures.
    pub claims: &'a Claims,
    /// The feed's pairs of revision and entry number, if there is a feed.
    pub feed: Option<Vec<(u64, u64)>>,
}

impl Verifier {
    /// Holds what was read against head, signatures and feed.
    pub fn finish(mut self, against: Against<'_>) -> Report {
        let keys = self.keys(against.claims);
        let stream = Stream::from_bytes(self.stream);
        let later = against.claims.opened_again(stream, &keys.all);
        let mut claims = against.claims.of(self.stream);
        claims.extend(later.of(self.stream));
        claims.sort_by_key(|claim| claim.size);
        let found = self.next - 1;
        let last = self.last(against.head.as_ref(), &claims);
        self.settle(Some(last).filter(|_| found > 0));
        self.told_holes(found);
        let known = against.claims.findings(self.stream);
        for finding in known
            .chain(later.findings(self.stream))
            .chain(later.unopened(self.stream))
        {
            self.findings.push(finding.fault.clone());
        }
        let signed = against.claims.signed(stream).chain(later.signed(stream));
        for fault in signed.filter_map(|signed| keys.after_its_end(signed)) {
            self.findings.push(fault);
        }
        if let Some(manifest) = self.manifest.take() {
            let fault = manifest.fault(stream, &keys);
            fault
                .into_iter()
                .for_each(|fault| self.findings.push(fault));
        }
        let tree = self.tree(&claims);
        let signed = claims.last().map_or(0, |claim| claim.size);
        if signed > found {
            self.findings.push(Fault::Truncated {
                size_signed: signed,
                size_found: found,
            });
        }
        let head = self.head(against.head.as_ref(), &tree.frontier, last);
        self.state(against.feed, head);
        let (findings, further) = self.findings.finish();
        Report {
            stream: Stream::from_bytes(self.stream),
            entries: self.entries,
            checkpoints: tree.right,
            head: last,
            root: tree.frontier.root(),
            after_last_checkpoint: found.saturating_sub(tree.covered),
            anchored_size: tree.anchored.unwrap_or(0),
            anchored: tree.anchored.is_some(),
            findings,
            further,
        }
    }

    /// The log's keys: those at hand, and those that the entries tell of.
    fn keys(&mut self, claims: &Claims) -> Keys {
        let stream = Stream::from_bytes(self.stream);
        let handed: Vec<Handed> = std::mem::take(&mut self.handovers)
            .into_iter()
            .map(Handed::read)
            .collect();
        let mut keys = Keys::at_hand(claims, stream, &handed);
        let pinned = !keys.all.is_empty();
        for handed in handed {
            if keys.follow(&handed) {
                continue;
            }
            if pinned {
                let what = "the log's key before it did not sign the one that it names";
                self.findings.changed(handed.seq, what);
            } else {
                let name = note::origin(stream);
                self.findings.push(Fault::MissingKey { name });
            }
        }
        keys
    }

    /// The hash of the last entry: of those it may be, the one that somebody else knows.
    fn last(&self, head: Option<&HeadRow>, claims: &[Claim]) -> [u8; 32] {
        let size = self.next - 1;
        let signed = claims.iter().filter(|claim| claim.size == size);
        let known = signed
            .map(|claim| claim.chain)
            .chain(head.map(|head| head.hash));
        let stored = self.before.first().copied().unwrap_or(FIRST_PREVIOUS);
        known
            .into_iter()
            .find(|hash| self.before.contains(hash))
            .unwrap_or(stored)
    }

    fn told_holes(&mut self, found: u64) {
        let export = self.options.span;
        let after = export.and_then(|(_, to)| range(self.next, to));
        if export.is_some_and(|(_, to)| found > to) {
            let what = "the export holds more than it says";
            self.findings.push(Fault::HeadMismatch { what });
        }
        for (from, to) in self
            .holes
            .iter()
            .map(|(from, to)| (*from, *to))
            .chain(after)
        {
            self.findings.push(match export {
                Some(_) => Fault::Hole { from, to },
                None => Fault::Missing { from, to },
            });
        }
    }

    /// Grows the tree and stops at every signed size. After the first that is wrong the later ones must be, too.
    fn tree(&mut self, claims: &[Claim]) -> Tree {
        let mut tree = Tree::default();
        let mut claims = claims.iter().peekable();
        let mut chain = FIRST_PREVIOUS;
        for leaf in std::iter::once(None).chain(self.leaves.iter().map(Some)) {
            if let Some(leaf) = leaf {
                tree.frontier.push(leaf);
                chain = *leaf;
            }
            let size = tree.frontier.size();
            while let Some(claim) = claims.next_if(|claim| claim.size == size) {
                if let Some(fault) = tree.meet(claim, chain) {
                    self.findings.push(fault);
                }
            }
        }
        tree
    }

    fn head(&mut self, head: Option<&HeadRow>, tree: &Frontier, last: [u8; 32]) -> Option<u64> {
        let head = head?;
        let found = self.next - 1;
        let same_size = head.seq == found;
        let timed = self.time.is_none_or(|time| head.time == time);
        let edge = !self.solid || head.frontier == tree.to_bytes();
        let checks = [
            (
                same_size,
                "it names another number of entries than there are",
            ),
            (
                !same_size || head.hash == last,
                "its hash is not the last entry's",
            ),
            (!same_size || timed, "its time is not the last entry's"),
            (!same_size || edge, "its tree is not that of the entries"),
        ];
        for (_, what) in checks.into_iter().filter(|(right, _)| !right) {
            self.findings.push(Fault::HeadMismatch { what });
        }
        same_size.then_some(head.state_rev)
    }

    fn state(&mut self, feed: Option<Vec<(u64, u64)>>, head: Option<u64>) {
        if !self.options.deep {
            return;
        }
        let whole = self.options.span.is_none_or(|(from, _)| from <= 1);
        let last = revisions::compare(
            std::mem::take(&mut self.revisions),
            feed,
            whole.then_some(1),
            &self.holes,
            &mut self.findings,
        );
        if head.is_some_and(|head| head != last) {
            let what = "its state revision is not the last entry's";
            self.findings.push(Fault::HeadMismatch { what });
        }
    }
}

/// The tree so far and what bore it out.
#[derive(Default)]
struct Tree {
    frontier: Frontier,
    right: u64,
    covered: u64,
    anchored: Option<u64>,
    wrong: bool,
}

impl Tree {
    fn meet(&mut self, claim: &Claim, chain: [u8; 32]) -> Option<Fault> {
        if claim.root == self.frontier.root() && claim.chain == chain {
            self.right += 1;
            self.covered = claim.size;
            self.anchored = claim.anchor.then_some(claim.size).or(self.anchored);
            return None;
        }
        let told = std::mem::replace(&mut self.wrong, true);
        let why = format!(
            "not what was signed; the change is after entry {}",
            self.covered
        );
        (!told).then_some(Fault::BadCheckpoint {
            size: Some(claim.size),
            why,
        })
    }
}
