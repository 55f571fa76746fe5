//! Use cases on a real store, without a transport: set-up, the pipeline around operations, issue and introspection.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that cannot go on stops, and says where"
)]

mod agents;
mod attacks;
mod begin;
mod clock;
mod decisions;
mod directory;
mod governance;
mod revocation;
mod tokens;
mod upkeep;
mod world;
