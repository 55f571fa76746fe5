//! Following: one batch after another for a stream, one batch for a long poll, everything for a snapshot. A node that
//! cannot prove that it is current says nothing, so that silence is never taken for peace.

use super::{
    batch::{self, Batch},
    event,
    hub::{Place, Woken},
    reader::Reader,
};
use crate::{Peer, Platform, Result, oauth::Basic};
use domain::Stream;
use kernel::{Id, Micros, Org, limits};
use live::View;
use std::sync::Arc;

/// A closed organization's long polls are answered this soon: its clients cannot know that it closed.
const CLOSED: Micros = Micros::seconds(1);

/// Somebody who follows.
pub struct Follower {
    platform: Arc<Platform>,
    org: Id<Org>,
    reader: Reader,
    place: Place,
    at: u64,
    /// What the last batch said of the organization; none before the first.
    said: Option<bool>,
}

/// Begins to follow after a revision; without one, from now.
///
/// # Errors
/// Not this feed's to read, no place left, or a revision from which it does not lead on.
pub async fn follow(
    platform: &Arc<Platform>,
    org: &str,
    peer: &Peer,
    credential: (Option<&Basic>, Option<&str>),
    after: Option<u64>,
) -> Result<Follower> {
    let view = platform.node.view_of(org).await?;
    let reader = Reader::new(platform, &view, peer, credential.0, credential.1).await?;
    let org = view.id();
    let place = platform.node.feeds().place(Stream::org(org))?;
    let follower = Follower {
        platform: platform.clone(),
        org,
        reader,
        place,
        at: after.unwrap_or(view.revision.state),
        said: None,
    };
    if follower.at > view.revision.state {
        // Another node may be ahead of this one.
        platform.node.reach_head(Stream::org(org)).await?;
    }
    // A gap is told before the stream begins.
    let view = follower.view().await?;
    follower.after(&view).await?;
    Ok(follower)
}

/// One answer for a long poll: what came after a revision, or that nothing did for so long.
///
/// # Errors
/// As `follow`.
pub async fn poll(mut follower: Follower, wait: Micros) -> Result<Batch> {
    let view = follower.view().await?;
    if let Some(batch) = follower.after(&view).await? {
        return Ok(batch);
    }
    let open = event::open(&view);
    let end = follower.platform.clock.boot();
    let wait = if open { wait } else { wait.min(CLOSED) };
    loop {
        let spent = follower.platform.clock.boot().since(end);
        let left = Micros::new(wait.get().saturating_sub(spent.get()).max(0));
        let woken = follower.place.wait(left).await;
        let view = follower.view().await?;
        if let Some(batch) = follower.after(&view).await? {
            return Ok(batch);
        }
        if woken != Woken::Moved || event::open(&view) != open {
            return batch::heartbeat(&follower.platform, &view);
        }
    }
}

/// Everything that is not good now.
///
/// # Errors
/// As `follow`.
pub async fn snapshot(
    platform: &Platform,
    org: &str,
    peer: &Peer,
    credential: (Option<&Basic>, Option<&str>),
) -> Result<Batch> {
    let view = platform.node.view_of(org).await?;
    Reader::new(platform, &view, peer, credential.0, credential.1).await?;
    let batch = batch::everything(platform, &view)?;
    platform.node.require_fresh(view.id())?;
    Ok(batch)
}

impl Follower {
    /// A fresh view, while the credential still may follow.
    async fn view(&self) -> Result<View> {
        let view = self.platform.node.view(self.org).await?;
        if self.reader.stands(&view) {
            Ok(view)
        } else {
            Err(crate::Error::unauthenticated())
        }
    }

    async fn after(&self, view: &View) -> Result<Option<Batch>> {
        batch::after(&self.platform, &self.place.channel, view, self.at).await
    }

    /// The next batch of a stream: events as soon as there are any, else a sign of life. None ends the stream: the
    /// process ends, the credential no longer may, or this node cannot prove that it is current.
    pub async fn next(&mut self) -> Option<Batch> {
        let mut quiet = false;
        loop {
            let view = self.view().await.ok()?;
            let batch = match self.after(&view).await.ok()? {
                Some(batch) => Some(batch),
                None if quiet || self.said != Some(event::open(&view)) => {
                    Some(batch::heartbeat(&self.platform, &view).ok()?)
                }
                None => None,
            };
            if let Some(batch) = batch {
                (self.at, self.said) = (batch.to, Some(batch.active));
                return Some(batch);
            }
            match self.place.wait(limits::FEED_HEARTBEAT).await {
                Woken::Ending => return None,
                Woken::Quiet => quiet = true,
                Woken::Moved => {}
            }
        }
    }
}
