//! The binary's inside: configuration, the data folder, wiring of one server, the command line and the story that
//! `cardea demo` plays. It decides nothing about access; tests start servers from here.

mod certificate;
mod command;
pub mod config;
mod control;
pub mod data;
pub mod demo;
pub mod instance;
pub mod local;
mod metrics;
pub mod server;
mod telemetry;
pub mod verify;

pub use command::{main, run};
