//! The proof that the cells are current. A poll makes a durable write first, so that a standby, a demoted primary
//! and one that its synchronous standby has left are not believed; then it takes in all that was committed since
//! the last one. Another history of the database is noticed, nothing of it is mixed with what was known before.

use super::{Database, Node, load::SWEEP_SECONDS, revision};
use crate::{Error, Result};
use domain::Stream;
use kernel::Monotonic;
use live::{Advance, Revision};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use store::{FeedRow, Followed, Loaded, Member, Place, Standing, Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_millis(250);
/// How long to leave between two looks, however often the others ring.
const BREATH: Duration = Duration::from_millis(8);
/// Every so many polls each loaded cell is compared with its head, whatever the feed said.
const COMPARE: u64 = 64;

/// Up to where a node has followed.
pub(super) struct Seen {
    place: Place,
    polls: u64,
}

impl Seen {
    /// Where the feed stands, and the instance as it is there or later.
    pub(super) async fn begin(store: &Store) -> Result<(Self, Loaded)> {
        let (followed, instance) = begin(store).await?;
        let seen = Self {
            place: followed.place,
            polls: 0,
        };
        Ok((seen, instance))
    }
}

async fn begin(store: &Store) -> Result<(Followed, Loaded), StoreError> {
    let followed = store.follow(None, |_| false).await?;
    let instance = store.cell(Stream::INSTANCE).await?;
    if followed.standing == instance.standing {
        return Ok((followed, instance));
    }
    store.renew();
    Err(StoreError::Lost(
        "the database was replaced while it was read".into(),
    ))
}

impl Node {
    /// Takes part with the others on the same database from now on, under this name.
    ///
    /// # Errors
    /// When the database does not answer or takes no writes.
    pub async fn join(&self, member: Member) -> Result<()> {
        let _first = self.member.set(member);
        self.poll().await
    }

    /// Takes part no more.
    pub async fn leave(&self) {
        if let Some(member) = self.member()
            && let Err(error) = self.store.leave(member.id).await
        {
            tracing::warn!(%error, "the others think for a while that this node is still there");
        }
    }

    /// Whether this is the history that the node follows.
    pub(super) fn follows(&self, standing: &Standing) -> bool {
        *self.standing() == *standing
    }

    /// Proves that what is loaded is current, taking in what moved. What cannot be followed delays and fails nobody
    /// but itself.
    ///
    /// # Errors
    /// When the database does not answer or is a standby; nothing is then said to be current.
    pub async fn poll(&self) -> Result<()> {
        let polled = self.prove().await;
        if let Err(error) = &polled {
            self.failed(error);
        }
        polled.map_err(Error::from)
    }

    async fn prove(&self) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        let as_of = self.clock.boot();
        if let Some(member) = self.member.get() {
            self.store.beat(member.clone(), self.clock.now()).await?;
        }
        self.look(&mut seen, Some(as_of)).await
    }

    /// Takes in what moved, proving nothing: another node said that it committed.
    async fn glance(&self) -> Result<(), StoreError> {
        let mut seen = self.seen.lock().await;
        self.look(&mut seen, None).await
    }

    async fn look(&self, seen: &mut Seen, as_of: Option<Monotonic>) -> Result<(), StoreError> {
        let loaded = self.cells.loaded();
        let doubted = loaded.doubted();
        let before: HashMap<Stream, Revision> = if seen.is_due(as_of) {
            loaded.revisions().collect()
        } else {
            HashMap::new()
        };
        let cells = self.cells.clone();
        let wanted =
            move |stream: Stream| stream.organization().is_none_or(|org| cells.is_loaded(org));
        let followed = self.store.follow(Some(seen.place.clone()), wanted).await?;
        if !self.follows(&followed.standing) {
            return self.begin_again(seen).await;
        }
        let mut behind: BTreeSet<Stream> = doubted.iter().map(|(stream, _)| *stream).collect();
        match followed.feed {
            Some(feed) => behind.extend(self.take_in(feed)),
            None => behind.extend(loaded.revisions().map(|(stream, _)| stream)),
        }
        if !before.is_empty() {
            behind.extend(self.compare(&before).await?);
        }
        seen.place = followed.place;
        for stream in behind {
            let same = self.level(stream).await;
            if !same && stream == Stream::INSTANCE {
                return self.begin_again(seen).await;
            }
        }
        // A doubt that came since has another number and stays.
        for (stream, doubt) in doubted {
            loaded.settle(stream, doubt);
        }
        if let Some(as_of) = as_of {
            loaded.confirm(as_of);
            self.proven(as_of);
        }
        Ok(())
    }

    /// Applies what the feed gave; the streams of which a step is missing are behind.
    fn take_in(&self, feed: Vec<(Stream, FeedRow)>) -> Vec<Stream> {
        let era = self.cells.era();
        let missing = |(stream, row): (Stream, FeedRow)| {
            let advanced = self.cells.advance(era, stream, row.state_rev, &row.changes);
            matches!(advanced, Advance::Gap(_)).then_some(stream)
        };
        feed.into_iter().filter_map(missing).collect()
    }

    /// The cells that are not where their heads are, though they were not moved meanwhile.
    async fn compare(&self, before: &HashMap<Stream, Revision>) -> Result<Vec<Stream>, StoreError> {
        let mut differ = Vec::new();
        let mut heads: HashMap<Stream, Revision> = HashMap::new();
        for (stream, state, authority) in self.store.revisions().await? {
            heads.insert(stream, Revision { state, authority });
        }
        for (stream, was) in before {
            let head = heads.get(stream).copied().unwrap_or_default();
            if *was != head && self.cells.revision(*stream) != Some(head) {
                differ.push(*stream);
            }
        }
        Ok(differ)
    }

    /// Brings a cell to its head; false when it is of another history. A head that went back, that counts authority
    /// differently, or that the feed does not lead to is one: the cell is forgotten and loaded anew.
    async fn level(&self, stream: Stream) -> bool {
        match self.leads(stream).await {
            Ok(true) => true,
            Ok(false) => {
                tracing::error!(%stream, "the database does not go on from what this node knows; its state is loaded anew");
                if let Some(org) = stream.organization() {
                    self.cells.unload(org);
                }
                false
            }
            Err(error) => {
                tracing::warn!(%stream, %error, "the feed could not be followed; nothing is permitted until it is");
                self.cells.doubt(stream);
                true
            }
        }
    }

    /// Whether the feed leads from the cell to the head.
    async fn leads(&self, stream: Stream) -> Result<bool> {
        let was = self.cells.revision(stream);
        let heads = self.store.heads(Some(vec![stream])).await?;
        let Some((was, head)) = was.zip(heads.first().map(|(_, head)| revision(head))) else {
            return Ok(true);
        };
        if was.state > head.state || !self.catch_up(stream, head.state).await? {
            return Ok(false);
        }
        let at = self.cells.revision(stream);
        Ok(at.is_none_or(|at| at == head || at.state > head.state))
    }

    /// The database is another history's: nothing is permitted until all that decisions read was loaded from it.
    async fn begin_again(&self, seen: &mut Seen) -> Result<(), StoreError> {
        self.found(Database::Replaced);
        self.cells.doubt(Stream::INSTANCE);
        tracing::warn!(
            "the database was restored, promoted or restarted; its state is loaded anew"
        );
        self.store.renew();
        if let Some(member) = self.member.get() {
            self.store.beat(member.clone(), self.clock.now()).await?;
        }
        let known = self.clock.boot();
        let (followed, instance) = begin(&self.store).await?;
        let at = revision(&instance.head);
        self.cells.begin_again(&instance.changes, at, known);
        *self.standing() = followed.standing;
        seen.place = followed.place;
        self.proven(known);
        Ok(())
    }

    /// Polls until the task is dropped, and at once when another node has committed.
    pub async fn follow(self: Arc<Self>) {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweep = interval(Duration::from_secs(SWEEP_SECONDS.unsigned_abs()));
        let rung = self.store.subscribe().unwrap_or_else(|error| {
            tracing::warn!(%error, "other nodes are not heard; this one looks by itself");
            Arc::default()
        });
        loop {
            let looked = tokio::select! {
                biased;
                _ = every.tick() => self.poll().await,
                _ = sweep.tick() => {
                    self.sweep();
                    Ok(())
                }
                () = rung.notified() => {
                    let glanced = self.glance().await;
                    // What is rung meanwhile is found by one look.
                    tokio::time::sleep(BREATH).await;
                    glanced.map_err(Error::from)
                }
            };
            if let Err(error) = looked {
                tracing::warn!(%error, "the state could not be proven current; views go stale");
            }
        }
    }
}

impl Seen {
    /// Whether this poll compares every cell with its head.
    fn is_due(&mut self, as_of: Option<Monotonic>) -> bool {
        self.polls += u64::from(as_of.is_some());
        as_of.is_some() && self.polls % COMPARE == 1
    }
}
