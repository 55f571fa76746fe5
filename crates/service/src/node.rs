//! A node: loads cells on demand, moves them forward before an answer leaves, polls the heads to prove that they
//! are current, and refuses views that it cannot prove fresh. It decides nothing.

use crate::{Error, Result, feed::Hub};
use domain::Stream;
use kernel::{Clock, Code, Id, Micros, Monotonic, Org, limits};
use live::{Advance, Cells, Revision, View};
use std::{collections::HashMap, sync::Arc, time::Duration};
use store::{CommitError, Committed, Head, Moved, Plan, Refusal, Store, StoreError, Tx};
use tokio::sync::Mutex;

const FEED_PAGE: usize = 256;

/// The live side of one process.
pub struct Node {
    store: Store,
    cells: Cells,
    feeds: Arc<Hub>,
    clock: Arc<dyn Clock>,
    loading: Mutex<HashMap<Id<Org>, Arc<Mutex<()>>>>,
    /// When the last look for an unknown organization began.
    looked: Mutex<Monotonic>,
}

const fn revision(head: &Head) -> Revision {
    Revision {
        state: head.state_rev,
        authority: head.authority_rev,
    }
}

impl Node {
    /// Loads the instance.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start(store: Store, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::start_within(store, clock, limits::STALENESS).await
    }

    /// Loads the instance; views older than `bound` are refused.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start_within(store: Store, clock: Arc<dyn Clock>, bound: Micros) -> Result<Self> {
        let known = clock.boot();
        let (head, changes) = store.export(Stream::INSTANCE).await?;
        let cells = Cells::new(&changes, revision(&head), known, bound);
        let feeds = Arc::new(Hub::default());
        let woken = feeds.clone();
        cells.on_step(Box::new(move |stream| woken.wake(stream)));
        Ok(Self {
            store,
            cells,
            feeds,
            clock,
            loading: Mutex::default(),
            looked: Mutex::new(known),
        })
    }

    /// The cells, for readiness and metrics.
    pub const fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Those who follow revocation feeds here.
    pub fn feeds(&self) -> &Hub {
        &self.feeds
    }

    /// A fresh view of an organization by slug or id.
    ///
    /// # Errors
    /// Not found, or the state cannot be proven current.
    pub async fn view_of(&self, name: &str) -> Result<View> {
        let known = self.cells.instance().find(name).map(|org| org.id);
        let org = match known {
            Some(org) => org,
            None => self.find_again(name).await?,
        };
        self.view(org).await
    }

    /// Another node may have made it a moment ago: catch up once before saying unknown. However many strangers ask
    /// at once, one look answers all who asked before it.
    async fn find_again(&self, name: &str) -> Result<Id<Org>> {
        let asked = self.clock.boot();
        let mut looked = self.looked.lock().await;
        if *looked <= asked {
            let begun = self.clock.boot();
            self.reach_head(Stream::INSTANCE).await?;
            *looked = begun;
        }
        drop(looked);
        let found = self.cells.instance().find(name).map(|org| org.id);
        found.ok_or_else(|| Error::not_found("organization"))
    }

    /// A fresh view of an organization.
    ///
    /// # Errors
    /// Not found, or the state cannot be proven current.
    pub async fn view(&self, org: Id<Org>) -> Result<View> {
        if !self.cells.is_loaded(org) {
            self.load(org).await?;
        }
        let view = self
            .cells
            .view(org, self.clock.now())
            .ok_or_else(|| Error::not_found("organization"))?;
        self.require_fresh(org)?;
        Ok(view)
    }

    /// Refuses when the instance or the organization may be out of date.
    ///
    /// # Errors
    /// `stale_state`.
    pub fn require_fresh(&self, org: Id<Org>) -> Result<()> {
        let boot = self.clock.boot();
        if self.cells.is_fresh(Stream::INSTANCE, boot)
            && self.cells.is_fresh(Stream::org(org), boot)
        {
            return Ok(());
        }
        let detail = "this node cannot prove that its state is current; try again shortly or ask another node";
        Err(Error::new(Code::StaleState, detail))
    }

    async fn load(&self, org: Id<Org>) -> Result<()> {
        if self.cells.instance().organization(org).is_none() {
            return Err(Error::not_found("organization"));
        }
        let gate = self.loading.lock().await.entry(org).or_default().clone();
        let _one = gate.lock().await;
        if self.cells.is_loaded(org) {
            return Ok(());
        }
        let known = self.clock.boot();
        let (head, changes) = self.store.export(Stream::org(org)).await?;
        self.cells.load(org, &changes, revision(&head), known);
        // A commit that ended after the export and before the cell was there found nothing to move.
        let level = self.reach_head(Stream::org(org)).await;
        if level.is_err() {
            self.cells.doubt(Stream::org(org));
        }
        self.loading.lock().await.remove(&org);
        level
    }

    /// Commits, and takes in what moved before anybody hears of it. Both go on when whoever asked goes away, so
    /// that no cell of this node stays behind what it wrote itself.
    ///
    /// # Errors
    /// As for `Store::commit`.
    pub async fn commit<T, F>(
        self: &Arc<Self>,
        plan: Plan,
        run: F,
    ) -> Result<Committed<T>, CommitError>
    where
        F: Fn(&mut Tx<'_>) -> Result<T, Refusal> + Send + Sync + 'static,
        T: Send + 'static,
    {
        let node = self.clone();
        let whole = tokio::spawn(async move {
            let here = node.clone();
            let told = move |moved: &[Moved]| here.advance(moved);
            let done = node.store.commit_and_tell(plan, run, told).await?;
            node.absorb(&done.moved).await;
            Ok(done)
        });
        whole
            .await
            .unwrap_or(Err(CommitError::Unavailable(StoreError::Panicked)))
    }

    /// Takes in what follows at once. Told on the database's thread, in the order of the commits, hardly anything
    /// is left that has to be fetched.
    fn advance(&self, moved: &[Moved]) {
        for step in moved.iter().filter(|step| !step.changes.is_empty()) {
            self.cells
                .advance(step.stream, step.head.state_rev, &step.changes);
        }
    }

    /// What cannot be taken in is in doubt: it permits nothing until a poll has caught up.
    async fn absorb(&self, moved: &[Moved]) {
        for step in moved.iter().filter(|step| !step.changes.is_empty()) {
            let advanced = self
                .cells
                .advance(step.stream, step.head.state_rev, &step.changes);
            let Advance::Gap(_) = advanced else { continue };
            if !matches!(
                self.catch_up(step.stream, step.head.state_rev).await,
                Ok(true)
            ) {
                tracing::error!(stream = %step.stream, "a commit could not be followed; nothing is permitted until it is");
                self.cells.doubt(step.stream);
            }
        }
    }

    /// Follows the feed until the cell is at `target` at least; says whether the feed led there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catch_up(&self, stream: Stream, target: u64) -> Result<bool> {
        while let Some(at) = self.cells.revision(stream).filter(|at| at.state < target) {
            for row in self
                .store
                .changes_after(stream, at.state, FEED_PAGE)
                .await?
            {
                self.cells.advance(stream, row.state_rev, &row.changes);
            }
            if self
                .cells
                .revision(stream)
                .is_none_or(|now| now.state == at.state)
            {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Follows the feed to where the stream stands now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reach_head(&self, stream: Stream) -> Result<()> {
        for (stream, head) in self.store.heads(Some(vec![stream])).await? {
            self.catch_up(stream, head.state_rev).await?;
        }
        Ok(())
    }

    /// Asks for the heads of everything loaded and says of what is where its head is that it is current. What is
    /// behind follows the feed, after the others, and delays or fails nobody but itself.
    ///
    /// # Errors
    /// When the database does not answer; nothing is then said to be current.
    pub async fn poll(&self) -> Result<()> {
        let as_of = self.clock.boot();
        let before: HashMap<Stream, Revision> = self.cells.revisions().into_iter().collect();
        let heads = self
            .store
            .heads(Some(before.keys().copied().collect()))
            .await?;
        let seen = heads
            .into_iter()
            .filter_map(|(stream, head)| Some((stream, *before.get(&stream)?, revision(&head))));
        let (behind, level): (Vec<_>, Vec<_>) =
            seen.partition(|(_, was, head)| was.state < head.state);
        for (stream, was, head) in level {
            self.judge(stream, head, was == head, as_of);
        }
        for (stream, _, head) in behind {
            match self.catch_up(stream, head.state).await {
                Ok(_) => {
                    let at = self.cells.revision(stream).unwrap_or_default();
                    self.judge(stream, head, at == head || at.state > head.state, as_of);
                }
                Err(error) => {
                    tracing::warn!(%stream, %error, "the feed could not be followed; views go stale")
                }
            }
        }
        Ok(())
    }

    /// Confirms a cell that is where its head was. A head that went back, that counts authority differently, or
    /// that the feed does not lead to is another history's: the cell goes stale and stays so.
    fn judge(&self, stream: Stream, head: Revision, current: bool, as_of: Monotonic) {
        if current {
            self.cells.confirm(stream, as_of);
        } else {
            let at = self.cells.revision(stream);
            tracing::error!(%stream, ?head, ?at, "the database does not go on from what this node knows; restart it");
        }
    }

    /// Polls until the task is dropped.
    pub async fn follow(self: Arc<Self>) {
        let mut every = tokio::time::interval(Duration::from_millis(250));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if let Err(error) = self.poll().await {
                tracing::warn!(%error, "the heads could not be read; views go stale");
            }
        }
    }
}
