//! A clock that no step of the wall clock makes young again: what has expired stays expired. It corrects nothing
//! else; a wall clock that is ahead is believed.

use crate::{Clock, Monotonic, Timestamp};
use std::sync::Arc;

/// The wall clock, but never before what it said at the start and the time that has passed since by the boot-time
/// clock. A clock that was ahead at the start and was set right later is followed after the next start.
pub struct Steady {
    clock: Arc<dyn Clock>,
    wall: Timestamp,
    boot: Monotonic,
}

impl Steady {
    /// Begins now.
    pub fn over(clock: Arc<dyn Clock>) -> Self {
        let (wall, boot) = (clock.now(), clock.boot());
        Self { clock, wall, boot }
    }
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        let least = self.wall.plus(self.clock.boot().since(self.boot));
        self.clock.now().max(least)
    }

    fn boot(&self) -> Monotonic {
        self.clock.boot()
    }
}
