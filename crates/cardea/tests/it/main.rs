//! The product through its own doors, on both engines: every test starts a server of its own and speaks HTTP to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a test that cannot go on stops, and says where"
)]

#[macro_use]
mod world;

mod calls;
mod canary;
mod demo;
mod docs;
mod durable;
mod interop;
mod kill;
mod metrics;
mod foreign;
mod heads;
mod input;
mod raw;
mod permission_table;
mod program;
mod road;
mod tamper;
mod tour;
