//! Who follows which organization's feed on this node, and what wakes them: a step of the live state, or the end of
//! the process. Holds no event; everybody reads those from the database's feed.

use super::batch::Batch;
use crate::{Error, Result};
use domain::Stream;
use kernel::{Code, Micros, limit, limits};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};

/// The followers of a node.
pub struct Hub {
    orgs: Mutex<HashMap<Stream, Arc<Channel>>>,
    ending: watch::Sender<bool>,
    /// Followers hold connections, which everybody shares.
    all: Arc<Semaphore>,
}

/// The followers of one organization.
pub(super) struct Channel {
    moved: watch::Sender<()>,
    places: Arc<Semaphore>,
    /// The last batch that was signed: most followers want the same next one.
    pub(super) last: tokio::sync::Mutex<Option<Batch>>,
}

/// One follower's place; given up when it is dropped.
pub struct Place {
    pub(super) channel: Arc<Channel>,
    moved: watch::Receiver<()>,
    ending: watch::Receiver<bool>,
    _places: [OwnedSemaphorePermit; 2],
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Woken {
    Moved,
    Ending,
    Quiet,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            orgs: Mutex::default(),
            ending: watch::Sender::new(false),
            all: Arc::new(Semaphore::new(limits::FEED_FOLLOWERS_TOTAL)),
        }
    }
}

impl Hub {
    /// Takes a place among an organization's followers.
    ///
    /// # Errors
    /// `limit_reached` when there is none left, `overloaded` when the node has none left for anybody.
    pub(super) fn place(&self, stream: Stream) -> Result<Place> {
        let mut orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = orgs.entry(stream).or_insert_with(|| {
            Arc::new(Channel {
                moved: watch::Sender::new(()),
                places: Arc::new(Semaphore::new(limits::FEED_FOLLOWERS)),
                last: tokio::sync::Mutex::default(),
            })
        });
        let place = channel.places.clone().try_acquire_owned().map_err(|_| {
            let text = format!(
                "at most {} clients follow an organization's feed on one node; share one among yours",
                limits::FEED_FOLLOWERS
            );
            Error::new(Code::LimitReached, text).at(limit!(FEED_FOLLOWERS))
        })?;
        let all = self.all.clone().try_acquire_owned().map_err(|_| {
            let text = "this node has too many clients that follow feeds; ask another node";
            Error::new(Code::Overloaded, text).at(limit!(FEED_FOLLOWERS_TOTAL))
        })?;
        Ok(Place {
            moved: channel.moved.subscribe(),
            ending: self.ending.subscribe(),
            channel: channel.clone(),
            _places: [place, all],
        })
    }

    /// Says that a stream took a step; what the instance does concerns everybody.
    pub(crate) fn wake(&self, stream: Stream) {
        let orgs = self.orgs.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = |of: &Stream| *of == stream || stream == Stream::INSTANCE;
        for (_, channel) in orgs.iter().filter(|(of, _)| meant(of)) {
            channel.moved.send_replace(());
        }
    }

    /// Ends every stream: their clients go on at another node, or here after a restart.
    pub fn end(&self) {
        self.ending.send_replace(true);
    }
}

impl Place {
    /// Waits for a step of the state, at most so long. A step since the last call ends it at once.
    pub(super) async fn wait(&mut self, at_most: Micros) -> Woken {
        if *self.ending.borrow() {
            return Woken::Ending;
        }
        let at_most = Duration::from_micros(at_most.get().unsigned_abs());
        let woken = async {
            tokio::select! {
                _ = self.ending.changed() => Woken::Ending,
                _ = self.moved.changed() => Woken::Moved,
            }
        };
        timeout(at_most, woken).await.unwrap_or(Woken::Quiet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn places_are_bounded_given_back_and_woken_by_their_own_steps() {
        let hub = Hub::default();
        let own = Stream::from_bytes([1; 16]);
        let mut places: Vec<Place> = (0..limits::FEED_FOLLOWERS)
            .map(|_| hub.place(own).unwrap())
            .collect();
        let refused = hub.place(own).err().unwrap();
        assert_eq!(refused.code, Code::LimitReached);
        hub.place(Stream::from_bytes([2; 16])).unwrap();
        drop(places.pop());
        let mut mine = hub.place(own).unwrap();

        let moment = Micros::new(20_000);
        hub.wake(Stream::from_bytes([2; 16]));
        assert_eq!(mine.wait(moment).await, Woken::Quiet);
        hub.wake(own);
        assert_eq!(
            mine.wait(moment).await,
            Woken::Moved,
            "a step before the wait counts"
        );
        hub.wake(Stream::INSTANCE);
        assert_eq!(mine.wait(moment).await, Woken::Moved);
        hub.end();
        assert_eq!(mine.wait(moment).await, Woken::Ending);
        assert_eq!(mine.wait(moment).await, Woken::Ending);
    }

    #[test]
    fn the_node_keeps_connections_for_others() {
        let hub = Hub::default();
        let mut held = Vec::new();
        for n in 0..=u8::MAX {
            for _ in 0..limits::FEED_FOLLOWERS {
                match hub.place(Stream::from_bytes([n; 16])) {
                    Ok(place) => held.push(place),
                    Err(refused) => {
                        assert_eq!(refused.code, Code::Overloaded);
                        assert_eq!(held.len(), limits::FEED_FOLLOWERS_TOTAL);
                        return;
                    }
                }
            }
        }
        panic!("never full");
    }
}
