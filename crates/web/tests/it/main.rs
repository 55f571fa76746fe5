//! The doors on a real store: what is read, what is refused and in which form, and that the server has no patience
//! with slow clients. What operations decide is tested elsewhere.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

mod api;
mod authzen;
mod entrance;
mod oauth;
mod server;
mod tools;
mod turns;
mod world;
