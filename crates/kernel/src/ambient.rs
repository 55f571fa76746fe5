//! The machine's own clock and random source: the only place in the product that reads them.
//! Everything else receives them through `Clock` and `Entropy`.

use crate::{Clock, Entropy, Monotonic, Timestamp};

/// The machine's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one reader of wall time")]
        let now = jiff::Timestamp::now();
        Timestamp::from_micros(now.as_microsecond())
    }

    fn boot(&self) -> Monotonic {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Monotonic::from_micros(t.tv_sec * 1_000_000 + t.tv_nsec / 1_000)
    }
}

/// The operating system's random source, through the cryptographic library.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "the one reader of randomness")]
        let drawn = aws_lc_rs::rand::fill(out);
        if drawn.is_err() {
            // Without randomness no secret can be made: going on would be worse than stopping.
            std::process::abort();
        }
    }
}
