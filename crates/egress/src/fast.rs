//! Counts that nodes share for a moment: how often somebody asked or failed. Losing them grants nothing: whoever
//! counts falls back to stricter counts of its own. Nothing that decides authority is kept here.

use futures::future::BoxFuture;
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The longest that a request waits for it.
pub const PATIENCE: Duration = Duration::from_millis(50);
/// The longest that connecting to it takes; no request waits for that.
pub const RENEWAL: Duration = Duration::from_secs(2);
/// Answers in a row that came too late, after which nobody asks any more.
const LATE: u64 = 3;
/// How often it is looked at, whether or not anybody counts.
const PERIOD: Duration = Duration::from_secs(1);

/// Why the counts are not to be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// There is no connection; one is made in the background.
    #[error("the server of `--redis-url` is not connected")]
    Unconnected,
    /// The answer did not come in time.
    #[error("the server of `--redis-url` does not answer in time; look after it or its network")]
    Late,
    /// Nobody answered.
    #[error(
        "the server of `--redis-url` cannot be reached ({0}); check host and port, that it runs, and whether it wants `rediss://`"
    )]
    Unreachable(String),
    /// The credential is wrong.
    #[error("the server of `--redis-url` refuses the user or the password; correct them there")]
    Credential,
    /// Something else than Redis answered.
    #[error("what answers at `--redis-url` does not speak Redis's protocol; correct host and port")]
    Protocol,
    /// It answered and would not count.
    #[error("the server of `--redis-url` does not count ({code}): {remedy}")]
    Refused {
        /// The server's code, such as `READONLY`.
        code: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

/// A count, and how long it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What it is now.
    pub count: u64,
    /// How long until it is forgotten.
    pub left: Duration,
}

/// Counts under a key for a while.
pub trait FastState: Send + Sync {
    /// Adds to the count under `key`, which is forgotten `life` after its first use, and says what it is then.
    /// Asks over the connection there is and never makes one.
    ///
    /// # Errors
    /// When it cannot be known.
    fn add<'a>(
        &'a self,
        key: &'a str,
        amount: u64,
        life: Duration,
    ) -> BoxFuture<'a, Result<Counted, Lost>>;

    /// Connects anew and shows that it counts.
    ///
    /// # Errors
    /// With the reason, for whoever configured it.
    fn renew(&self) -> BoxFuture<'_, Result<(), Lost>>;
}

/// A fast state that no request waits for longer than fifty milliseconds: after a failure, or three late answers in
/// a row, it is left alone until the background has connected anew.
pub struct Guarded {
    inner: Arc<dyn FastState>,
    open: AtomicBool,
    late: AtomicU64,
    lost: AtomicU64,
    why: Mutex<Lost>,
}

impl Guarded {
    /// Guards a fast state, which is left alone until it is renewed.
    pub fn new(inner: Arc<dyn FastState>) -> Self {
        Self {
            inner,
            open: AtomicBool::new(true),
            late: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            why: Mutex::new(Lost::Unconnected),
        }
    }

    /// Whether it is left alone at this moment.
    pub fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }
    /// How many counts it did not take, those that were not tried included.
    pub fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }

    /// Adds to a count as [`FastState::add`] does, in fifty milliseconds at most.
    ///
    /// # Errors
    /// When it is left alone, fails or is late.
    pub async fn add(&self, key: &str, amount: u64, life: Duration) -> Result<Counted, Lost> {
        let outcome = if self.is_open() {
            Err(Lost::Unconnected)
        } else {
            self.tried(key, amount, life).await
        };
        if outcome.is_err() {
            self.lost.fetch_add(1, Relaxed);
        }
        outcome
    }

    async fn tried(&self, key: &str, amount: u64, life: Duration) -> Result<Counted, Lost> {
        let tried = tokio::time::timeout(PATIENCE, self.inner.add(key, amount, life)).await;
        let outcome = tried.unwrap_or(Err(Lost::Late));
        match &outcome {
            Ok(_) => self.late.store(0, Relaxed),
            Err(Lost::Late) if self.late.fetch_add(1, Relaxed) + 1 < LATE => {}
            Err(lost) => self.leave(lost),
        }
        outcome
    }

    fn leave(&self, lost: &Lost) {
        if !self.open.swap(true, Relaxed) {
            tracing::warn!(%lost, "the shared counts are left alone; this node counts by itself, more strictly");
        }
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = lost.clone();
    }

    /// Connects anew, in two seconds at most.
    ///
    /// # Errors
    /// With the reason; it is left alone then.
    pub async fn renew(&self) -> Result<(), Lost> {
        let renewed = tokio::time::timeout(RENEWAL, self.inner.renew()).await;
        match renewed.unwrap_or(Err(Lost::Late)) {
            Ok(()) => {
                self.late.store(0, Relaxed);
                if self.open.swap(false, Relaxed) {
                    tracing::info!("the shared counts are to be had");
                }
                Ok(())
            }
            Err(lost) => {
                let mut why = self.why.lock().unwrap_or_else(PoisonError::into_inner);
                if *why != lost {
                    tracing::warn!(%lost, "the shared counts are still left alone");
                    *why = lost.clone();
                }
                Err(lost)
            }
        }
    }

    /// Looks at it once a second for as long as the task lives, and connects anew where it was lost.
    pub async fn watch(&self) {
        let mut every = tokio::time::interval(PERIOD);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if self.is_open() {
                // Told where it is noticed; the next second tries again.
                let _again = self.renew().await;
            } else {
                let _told = self.tried("watch", 1, PERIOD).await;
            }
        }
    }
}

impl std::fmt::Debug for Guarded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guarded")
            .field("open", &self.is_open())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Clock, Micros, ambient::SystemClock};

    /// Hangs until told, and counts who asked.
    #[derive(Default)]
    struct Broken {
        works: AtomicBool,
        asked: AtomicU64,
    }
    impl FastState for Broken {
        fn add<'a>(
            &'a self,
            _: &'a str,
            count: u64,
            left: Duration,
        ) -> BoxFuture<'a, Result<Counted, Lost>> {
            self.asked.fetch_add(1, Relaxed);
            Box::pin(async move {
                if self.works.load(Relaxed) {
                    return Ok(Counted { count, left });
                }
                std::future::pending().await
            })
        }
        fn renew(&self) -> BoxFuture<'_, Result<(), Lost>> {
            Box::pin(async {
                if self.works.load(Relaxed) {
                    return Ok(());
                }
                Err(Lost::Protocol)
            })
        }
    }

    const LIFE: Duration = Duration::from_secs(2);

    #[tokio::test]
    async fn one_that_hangs_costs_three_waits_and_then_none_until_it_is_renewed() {
        let broken = Arc::new(Broken::default());
        let guarded = Guarded::new(broken.clone());
        assert_eq!(guarded.add("a", 1, LIFE).await, Err(Lost::Unconnected));
        broken.works.store(true, Relaxed);
        guarded.renew().await.unwrap();
        assert!(guarded.add("a", 1, LIFE).await.is_ok());
        broken.works.store(false, Relaxed);
        let began = SystemClock.boot();
        for _ in 0..100 {
            assert!(guarded.add("a", 1, LIFE).await.is_err());
        }
        let took = SystemClock.boot().since(began);
        assert!(took < Micros::seconds(1), "{took:?}");
        assert_eq!((broken.asked.load(Relaxed), guarded.lost()), (4, 101));
        assert_eq!(guarded.renew().await, Err(Lost::Protocol));
        assert!(guarded.is_open());
        broken.works.store(true, Relaxed);
        assert!(guarded.add("a", 1, LIFE).await.is_err(), "not yet");
        guarded.renew().await.unwrap();
        assert!(guarded.add("a", 1, LIFE).await.is_ok());
        assert!(!guarded.is_open());
    }
}
