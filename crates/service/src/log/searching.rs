//! Making what logs are searched by: a stretch of a log at a time, by the first node, while nobody waits for the database
//! and never on the way of a commit. Searches are complete without it, and slower.

use crate::{Platform, Result, checkpoint::is_first};
use domain::Stream;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::STRETCH;
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(5);
/// How many stretches of one log are made before the next log has its turn.
const TURN: usize = 16;
/// How many logs may fail before a round is given up.
const PATIENCE: u32 = 16;
const WAITING: &str = "cardea_search_waiting_entries";

/// How far searching is behind the logs.
#[derive(Debug)]
pub struct Searching {
    /// More than any number of entries while another node does it.
    waiting: AtomicU64,
    known: tokio::sync::Mutex<HashMap<Stream, u64>>,
}

impl Default for Searching {
    fn default() -> Self {
        Self {
            waiting: AtomicU64::new(u64::MAX),
            known: tokio::sync::Mutex::default(),
        }
    }
}

impl Searching {
    /// How many entries are in full stretches that have no postings yet; none while another node makes them.
    pub fn waiting(&self) -> Option<u64> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        (waiting != u64::MAX).then_some(waiting)
    }

    fn tell(&self, waiting: Option<u64>) {
        self.waiting
            .store(waiting.unwrap_or(u64::MAX), Ordering::Relaxed);
        let shown = u32::try_from(waiting.unwrap_or(0)).unwrap_or(u32::MAX);
        metrics::gauge!(WAITING).set(f64::from(shown));
    }

    /// Makes postings for as long as the task lives.
    pub async fn run(self: Arc<Self>, platform: Arc<Platform>) {
        metrics::describe_gauge!(
            WAITING,
            "Entries of full stretches of logs that searches still look through one by one."
        );
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            loop {
                match self.round(&platform).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        tracing::warn!(%error, "what logs are searched by was not made; tried again shortly");
                        break;
                    }
                }
            }
        }
    }

    /// Gives each log that is behind a turn; whether one still is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn round(&self, platform: &Platform) -> Result<bool> {
        if !is_first(platform).await? {
            self.tell(None);
            return Ok(false);
        }
        let mut known = self.known.lock().await;
        let heads = platform.store.heads(None).await?;
        let full = |seq: u64| seq / STRETCH * STRETCH;
        let behind = |known: &HashMap<Stream, u64>, stream, seq| {
            full(seq).saturating_sub(known.get(&stream).copied().unwrap_or(0))
        };
        let mut waiting = heads
            .iter()
            .map(|(stream, head)| behind(&known, *stream, head.seq))
            .sum();
        self.tell(Some(waiting));
        let mut failed = 0;
        for (stream, head) in heads {
            let before = behind(&known, stream, head.seq);
            if before == 0 {
                continue;
            }
            let covered = match follow(platform, stream).await {
                Ok(covered) => covered,
                // One log that cannot be read holds up no other.
                Err(error) if failed < PATIENCE => {
                    tracing::warn!(%stream, %error, "what a log is searched by was not made; tried again shortly");
                    failed += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            known.insert(stream, covered);
            waiting = waiting.saturating_sub(before) + behind(&known, stream, head.seq);
            self.tell(Some(waiting));
        }
        Ok(waiting > 0 && failed == 0)
    }
}

/// Makes the next stretches of one log, unhurried; how many entries are covered then.
async fn follow(platform: &Platform, stream: Stream) -> Result<u64> {
    let mut covered = 0;
    for _ in 0..TURN {
        platform.gate.quiet().await;
        let from = platform.clock.boot();
        let done = platform.store.index_next(stream).await?;
        covered = done.entries;
        if !done.more {
            break;
        }
        platform.gate.rest(platform.clock.boot().since(from)).await;
    }
    Ok(covered)
}
