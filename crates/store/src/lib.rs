//! Where everything that must survive is kept: one function changes governed rows, and it writes their entry and
//! their changes in the same transaction. SQLite and PostgreSQL behind one code path. Decides nothing.

mod artefacts;
mod command;
mod conn;
mod entity;
mod error;
mod events;
mod execute;
pub mod faults;
mod head;
mod lanes;
mod load;
pub mod log;
mod log_rows;
mod meta;
mod migrate;
mod operate;
mod postgres;
mod reader;
mod record;
mod scan;
mod sqlite;
mod store;
mod touched;
mod tx;
mod value;

pub use command::{Committed, Idempotency, Moved, Plan};
pub use conn::Engine;
pub use entity::{Query, Versioned};
pub use error::{CommitError, Refusal, StoreError};
pub use events::{CheckpointRow, EventQuery, EventRow, Issues, Order};
pub use head::Head;
pub use load::{Load, Priority};
pub use meta::EPOCH;
pub use operate::Operational;
pub use reader::Reader;
pub use record::{Decided, Once, Prepared, Record, Recorded};
pub use scan::{Scan, StreamHead, Stretch};
pub use store::{FeedRow, Options, Store};
pub use tx::Tx;
