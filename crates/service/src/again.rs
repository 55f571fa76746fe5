//! Deciding again when the ground moved: after a pause that grows and is drawn by lot, and one at a time in each
//! process for each stream, so that whoever lost is next and two nodes do not keep losing to each other.

use crate::Platform;
use domain::Stream;
use kernel::Micros;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock, PoisonError},
    time::Duration,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// The first pause is up to this long; each next one up to twice as long as the one before.
const FIRST: Micros = Micros::new(2_000);
const LONGEST: Micros = Micros::new(128_000);

/// Whose turn it is, for each stream where somebody decides again.
#[derive(Default)]
pub(crate) struct Turns(Lock<HashMap<Stream, Arc<Mutex<()>>>>);

impl Turns {
    /// Whether somebody decides again in this stream now.
    fn is_taken(&self, stream: Stream) -> bool {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns
            .get(&stream)
            .is_some_and(|turn| Arc::strong_count(turn) > 1)
    }

    /// Waits for the turn in a stream; whoever waits first goes first.
    async fn take(&self, stream: Stream) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // What nobody holds or waits for is forgotten.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            turns.entry(stream).or_default().clone()
        };
        turn.lock_owned().await
    }
}

/// One request's attempts.
#[derive(Default)]
pub(crate) struct Again {
    tries: u32,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Again {
    /// Waits behind those who decide again in this stream, if there are any: whoever came later must not keep
    /// taking the ground from under them. Says whether it waited.
    pub(crate) async fn line_up(&mut self, platform: &Platform, stream: Stream) -> bool {
        let waits = platform.node.turns.is_taken(stream);
        if waits {
            self.turn = Some(platform.node.turns.take(stream).await);
        }
        waits
    }

    /// Waits until it makes sense to decide again on this stream.
    pub(crate) async fn wait(&mut self, platform: &Platform, stream: Stream) {
        if self.turn.is_none() {
            self.turn = Some(platform.node.turns.take(stream).await);
        } else {
            tokio::time::sleep(pause(platform, self.tries)).await;
            self.tries += 1;
        }
    }
}

fn pause(platform: &Platform, tries: u32) -> Duration {
    let most = FIRST
        .get()
        .saturating_mul(1 << tries.min(16))
        .min(LONGEST.get());
    let mut drawn = [0; 8];
    platform.entropy.fill(&mut drawn);
    Duration::from_micros(u64::from_be_bytes(drawn) % most.unsigned_abs().max(1))
}

/// Waits a moment, as whoever holds no turn does.
pub(crate) async fn rest(platform: &Platform, tries: u32) {
    tokio::time::sleep(pause(platform, tries)).await;
}
