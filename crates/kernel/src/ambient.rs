//! The machine's own clock and random source: the only place in the product that reads them.
//! Everything else receives them through `Clock` and `Entropy`.

use crate::{Clock, Entropy, Monotonic, Timestamp};
use std::cell::RefCell;

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

/// The longest draw that comes out of a thread's block; keys and secrets are longer and drawn by themselves.
const SMALL: usize = 16;
const BLOCK: usize = 512;

/// Bytes of the library's output that this thread has not given away yet. Each is given away once and wiped.
struct Block {
    bytes: [u8; BLOCK],
    used: usize,
}

thread_local! {
    static REST: RefCell<Block> = const {
        RefCell::new(Block {
            bytes: [0; BLOCK],
            used: BLOCK,
        })
    };
}

fn draw(out: &mut [u8]) {
    #[expect(clippy::disallowed_methods, reason = "the one reader of randomness")]
    let drawn = aws_lc_rs::rand::fill(out);
    if drawn.is_err() {
        // Without randomness no secret can be made: going on would be worse than stopping.
        std::process::abort();
    }
}

impl Block {
    fn give(&mut self, out: &mut [u8]) {
        if BLOCK - self.used < out.len() {
            draw(&mut self.bytes);
            self.used = 0;
        }
        let next = self.bytes.iter_mut().skip(self.used);
        for (to, from) in out.iter_mut().zip(next) {
            *to = std::mem::take(from);
        }
        self.used += out.len();
    }
}

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        if out.len() > SMALL {
            return draw(out);
        }
        REST.with_borrow_mut(|rest| rest.give(out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_byte_is_given_away_twice() {
        let mut seen = HashSet::new();
        for _ in 0..10_000 {
            let mut out = [0; SMALL];
            SystemEntropy.fill(&mut out);
            assert!(seen.insert(out));
        }
        let elsewhere = std::thread::spawn(|| {
            let mut out = [0; SMALL];
            SystemEntropy.fill(&mut out);
            out
        });
        assert!(seen.insert(elsewhere.join().unwrap()));
        REST.with_borrow(|rest| {
            assert!(rest.bytes.iter().take(rest.used).all(|byte| *byte == 0));
        });
    }
}
