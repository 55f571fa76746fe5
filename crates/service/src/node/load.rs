//! Loading an organization's cell when somebody asks for it, once however many ask, and letting it go when nobody
//! has for long. A cell of another history than the node follows is never loaded.

use super::{Node, revision};
use crate::{Error, Result};
use domain::Stream;
use kernel::{Code, Id, Org, limits};
use live::View;

/// How often cells are swept.
pub(super) const SWEEP_SECONDS: i64 = 60;

impl Node {
    /// The view of an organization whose cell is not loaded.
    pub(super) async fn load(&self, org: Id<Org>) -> Result<View> {
        let unknown = || Error::not_found("organization");
        if self.cells.instance().organization(org).is_none() {
            return Err(unknown());
        }
        let gate = self.loading.lock().await.entry(org).or_default().clone();
        let one = gate.lock().await;
        // Who waited finds what the first has loaded.
        let view = match self.cells.view(org, self.clock.now()) {
            Some(view) => Ok(view),
            None => self.fill(org).await,
        };
        drop(one);
        self.loading.lock().await.remove(&org);
        view
    }

    async fn fill(&self, org: Id<Org>) -> Result<View> {
        let (era, known) = (self.cells.era(), self.clock.boot());
        let stream = Stream::org(org);
        let loaded = self.store.cell(stream).await?;
        if !self.follows(&loaded.standing) {
            let detail = "the database has changed under this node; try again shortly";
            return Err(Error::new(Code::StaleState, detail));
        }
        let at = revision(&loaded.head);
        self.cells.load(era, org, &loaded.changes, at, known);
        // A commit that ended after the export and before the cell was there found nothing to move.
        if let Err(error) = self.reach_head(stream).await {
            self.cells.doubt(stream);
            return Err(error);
        }
        let view = self.cells.view(org, self.clock.now());
        view.ok_or_else(|| {
            let detail = "the state was replaced while it was loaded; try again shortly";
            Error::new(Code::StaleState, detail)
        })
    }

    /// Lets go of what nobody has asked for in a while.
    pub fn sweep(&self) {
        let idle = limits::CELL_REST.as_seconds() / SWEEP_SECONDS;
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        let gone = self.cells.sweep(idle, limits::CELLS);
        if gone > 0 {
            tracing::debug!(gone, "organizations that nobody asked for were let go");
        }
    }
}
