//! A node: loads cells on demand, moves them forward before an answer leaves, proves again and again that they are
//! current, and refuses views that it cannot prove fresh. It decides nothing.

mod health;
mod load;
mod poll;
mod relations;

pub use health::{Database, Health};

use crate::{Error, Result, again::Turns, feed::Hub};
use domain::Stream;
use kernel::{Clock, Code, Id, Micros, Monotonic, Org, RelationStore, limits};
use live::{Advance, Cells, Era, Revision, View};
use poll::Seen;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex as Lock, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool},
};
use store::{
    CommitError, Committed, Head, Member, Moved, Plan, Refusal, Standing, Store, StoreError, Tx,
};
use tokio::sync::Mutex;

const FEED_PAGE: usize = 256;

/// The live side of one process.
pub struct Node {
    store: Store,
    cells: Arc<Cells>,
    feeds: Arc<Hub>,
    clock: Arc<dyn Clock>,
    loading: Mutex<HashMap<Id<Org>, Arc<Mutex<()>>>>,
    /// Relation stores that are being loaded, and those that are being made compact.
    relating: Mutex<HashMap<Id<RelationStore>, Arc<Mutex<()>>>>,
    compacting: Lock<HashSet<Id<RelationStore>>>,
    /// When the last look for an unknown organization began.
    looked: Mutex<Monotonic>,
    /// Up to where the feed was followed.
    seen: Mutex<Seen>,
    /// In which history.
    standing: Lock<Standing>,
    health: Lock<Health>,
    /// Under which name this process is known to the others, once it joined them.
    member: OnceLock<Member>,
    draining: AtomicBool,
    /// Whose turn it is to decide again.
    pub(crate) turns: Turns,
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
    /// When the database does not answer, or was replaced while it was read.
    pub async fn start_within(store: Store, clock: Arc<dyn Clock>, bound: Micros) -> Result<Self> {
        let known = clock.boot();
        let (seen, instance) = Seen::begin(&store).await?;
        let at = revision(&instance.head);
        let health = Lock::new(Health::new(store.engine(), known));
        let cells = Cells::new(&instance.changes, at, known, bound);
        let feeds = Arc::new(Hub::default());
        let woken = feeds.clone();
        cells.on_step(Box::new(move |stream| woken.wake(stream)));
        Ok(Self {
            cells: Arc::new(cells),
            store,
            feeds,
            clock,
            loading: Mutex::default(),
            relating: Mutex::default(),
            compacting: Lock::default(),
            looked: Mutex::new(known),
            seen: Mutex::new(seen),
            standing: Lock::new(instance.standing),
            health,
            member: OnceLock::new(),
            draining: AtomicBool::new(false),
            turns: Turns::default(),
        })
    }

    /// The cells, for readiness and metrics.
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// Those who follow revocation feeds here.
    pub fn feeds(&self) -> &Hub {
        &self.feeds
    }

    /// The epoch of the database that this node follows.
    pub fn epoch(&self) -> u64 {
        self.standing().epoch
    }

    fn compacting(&self) -> MutexGuard<'_, HashSet<Id<RelationStore>>> {
        let compacting = self.compacting.lock();
        compacting.unwrap_or_else(PoisonError::into_inner)
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
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
        let view = match self.cells.view(org, self.clock.now()) {
            Some(view) => view,
            None => self.load(org).await?,
        };
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
        let era = self.cells.era();
        let whole = tokio::spawn(async move {
            let here = node.clone();
            let told = move |moved: &[Moved]| here.advance(era, moved);
            let done = node.store.commit_and_tell(plan, run, told).await?;
            node.absorb(era, &done.moved).await;
            Ok(done)
        });
        whole
            .await
            .unwrap_or(Err(CommitError::Unavailable(StoreError::Panicked)))
    }

    /// Takes in what follows at once. Told on the database's thread, in the order of the commits, hardly anything
    /// is left that has to be fetched.
    fn advance(&self, era: Era, moved: &[Moved]) {
        for step in moved.iter().filter(|step| !step.changes.is_empty()) {
            self.cells
                .advance(era, step.stream, step.head.state_rev, &step.changes);
        }
    }

    /// What cannot be taken in is in doubt: it permits nothing until a poll has caught up. So is what was committed
    /// while another history began: which of the two has it is not known here.
    async fn absorb(&self, era: Era, moved: &[Moved]) {
        for step in moved.iter().filter(|step| !step.changes.is_empty()) {
            let advanced = self
                .cells
                .advance(era, step.stream, step.head.state_rev, &step.changes);
            if era != self.cells.era() {
                self.cells.doubt(step.stream);
            }
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
        let era = self.cells.era();
        while let Some(at) = self.cells.revision(stream).filter(|at| at.state < target) {
            for row in self
                .store
                .changes_after(stream, at.state, FEED_PAGE)
                .await?
            {
                self.cells.advance(era, stream, row.state_rev, &row.changes);
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
}
