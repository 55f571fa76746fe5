//! A node: loads cells on demand, moves them forward before an answer leaves, polls the heads to prove that they
//! are current, and refuses views that it cannot prove fresh. It decides nothing.

use crate::{Error, Result};
use domain::Stream;
use kernel::{Clock, Code, Id, Micros, Org, limits};
use live::{Advance, Cells, Revision, View};
use std::{collections::HashMap, sync::Arc, time::Duration};
use store::{Head, Moved, Store};
use tokio::sync::Mutex;

const FEED_PAGE: usize = 256;

/// The live side of one process.
pub struct Node {
    store: Store,
    cells: Cells,
    clock: Arc<dyn Clock>,
    loading: Mutex<HashMap<Id<Org>, Arc<Mutex<()>>>>,
}

const fn revision(head: &Head) -> Revision {
    Revision { state: head.state_rev, authority: head.authority_rev }
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
        Ok(Self { store, cells, clock, loading: Mutex::default() })
    }

    /// The cells, for readiness and metrics.
    pub const fn cells(&self) -> &Cells {
        &self.cells
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

    /// Another node may have made it a moment ago: catch up once before saying unknown.
    async fn find_again(&self, name: &str) -> Result<Id<Org>> {
        let head = self.store.heads(Some(vec![Stream::INSTANCE])).await?.into_iter().next();
        if let Some((stream, head)) = head {
            self.catch_up(stream, head.state_rev).await?;
        }
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
        let view = self.cells.view(org, self.clock.now()).ok_or_else(|| Error::not_found("organization"))?;
        self.require_fresh(org)?;
        Ok(view)
    }

    /// Refuses when the instance or the organization may be out of date.
    ///
    /// # Errors
    /// `stale_state`.
    pub fn require_fresh(&self, org: Id<Org>) -> Result<()> {
        let boot = self.clock.boot();
        if self.cells.is_fresh(Stream::INSTANCE, boot) && self.cells.is_fresh(Stream::org(org), boot) {
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
        self.loading.lock().await.remove(&org);
        Ok(())
    }

    /// Takes in what a commit of this node moved, before its answer leaves.
    ///
    /// # Errors
    /// When steps are missing and the database does not answer.
    pub async fn absorb(&self, moved: &[Moved]) -> Result<()> {
        for step in moved.iter().filter(|step| !step.changes.is_empty()) {
            let advanced = self.cells.advance(step.stream, step.head.state_rev, &step.changes);
            if let Advance::Gap(_) = advanced {
                self.catch_up(step.stream, step.head.state_rev).await?;
            }
        }
        Ok(())
    }

    /// Follows the feed until the cell is at `target` at least.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn catch_up(&self, stream: Stream, target: u64) -> Result<()> {
        while let Some(at) = self.cells.revision(stream).filter(|at| at.state < target) {
            let rows = self.store.changes_after(stream, at.state, FEED_PAGE).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                self.cells.advance(stream, row.state_rev, &row.changes);
            }
        }
        Ok(())
    }

    /// Asks for the heads of everything loaded, follows what moved, and says that all of it is current.
    ///
    /// # Errors
    /// When the database does not answer; nothing is then said to be current.
    pub async fn poll(&self) -> Result<()> {
        let as_of = self.clock.boot();
        let loaded: Vec<Stream> = self.cells.revisions().into_iter().map(|(stream, _)| stream).collect();
        for (stream, head) in self.store.heads(Some(loaded.clone())).await? {
            self.catch_up(stream, head.state_rev).await?;
        }
        loaded.into_iter().for_each(|stream| self.cells.confirm(stream, as_of));
        Ok(())
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
