//! The server engine. Placeholder until its threads exist.

use crate::{
    Engine, Options, StoreError,
    command::Command,
    conn::{Backend, Role, Work},
    record::Waiting,
};

/// Connections.
pub(crate) struct Postgres;

impl Postgres {
    pub(crate) fn open(_url: &str, _options: &Options) -> Result<Self, StoreError> {
        Err(StoreError::Migration(
            "this build cannot use a server".into(),
        ))
    }
}

impl Backend for Postgres {
    fn engine(&self) -> Engine {
        Engine::Postgres
    }
    fn commit(&self, _: Box<dyn Command>) -> Result<(), StoreError> {
        Err(StoreError::closed())
    }
    fn record(&self, _: Waiting) -> Result<(), StoreError> {
        Err(StoreError::closed())
    }
    fn write(&self, _: Role, _: Box<dyn Work>) -> Result<(), StoreError> {
        Err(StoreError::closed())
    }
    fn read(&self, _: Role, _: Box<dyn Work>) -> Result<(), StoreError> {
        Err(StoreError::closed())
    }
    fn close(&self) {}
}
