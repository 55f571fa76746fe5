//! Three-valued truth, after Kleene: a condition that lacks a value is neither true nor false, and what follows from it
//! is unknown only where it matters. Conditions themselves are evaluated elsewhere, behind one trait.

use std::collections::BTreeSet;

/// Whether something holds. The order is that of certainty to permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Truth {
    /// It does not.
    False,
    /// It depends on what is not known.
    Unknown,
    /// It does.
    True,
}

impl Truth {
    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.min(other)
    }
    /// One of them holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.max(other)
    }
    /// It does not hold.
    #[must_use]
    pub const fn negated(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

/// The values that a tuple carries for its condition.
pub type Context = serde_json::Map<String, serde_json::Value>;

/// What a condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It holds.
    Yes,
    /// It does not hold.
    No,
    /// These parameters have no value.
    Missing(Vec<String>),
    /// It says neither, for a reason that more values do not change.
    Failed(Failure),
}

/// Why a condition says nothing. It never holds a value that somebody sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Failure {
    /// A value is not of its parameter's type.
    #[error("condition `{condition}`: parameter `{parameter}` {message}")]
    Value {
        /// The condition.
        condition: String,
        /// The parameter.
        parameter: String,
        /// What it takes.
        message: String,
    },
    /// The expression has no value for these parameters, such as a division by zero.
    #[error("condition `{condition}`: {message}")]
    Evaluation {
        /// The condition.
        condition: String,
        /// What went wrong.
        message: String,
    },
    /// It costs more than it may.
    #[error("condition `{condition}`: {message}")]
    Cost {
        /// The condition.
        condition: String,
        /// Which bound was met.
        message: String,
    },
    /// There is no such condition.
    #[error("condition `{0}` is not in the model")]
    Unknown(String),
}

/// What stands between a question and a definite answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsettled {
    /// Parameters without a value.
    pub missing: BTreeSet<String>,
    /// Conditions that say nothing.
    pub failed: BTreeSet<Failure>,
}

/// Evaluates the conditions of a model for one request, whose own context an implementation holds. The same condition
/// and context give the same answer as long as it lives, or `Failed` once it has been asked too much; a value of the
/// tuple wins over the request's. Whatever goes wrong while evaluating is `Missing` or `Failed`, never `Yes` and never
/// `No`: what is taken away under such a condition is not given back.
pub trait Conditions {
    /// Whether a condition of the model holds with what a tuple carries.
    fn holds(&self, condition: &str, context: Option<&Context>) -> Holds;
}

#[cfg(test)]
mod tests {
    use super::Truth::{self, False, True, Unknown};

    #[test]
    fn truth_follows_kleene() {
        let all = [False, Unknown, True];
        let and: Vec<Truth> = all.iter().flat_map(|a| all.map(|b| a.and(b))).collect();
        assert_eq!(
            and,
            [
                False, False, False, False, Unknown, Unknown, False, Unknown, True
            ]
        );
        let or: Vec<Truth> = all.iter().flat_map(|a| all.map(|b| a.or(b))).collect();
        assert_eq!(
            or,
            [
                False, Unknown, True, Unknown, Unknown, True, True, True, True
            ]
        );
        assert_eq!(all.map(Truth::negated), [True, Unknown, False]);
    }
}
