//! The decision API as applications, connections and agents meet it on the wire.

mod callers;
mod forward;
mod input;
mod relations;
mod roles;
mod scene;
mod search;
