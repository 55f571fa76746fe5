//! What every other crate may lean on: typed identifiers, time and randomness as parameters,
//! secrets that do not print, the registry of error codes and the one table of limits.
//! Nothing here is asynchronous, does I/O or knows a wire format.

pub mod ambient;
pub mod code;
mod context;
mod id;
pub mod limits;
mod steady;
mod time;

pub use code::Code;
pub use context::{Clock, Entropy};
pub use id::{
    Agent, Approval, Assignment, AuthorizationModel, Connection, Dispatch, Event, Grant, Id,
    IdError, Kind, Org, RelationStore, Role, Rotation, Run, SigningKeyId, Token, User,
};
pub use secrecy::{ExposeSecret, SecretBox, SecretString};
pub use steady::Steady;
pub use time::{Micros, Monotonic, Timestamp};
