//! Outbound requests: the only place in the product that opens a socket to somebody else. Follows no redirect,
//! takes no proxy from the environment, speaks TLS 1.3 alone and reads no more than it was told to.

mod client;
mod error;
mod fast;
mod redis;
mod request;

pub use client::{Client, ClientOptions};
pub use error::Error;
pub use fast::{Counted, FastState, Guarded, Lost};
pub use redis::{Redis, RedisError};
pub use request::{Request, Response};
