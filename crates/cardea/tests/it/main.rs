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

mod ancestors;
mod authzen;
mod calls;
mod canary;
mod capabilities;
mod cli;
mod decision_log;
mod demo;
mod docs;
mod durable;
mod failover;
mod fast_state;
mod faults;
mod feed;
mod foreign;
mod full;
mod heads;
mod hinge;
mod input;
mod interop;
mod kill;
mod lineage;
mod metrics;
mod neg_agents;
mod neg_clients;
mod neg_log;
mod neg_tokens;
mod neg_trust;
mod nodes;
mod offline;
mod once;
mod permission_table;
mod program;
mod proofs;
mod quotas;
mod races;
mod raw;
mod relations;
mod road;
mod scene;
mod tamper;
mod tour;
mod witness;
