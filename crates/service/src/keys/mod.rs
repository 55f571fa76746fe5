//! Signing keys of an organization: showing them and letting a new one take over. Private halves are never shown.

mod list;
mod rotate;
mod rotate_log;

pub use list::ListKeys;
pub use rotate::RotateKeys;
pub(crate) use rotate::rotate_due_keys;
pub use rotate_log::{Output as LogKeyRotated, RotateLogKey, rotate_instance_log};
