//! What tests stand on: a clock that moves when told, randomness from a seed, a PostgreSQL of their own, alone or with
//! a standby, a wire that can be cut, a disk that fills up, and the clients of other projects. Development only: no product code depends on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a fixture that cannot stand fails the test where it is asked for, and says why"
)]

pub mod certificates;
pub mod clock;
pub mod disk;
pub mod postgres;
pub mod proxy;
pub mod redis;
pub mod sqlite;
pub mod tools;

use std::path::{Path, PathBuf};

/// The folder of this workspace.
pub fn workspace() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates
        .and_then(Path::parent)
        .expect("the crate lies two folders below the workspace")
        .to_owned()
}
