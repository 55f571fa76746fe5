//! Conditions as a caller sees them: what an expression may say, what a value may be, what is refused when a model is
//! saved, what an evaluation may cost, and a suite in the form of the public ones through the relation engine.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod ask;
mod bounds;
mod hostile;
mod language;
mod parameters;
mod refusals;
mod suite;
