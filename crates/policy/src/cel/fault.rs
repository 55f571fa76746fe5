//! Why an expression has no value, and the budget that it is evaluated on. A fault never holds a value of the request.

use kernel::limits::CONDITION_STEPS;
use std::borrow::Cow;
use std::fmt;

/// An expression without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It says something that has no value, such as a division by zero. `&&` and `||` may do without it.
    Error(Cow<'static, str>),
    /// It costs too much. Nothing goes on after this.
    Cost,
}

impl Fault {
    pub(super) const fn new(message: &'static str) -> Self {
        Self::Error(Cow::Borrowed(message))
    }

    pub(super) fn of(message: impl Into<String>) -> Self {
        Self::Error(Cow::Owned(message.into()))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(message) => f.write_str(message),
            Self::Cost => write!(f, "costs more than {CONDITION_STEPS} steps"),
        }
    }
}

/// What may still be spent, in steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    left: usize,
}

/// So many bytes read or made are one step.
const BYTES_PER_STEP: usize = 16;

impl Meter {
    pub(super) fn full() -> Self {
        Self::with(CONDITION_STEPS)
    }

    pub(super) fn with(left: usize) -> Self {
        Self {
            left: left.min(CONDITION_STEPS),
        }
    }

    /// What was spent of so much.
    pub(super) fn spent(self, of: usize) -> usize {
        of.min(CONDITION_STEPS) - self.left
    }

    pub(super) fn pay(&mut self, steps: usize) -> Result<(), Fault> {
        match self.left.checked_sub(steps) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(Fault::Cost)
            }
        }
    }

    pub(super) fn pay_bytes(&mut self, bytes: usize) -> Result<(), Fault> {
        self.pay(bytes / BYTES_PER_STEP)
    }
}
