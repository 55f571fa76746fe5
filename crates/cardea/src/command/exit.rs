//! How a command ends: an exit code that scripts can use, and a text that names the remedy.

use kernel::Code;
use std::fmt;

/// Everything went well.
pub const OK: u8 = 0;
/// The server, or the product, refused.
pub const REFUSED: u8 = 1;
/// The command line is wrong.
pub const USAGE: u8 = 2;
/// What was asked for exists already, changed meanwhile, or is not there.
pub const CONFLICT: u8 = 3;
/// Nobody answered.
pub const UNREACHABLE: u8 = 4;

/// A command that did not do what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: u8,
    /// What happened and what to do.
    pub text: String,
    /// Whether the text is for programs, and nothing of people's may stand before it.
    pub machine: bool,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: u8, text: impl fmt::Display) -> Self {
        Self {
            exit,
            text: text.to_string(),
            machine: false,
        }
    }
    /// It was refused.
    pub fn refused(text: impl fmt::Display) -> Self {
        Self::new(REFUSED, text)
    }
    /// The command line is wrong.
    pub fn usage(text: impl fmt::Display) -> Self {
        Self::new(USAGE, text)
    }
    /// Nobody answered.
    pub fn unreachable(text: impl fmt::Display) -> Self {
        Self::new(UNREACHABLE, text)
    }
    /// The exit code that goes with an HTTP status.
    pub const fn of_status(status: u16) -> u8 {
        match status {
            200..=299 => OK,
            404 | 409 | 412 => CONFLICT,
            502..=504 => UNREACHABLE,
            _ => REFUSED,
        }
    }
    /// The exit code that goes with a stable error code.
    pub fn of_code(code: &str) -> u8 {
        let known = Code::ALL.iter().find(|known| known.as_str() == code);
        known.map_or(REFUSED, |known| Self::of_status(known.status()))
    }
}

impl From<egress::Error> for Failure {
    fn from(error: egress::Error) -> Self {
        Self::new(
            if error.is_unreachable() {
                UNREACHABLE
            } else {
                REFUSED
            },
            error,
        )
    }
}
