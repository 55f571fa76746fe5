//! Decisions that wait to be entered in the log: bounded in number and bytes, each text cut and without credentials, and
//! the room shared among organizations, so that none crowds out another. What finds no room is counted.

use crate::redact::redact;
use domain::Principal;
use kernel::{
    Id, Org, Timestamp,
    limits::{DECISIONS_PER_ENTRY, DECISIONS_WAITING, DECISIONS_WAITING_BYTES},
};
use metrics::Counter;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

const LOST: &str = "cardea_decisions_unrecorded_total";
/// Decisions that are taken at a time.
pub(super) const TAKEN: usize = 16 * DECISIONS_PER_ENTRY;
/// Characters of one text that the log tells.
const TEXT_CHARS: usize = 256;

/// Who asked, and by what sort of credential.
pub(super) type By = (Principal, &'static str);

/// One decision as the log tells of it.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub org: Id<Org>,
    /// Who asked.
    pub by: By,
    pub at: Timestamp,
    /// The person or agent, where the organization knows one.
    pub principal: Option<String>,
    /// As it was asked about.
    pub subject: (String, String),
    pub action: String,
    pub resource: (String, String),
    pub permit: bool,
    pub reason: &'static str,
    pub revision: u64,
}

impl Made {
    fn bounded(self) -> Self {
        let both = |(of, id)| (bounded(of), bounded(id));
        Self {
            subject: both(self.subject),
            action: bounded(self.action),
            resource: both(self.resource),
            ..self
        }
    }

    fn bytes(&self) -> usize {
        let texts = [
            &self.subject.0,
            &self.subject.1,
            &self.action,
            &self.resource.0,
            &self.resource.1,
        ];
        size_of::<Self>() + texts.map(String::len).iter().sum::<usize>()
    }
}

/// Decisions that no entry tells of yet.
pub struct Journal {
    waiting: Mutex<Waiting>,
    /// Held by whoever writes, until it is written.
    pub(super) writing: tokio::sync::Mutex<()>,
    losses: OnceLock<Counter>,
}

/// Space: so many decisions, of so many bytes.
#[derive(Clone, Copy, Default)]
struct Space {
    count: usize,
    bytes: usize,
}

impl Space {
    /// Whether both are within a share of the whole, in quarters.
    const fn within(self, quarters: usize, whole: Self) -> bool {
        self.count * 4 <= whole.count * quarters && self.bytes * 4 <= whole.bytes * quarters
    }
    const fn and(self, bytes: usize) -> Self {
        Self {
            count: self.count + 1,
            bytes: self.bytes + bytes,
        }
    }
    const fn without(self, bytes: usize) -> Self {
        Self {
            count: self.count.saturating_sub(1),
            bytes: self.bytes.saturating_sub(bytes),
        }
    }
}

/// What waits, and what found no room.
struct Waiting {
    whole: Space,
    queue: VecDeque<Made>,
    taken: Space,
    /// What each organization takes of it.
    shares: HashMap<Id<Org>, Space>,
    lost: HashMap<Id<Org>, u64>,
}

impl Waiting {
    /// One organization takes a quarter while others wait, and leaves a quarter to them while none does.
    fn has_room(&self, org: Id<Org>, bytes: usize) -> bool {
        let share = self.shares.get(&org).copied().unwrap_or_default();
        let quarters = match share.count == self.taken.count {
            true => 3,
            false => 1,
        };
        share.and(bytes).within(quarters, self.whole) && self.taken.and(bytes).within(4, self.whole)
    }

    fn put(&mut self, made: Made) {
        let bytes = made.bytes();
        let share = self.shares.entry(made.org).or_default();
        *share = share.and(bytes);
        self.taken = self.taken.and(bytes);
        self.queue.push_back(made);
    }

    fn next(&mut self) -> Option<Made> {
        let made = self.queue.pop_front()?;
        let bytes = made.bytes();
        self.taken = self.taken.without(bytes);
        if let Some(share) = self.shares.get_mut(&made.org) {
            *share = share.without(bytes);
            if share.count == 0 {
                self.shares.remove(&made.org);
            }
        }
        Some(made)
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::holding(Space {
            count: DECISIONS_WAITING,
            bytes: DECISIONS_WAITING_BYTES,
        })
    }
}

impl Journal {
    fn holding(whole: Space) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                whole,
                queue: VecDeque::new(),
                taken: Space::default(),
                shares: HashMap::new(),
                lost: HashMap::new(),
            }),
            writing: tokio::sync::Mutex::default(),
            losses: OnceLock::new(),
        }
    }

    /// Takes in a decision, or counts it as lost.
    pub(super) fn put(&self, made: Made) {
        let (losses, made) = (self.losses(), made.bounded());
        let mut waiting = self.waiting();
        if waiting.has_room(made.org, made.bytes()) {
            waiting.put(made);
        } else {
            *waiting.lost.entry(made.org).or_default() += 1;
            losses.increment(1);
        }
    }

    pub(super) fn losses(&self) -> &Counter {
        self.losses.get_or_init(|| {
            let says = "Decisions of which no entry of the log tells, because too many waited or it could not be written.";
            metrics::describe_counter!(LOST, says);
            metrics::counter!(LOST)
        })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some of what waits, and everything that was lost.
    pub(super) fn take(&self) -> (Vec<Made>, HashMap<Id<Org>, u64>) {
        let mut waiting = self.waiting();
        let taken = std::iter::from_fn(|| waiting.next()).take(TAKEN).collect();
        (taken, std::mem::take(&mut waiting.lost))
    }

    /// No entry tells of so many; the next one of the organization says so.
    pub(super) fn lose(&self, org: Id<Org>, count: u64) {
        *self.waiting().lost.entry(org).or_default() += count;
    }
}

/// A text as the log tells it: without what looks like a credential, and cut.
fn bounded(text: String) -> String {
    let text = redact(&text).unwrap_or(text);
    let Some((end, _)) = text.char_indices().nth(TEXT_CHARS) else {
        return text;
    };
    let (kept, cut) = text.split_at(end);
    // Half an address does not look like one any more.
    let kept = if cut.contains('@') { "" } else { kept };
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(org: u8) -> Made {
        let nothing = || (String::new(), String::new());
        Made {
            org: Id::from_bytes([org; 16]),
            by: (Principal::System, "job"),
            at: Timestamp::from_seconds(0),
            principal: None,
            subject: nothing(),
            action: String::new(),
            resource: nothing(),
            permit: false,
            reason: "no_permit",
            revision: 0,
        }
    }

    fn space(count: usize, bytes: usize) -> Space {
        Space { count, bytes }
    }

    #[test]
    fn what_finds_no_room_is_counted_for_its_organization() {
        let journal = Journal::holding(space(16, 1_024 * 1_024));
        let put = |org: u8, times: usize| (0..times).for_each(|_| journal.put(made(org)));
        put(1, 20);
        put(2, 6);
        put(1, 1);
        let (taken, lost) = journal.take();
        let of = |org: u8| taken.iter().filter(|one| one.org == made(org).org).count();
        assert_eq!(
            (of(1), of(2)),
            (12, 4),
            "three quarters alone, a quarter beside others"
        );
        assert_eq!(lost, [(made(1).org, 9), (made(2).org, 2)].into());
        let waiting = journal.waiting();
        assert_eq!((waiting.taken.count, waiting.taken.bytes), (0, 0));
        assert!(waiting.shares.is_empty());
        drop(waiting);
        put(2, 1);
        put(1, 6);
        let (taken, lost) = journal.take();
        assert_eq!((taken.len(), lost), (5, [(made(1).org, 2)].into()));
    }

    #[test]
    fn what_waits_takes_no_more_memory_than_it_may() {
        let one = made(1).bytes() + 100;
        let journal = Journal::holding(space(1_000, 8 * one));
        for _ in 0..100 {
            let action = "x".repeat(100);
            journal.put(Made { action, ..made(1) });
        }
        let (taken, lost) = journal.take();
        assert_eq!((taken.len(), lost), (6, [(made(1).org, 94)].into()));
    }

    #[test]
    fn texts_are_cut_and_hold_no_credential() {
        let secret = "cda_abcdefgh_5EPZvmVSsSyY4kPL-QE4MOpDcVUcBurD8bnQPeVC_wE_2D1AYA";
        assert_eq!(bounded(secret.into()), "cda_…");
        let long = "ü".repeat(1_024);
        assert_eq!(bounded(long), "ü".repeat(TEXT_CHARS) + "…");
        let across = "x".repeat(TEXT_CHARS - 20);
        assert_eq!(
            bounded(format!("{across} {secret}")),
            format!("{across} cda_…")
        );
        let address = format!("{}ada@acme.example", "x".repeat(TEXT_CHARS));
        assert_eq!(bounded(address), "…");
        assert_eq!(bounded("orders".into()), "orders");
    }
}
