//! One organization's requests in the present second. Shared with other nodes a portion at a time, so that a request
//! rarely waits for the shared counts; without them a node allows half of the quota by itself.

use egress::{Counted, Guarded};
use kernel::{Micros, Monotonic};
use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

const SECOND: Micros = Micros::seconds(1);
/// The largest portion is one of so many of a second's quota.
const PORTIONS: u64 = 20;

#[derive(Debug)]
struct Window {
    until: Monotonic,
    /// The quota it was opened under; another one takes hold at once.
    most: u64,
    left: u64,
    /// Whether there is no more to be had in this second.
    closed: bool,
    /// How many to ask for next: one at first, then twice as many each time, so that a node with little to do takes
    /// little from the others.
    next: u64,
    /// With this many left, four fifths of the quota are used.
    near: Option<u64>,
}

/// So many more, until then.
struct Grant {
    more: u64,
    last: bool,
    until: Monotonic,
    near: Option<u64>,
}

/// The requests of one organization.
#[derive(Debug)]
pub(super) struct Rate {
    window: Mutex<Window>,
    /// Held by the one request that asks for the next portion; the others wait for what it gets.
    asking: tokio::sync::Mutex<()>,
    near: AtomicBool,
}

impl Default for Rate {
    fn default() -> Self {
        let window = Window {
            until: Monotonic::from_micros(i64::MIN),
            most: 0,
            left: 0,
            closed: false,
            next: 1,
            near: None,
        };
        Self {
            window: Mutex::new(window),
            asking: tokio::sync::Mutex::default(),
            near: AtomicBool::new(false),
        }
    }
}

impl Rate {
    fn window(&self, most: u64, now: Monotonic) -> MutexGuard<'_, Window> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.until <= now || window.most != most {
            *window = Window {
                until: later(now, Duration::from_secs(1)),
                most,
                left: 0,
                closed: false,
                next: 1,
                near: None,
            };
        }
        window
    }

    /// Whether one more is within `most` in this second.
    pub(super) async fn take(
        &self,
        most: u64,
        shared: Option<(&Guarded, impl Fn() -> String)>,
        now: Monotonic,
    ) -> bool {
        if let Some(known) = self.known(most, now) {
            return known;
        }
        let Some((fast, key)) = shared else {
            return self.granted(&alone(most, now), most, now);
        };
        let _one = self.asking.lock().await;
        if let Some(known) = self.known(most, now) {
            return known;
        }
        let portion = self.portion(most, now);
        let grant = match fast.add(&key(), portion, Duration::from_secs(1)).await {
            Ok(counted) => together(counted, portion, most, now),
            Err(_) => alone((most / 2).max(1), now),
        };
        self.granted(&grant, most, now)
    }

    fn portion(&self, most: u64, now: Monotonic) -> u64 {
        let mut window = self.window(most, now);
        let portion = window.next.min((most / PORTIONS).max(1));
        window.next = portion.saturating_mul(2);
        portion
    }

    fn known(&self, most: u64, now: Monotonic) -> Option<bool> {
        let mut window = self.window(most, now);
        let closed = window.closed;
        self.one(&mut window).or(closed.then_some(false))
    }

    fn granted(&self, grant: &Grant, most: u64, now: Monotonic) -> bool {
        let mut window = self.window(most, now);
        if !window.closed {
            window.left += grant.more;
            window.closed = grant.last;
            window.until = grant.until;
            window.near = grant.near;
        }
        self.one(&mut window).unwrap_or(false)
    }

    fn one(&self, window: &mut Window) -> Option<bool> {
        window.left = window.left.checked_sub(1)?;
        if window.near.is_some_and(|near| window.left <= near) {
            self.near.store(true, Relaxed);
        }
        Some(true)
    }

    /// Whether four fifths were used in any second since this was last asked.
    pub(super) fn take_near(&self) -> bool {
        self.near.swap(false, Relaxed)
    }
}

fn alone(most: u64, now: Monotonic) -> Grant {
    Grant {
        more: most,
        last: true,
        until: later(now, Duration::from_secs(1)),
        near: Some(most / 5),
    }
}

/// The portion, less what all nodes together have had beyond the quota; until the shared count begins anew.
fn together(counted: Counted, portion: u64, most: u64, now: Monotonic) -> Grant {
    let more = portion.saturating_sub(counted.count.saturating_sub(most));
    Grant {
        more,
        last: more < portion,
        until: later(now, counted.left),
        near: is_near(counted.count, most).then_some(u64::MAX),
    }
}

fn later(now: Monotonic, by: Duration) -> Monotonic {
    let micros = i64::try_from(by.as_micros()).unwrap_or(SECOND.get());
    Monotonic::from_micros(now.micros().saturating_add(micros))
}

/// Whether so many are four fifths of a quota.
fn is_near(count: u64, most: u64) -> bool {
    count.saturating_mul(5) >= most.saturating_mul(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn so_many_a_second_and_no_more() {
        let rate = Rate::default();
        let at = |millis: i64| Monotonic::from_micros(millis * 1_000);
        let nobody = || None::<(&Guarded, fn() -> String)>;
        for _ in 0..3 {
            assert!(rate.take(3, nobody(), at(1_100)).await);
        }
        assert!(!rate.take(3, nobody(), at(2_099)).await);
        assert!(rate.take(3, nobody(), at(2_100)).await);
        assert!(rate.take(1, nobody(), at(2_100)).await);
        assert!(!rate.take(1, nobody(), at(2_101)).await, "lowered at once");
    }

    #[tokio::test]
    async fn four_fifths_are_noticed_and_less_is_not() {
        let rate = Rate::default();
        let now = Monotonic::from_micros(1);
        for n in 1..=10 {
            rate.take(10, None::<(&Guarded, fn() -> String)>, now).await;
            assert_eq!(rate.take_near(), n >= 8, "{n}");
        }
    }

    /// What another node leaves of a quota of a hundred.
    struct Others(std::sync::atomic::AtomicU64);
    impl egress::FastState for Others {
        fn add<'a>(
            &'a self,
            _: &'a str,
            amount: u64,
            _: Duration,
        ) -> futures::future::BoxFuture<'a, Result<Counted, egress::Lost>> {
            let count = self.0.fetch_add(amount, Relaxed) + amount;
            let left = Duration::from_millis(300);
            Box::pin(async move { Ok(Counted { count, left }) })
        }
        fn renew(&self) -> futures::future::BoxFuture<'_, Result<(), egress::Lost>> {
            Box::pin(async { Ok(()) })
        }
    }

    #[tokio::test]
    async fn a_second_is_the_shared_one_and_not_the_nodes_own() {
        let others = std::sync::Arc::new(Others(97.into()));
        let fast = Guarded::new(others.clone());
        fast.renew().await.unwrap();
        let (rate, at) = (Rate::default(), |millis: i64| {
            Monotonic::from_micros(millis * 1_000)
        });
        let take = async |millis| {
            let shared = (&fast, || "key".to_owned());
            rate.take(100, Some(shared), at(millis)).await
        };
        for expected in [true, true, true, false, false] {
            assert_eq!(take(10).await, expected);
        }
        assert!(rate.take_near());
        others.0.store(0, Relaxed);
        assert!(!take(309).await, "the shared second is not over");
        assert!(take(310).await, "and no longer than that");
    }

    #[tokio::test]
    async fn who_asks_little_takes_little() {
        let others = std::sync::Arc::new(Others(0.into()));
        let fast = Guarded::new(others.clone());
        fast.renew().await.unwrap();
        let rate = Rate::default();
        let now = Monotonic::from_micros(1);
        let mut taken = Vec::new();
        for _ in 0..9 {
            let shared = (&fast, || "key".to_owned());
            assert!(rate.take(100, Some(shared), now).await);
            taken.push(others.0.load(Relaxed));
        }
        assert_eq!(
            taken,
            [1, 3, 3, 7, 7, 7, 7, 12, 12],
            "no portion above five"
        );
    }
}
