//! Relations as a caller sees them: the modelling language, hostile cases by hand, and the engine against a
//! specification that is written to be read, not to be fast.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod checks;
mod differential;
mod fact;
mod generate;
mod language;
mod paths;
mod spec;
mod spec_cases;
mod suite;
