//! The revocation feed of an organization: what stopped being good, in the order of the state's revisions, as signed
//! batches that a resource server verifies with the published keys alone (SIG-2). It answers nothing about a token.

mod batch;
mod event;
mod follow;
mod hub;
mod reader;

pub use batch::{Batch, EVENT_TYPE, MEDIA_TYPE};
pub use follow::{Follower, follow, poll, snapshot};
pub use hub::Hub;
