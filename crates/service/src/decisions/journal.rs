//! The decision log: every decision becomes part of an entry of its organization's log. A decision waits for nothing
//! and is not held up by the log: it is put into a bounded queue, and whoever writes takes many at a time. What finds no
//! room, or cannot be written, is counted, and the next entry of the organization says how many there were.

use crate::{Act, Error, Peer, Platform, Result, audit};
use domain::{Principal, Stream};
use futures::future::join_all;
use kernel::{
    Id, Org, Timestamp,
    limits::{DECISIONS_PER_ENTRY, DECISIONS_WAITING, DECISIONS_WAITING_BYTES},
};
use metrics::Counter;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use store::Record;
use tokio::{sync::mpsc, time::MissedTickBehavior};

const LOST: &str = "cardea_decisions_unrecorded_total";
const EVERY: Duration = Duration::from_millis(200);
/// Decisions that are taken at a time.
const TAKEN: usize = 16 * DECISIONS_PER_ENTRY;

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
    put: mpsc::Sender<Made>,
    /// Held by whoever writes, until it is written.
    waiting: tokio::sync::Mutex<mpsc::Receiver<Made>>,
    /// What those that wait take in memory.
    bytes: AtomicUsize,
    /// How many were lost; looked at only when one is, and by whoever writes.
    lost: Mutex<HashMap<Id<Org>, u64>>,
    losses: OnceLock<Counter>,
}

impl Default for Journal {
    fn default() -> Self {
        Self::holding(DECISIONS_WAITING)
    }
}

impl Journal {
    fn holding(most: usize) -> Self {
        let (put, waiting) = mpsc::channel(most);
        Self {
            put,
            waiting: tokio::sync::Mutex::new(waiting),
            bytes: AtomicUsize::new(0),
            lost: Mutex::default(),
            losses: OnceLock::new(),
        }
    }

    /// Takes in a decision, or counts it as lost.
    pub(super) fn put(&self, made: Made) {
        let (losses, org, bytes) = (self.losses(), made.org, made.bytes());
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = before + bytes <= DECISIONS_WAITING_BYTES;
        if !room || self.put.try_send(made).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            losses.increment(1);
            self.lose(org, 1);
        }
    }

    fn losses(&self) -> &Counter {
        self.losses.get_or_init(|| {
            let says = "Decisions of which no entry of the log tells, because too many waited or it could not be written.";
            metrics::describe_counter!(LOST, says);
            metrics::counter!(LOST)
        })
    }

    fn lost(&self) -> MutexGuard<'_, HashMap<Id<Org>, u64>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, waiting: &mut mpsc::Receiver<Made>) -> Vec<Made> {
        let mut taken = Vec::new();
        while taken.len() < TAKEN
            && let Ok(made) = waiting.try_recv()
        {
            self.bytes.fetch_sub(made.bytes(), Ordering::Relaxed);
            taken.push(made);
        }
        taken
    }

    /// No entry tells of so many; the next one of the organization says so.
    fn lose(&self, org: Id<Org>, count: u64) {
        *self.lost().entry(org).or_default() += count;
    }
}

/// Writes for as long as the task lives. What was begun is finished by a task of its own.
pub async fn enter_decisions(platform: Arc<Platform>) {
    let mut every = tokio::time::interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        let platform = platform.clone();
        let written = tokio::spawn(async move { write_decisions(&platform).await });
        if let Err(error) = written.await {
            tracing::error!(%error, "writing of decisions ended; it is begun again");
        }
    }
}

/// Writes entries about every decision that waits now, and about what was lost. It ends when it has written them, or
/// could not: what could not be written is lost, and counted.
pub async fn write_decisions(platform: &Platform) {
    let mut waiting = platform.journal.waiting.lock().await;
    loop {
        let taken = platform.journal.take(&mut waiting);
        let last = taken.len() < TAKEN;
        let lost = std::mem::take(&mut *platform.journal.lost());
        let mut all: BTreeMap<Id<Org>, OfOrganization> = BTreeMap::new();
        for made in taken {
            let of = all.entry(made.org).or_default();
            of.made.entry(made.by).or_default().push(made);
        }
        for (org, count) in lost {
            all.entry(org).or_default().dropped = count;
        }
        join_all(all.into_iter().map(|(org, of)| of.write(platform, org))).await;
        if last {
            return;
        }
    }
}

/// What is to be told in the log of one organization.
#[derive(Default)]
struct OfOrganization {
    made: BTreeMap<By, Vec<Made>>,
    dropped: u64,
}

impl OfOrganization {
    /// One entry after the other, so that a caller's decisions are in the log in their order.
    async fn write(mut self, platform: &Platform, org: Id<Org>) {
        for (by, all) in &self.made {
            for some in all.chunks(DECISIONS_PER_ENTRY) {
                let dropped = std::mem::take(&mut self.dropped);
                write(platform, org, *by, some, dropped).await;
            }
        }
        if self.dropped > 0 {
            let by = (Principal::System, "job");
            write(platform, org, by, &[], self.dropped).await;
        }
    }
}

async fn write(platform: &Platform, org: Id<Org>, by: By, some: &[Made], dropped: u64) {
    if let Err(error) = entered(platform, org, by, some, dropped).await {
        let (count, journal) = (some.len() as u64, &platform.journal);
        tracing::error!(%error, count, "decisions could not be entered in the log");
        journal.losses().increment(count);
        journal.lose(org, count + dropped);
    }
}

async fn entered(
    platform: &Platform,
    org: Id<Org>,
    by: By,
    some: &[Made],
    dropped: u64,
) -> Result<()> {
    let stream = Stream::org(org);
    let mut decisions = Vec::with_capacity(some.len());
    for made in some {
        decisions.push(told(platform, stream, made).await?);
    }
    let act = Act::read("decisions.made")
        .by(by.0, by.1)
        .after(json!({ "count": some.len(), "dropped": dropped, "decisions": decisions }));
    let peer = Peer {
        request_id: "counted".into(),
        door: "authzen",
        ..Peer::default()
    };
    let entry = audit::prepare(platform, stream, None, &peer, act).await?;
    let record = Record {
        stream,
        entry,
        decided_at: None,
        once: None,
    };
    platform.store.record(record).await.map_err(Error::from)?;
    Ok(())
}

/// One decision. The address by which a person was named is not told where the person is known, and else it is sealed.
async fn told(platform: &Platform, stream: Stream, made: &Made) -> Result<Value> {
    let (of, id) = &made.subject;
    let subject = match &made.principal {
        Some(known) => json!({ "type": of, "id": known }),
        None if id.contains('@') => {
            let means = (&platform.store, &platform.keyring, &*platform.entropy);
            let label = stream.to_string();
            let sealed = platform
                .subjects
                .seal(means, stream, stream.bytes(), &label, id);
            json!({ "type": of, "id": sealed.await? })
        }
        None => json!({ "type": of, "id": id }),
    };
    let (of, id) = &made.resource;
    Ok(json!({
        "at": made.at, "subject": subject, "action": made.action, "resource": { "type": of, "id": id },
        "decision": made.permit, "reason": made.reason, "revision": made.revision,
    }))
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

    #[tokio::test]
    async fn what_finds_no_room_is_counted_for_its_organization() {
        let journal = Journal::holding(3);
        for org in [1, 2, 1, 1, 2, 1] {
            journal.put(made(org));
        }
        let mut waiting = journal.waiting.lock().await;
        assert_eq!(journal.take(&mut waiting).len(), 3);
        let lost = journal.lost().clone();
        let of = |org: u8| lost.get(&Id::from_bytes([org; 16])).copied();
        assert_eq!((of(1), of(2)), (Some(2), Some(1)));
        assert!(journal.take(&mut waiting).is_empty());
        journal.put(made(2));
        assert_eq!(journal.take(&mut waiting).len(), 1, "there is room again");
    }

    #[tokio::test]
    async fn what_waits_takes_no_more_memory_than_it_may() {
        let journal = Journal::default();
        let long = "x".repeat(1_024 * 1_024);
        for _ in 0..100 {
            let action = long.clone();
            journal.put(Made { action, ..made(1) });
        }
        let most = DECISIONS_WAITING_BYTES / long.len();
        let lost = journal.lost().values().sum::<u64>();
        assert!(
            lost > 100 - most as u64 && lost < 102 - most as u64,
            "{lost}"
        );
        let mut waiting = journal.waiting.lock().await;
        assert_eq!(journal.take(&mut waiting).len() as u64, 100 - lost);
        assert_eq!(journal.bytes.load(Ordering::Relaxed), 0);
    }
}
