//! What is wrong with a model and where it says so. A problem never holds more of the text than the names it is about.

use std::fmt;

/// A place in a text: both count from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

/// One thing that is wrong with a model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Problem {
    /// The file of a modular model.
    pub file: Option<String>,
    /// Where, when the model came as text.
    pub at: Option<Position>,
    /// What, and what to do about it.
    pub message: String,
}

impl Problem {
    pub(super) fn new(at: Option<Position>, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            file: None,
            at,
            message,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        if let Some(Position { line, column }) = self.at {
            write!(f, "line {line}, column {column}: ")?;
        }
        f.write_str(&self.message)
    }
}
