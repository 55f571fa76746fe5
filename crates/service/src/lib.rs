//! Use cases: management operations, the authorization server, set-up and the log's services. No transport,
//! no SQL: doors call in with plain data, and what is decided is decided on one view.

pub mod access;
mod again;
mod agents;
mod audit;
mod bounds;
mod caller;
pub mod checkpoint;
mod connections;
mod cx;
mod directory;
mod dispatch;
mod error;
pub mod feed;
pub mod gate;
mod keys;
pub mod log;
mod node;
pub mod oauth;
mod operation;
mod page;
mod pipeline;
mod platform;
mod redact;
mod registry;
mod revocation;
mod runs;
pub mod sealing;
pub mod secret;
mod settings;
pub mod setup;
mod tokens;
mod trust;
pub mod upkeep;
pub mod witness;

pub use audit::{Act, Failures, SubjectKeys, Verb, flush_failures, new_subject_key, record_own};
pub use caller::{CREDENTIAL_CLAIM, Caller, Leaf, authenticate, organization_of, still};
pub use cx::{Cx, Done, Envelope, Peer};
pub use error::{Error, Result};
pub use live::View;
pub use node::{Database, Health, Node};
pub use operation::{Answer, Erased, Guard, Meta, Method, Operation, Target, parse_input};
pub use page::{Page, PageQuery};
pub use platform::Platform;
pub use registry::OPERATIONS;
pub use store::{Options as StoreOptions, Store};
