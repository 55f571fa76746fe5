//! Time and randomness for tests: both say only what the test has told them, so a run can be run again.
//! Never reads the machine's clock or its random source, and is never good enough for a secret.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use kernel::{Clock, Entropy, Micros, Monotonic, Timestamp};

/// A clock that stands still until it is moved.
///
/// Reads and moves may come from any thread; share it in an `Arc`.
#[derive(Debug)]
pub struct MockClock {
    wall: AtomicI64,
    boot: AtomicI64,
}

impl MockClock {
    /// A clock whose wall time is `now`, on a machine that has been up for an hour.
    pub fn at(now: Timestamp) -> Self {
        let up = Micros::seconds(3600).get();
        Self {
            wall: AtomicI64::new(now.micros()),
            boot: AtomicI64::new(up),
        }
    }

    /// Lets time pass on both clocks.
    ///
    /// # Panics
    /// When `length` is negative: the boot-time clock never goes back.
    pub fn advance(&self, length: Micros) {
        assert!(
            length.get() >= 0,
            "time passes forwards; `step` sets the wall clock back"
        );
        self.wall.fetch_add(length.get(), Ordering::SeqCst);
        self.boot.fetch_add(length.get(), Ordering::SeqCst);
    }

    /// Steps the wall clock alone, as an administrator or a time server does; negative goes back.
    pub fn step(&self, length: Micros) {
        self.wall.fetch_add(length.get(), Ordering::SeqCst);
    }
}

impl Default for MockClock {
    /// 2026-01-02T03:04:05Z: a moment with different digits in every place.
    fn default() -> Self {
        Self::at(Timestamp::from_seconds(1_767_323_045))
    }
}

impl Clock for MockClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.wall.load(Ordering::SeqCst))
    }

    fn boot(&self) -> Monotonic {
        Monotonic::from_micros(self.boot.load(Ordering::SeqCst))
    }
}

/// Bytes that look random and are the same for the same seed (SplitMix64).
#[derive(Debug)]
pub struct SeededEntropy {
    state: AtomicU64,
}

impl SeededEntropy {
    /// A source that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut mixed = self
            .state
            .fetch_add(STEP, Ordering::SeqCst)
            .wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        for part in out.chunks_mut(8) {
            let drawn = self.next().to_le_bytes();
            part.iter_mut()
                .zip(drawn)
                .for_each(|(byte, new)| *byte = new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_passes_on_both_clocks_and_a_step_moves_the_wall_alone() {
        let clock = MockClock::default();
        let (wall, boot) = (clock.now(), clock.boot());
        clock.advance(Micros::seconds(5));
        clock.step(Micros::seconds(-60));
        assert_eq!(clock.now().since(wall), Micros::seconds(-55));
        assert_eq!(clock.boot().since(boot), Micros::seconds(5));
    }

    #[test]
    #[should_panic(expected = "time passes forwards")]
    fn the_boot_clock_cannot_go_back() {
        MockClock::default().advance(Micros::new(-1));
    }

    #[test]
    fn the_default_moment_is_the_documented_one() {
        assert_eq!(
            MockClock::default().now().to_string(),
            "2026-01-02T03:04:05.000000Z"
        );
    }

    #[test]
    fn one_seed_gives_the_published_sequence_and_another_seed_another() {
        // The first two outputs of SplitMix64 from 1234567, as published with its reference code.
        let source = SeededEntropy::new(1_234_567);
        assert_eq!(source.next(), 6_457_827_717_110_365_317);
        assert_eq!(source.next(), 3_203_168_211_198_807_973);
        let draw = |seed| {
            let mut out = [0; 19];
            SeededEntropy::new(seed).fill(&mut out);
            out
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
