//! Time and randomness as parameters, so that every rule can be run again with the same answer.
//! The implementations that read the machine live in `ambient` and are chosen once, in the binary.

use crate::{Monotonic, Timestamp};

/// Where the present comes from.
pub trait Clock: Send + Sync {
    /// Wall time, UTC. It may step; nothing that withholds authority may rely on it alone.
    fn now(&self) -> Timestamp;
    /// Time since the machine started, suspend included. It never steps back.
    fn boot(&self) -> Monotonic;
}

/// Where unpredictable bytes come from.
pub trait Entropy: Send + Sync {
    /// Fills `out` with bytes nobody can guess. An implementation that cannot do so ends the process.
    fn fill(&self, out: &mut [u8]);
}

/// Draws a fixed number of unpredictable bytes.
pub fn random<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

impl dyn Entropy + '_ {
    /// `N` unpredictable bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        random(self)
    }

    /// An unpredictable 64-bit number.
    pub fn number(&self) -> u64 {
        u64::from_be_bytes(self.bytes())
    }
}
