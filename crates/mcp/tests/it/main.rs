//! The door on a real store, called in process: both eras of the protocol, who sees which tool, what a call answers,
//! and what is refused before any of that.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

mod calls;
mod eras;
mod gate;
mod tools;
mod world;
