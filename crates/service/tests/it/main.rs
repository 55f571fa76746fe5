//! Use cases on a real store, without a transport: set-up, the pipeline around operations, issue and introspection.

mod begin;
mod world;
