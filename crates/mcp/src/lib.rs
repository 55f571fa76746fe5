//! The door for agents and their clients: the Model Context Protocol over streamable HTTP, by the official SDK.
//! Tools derive from the registry of operations. It authenticates nobody, decides nothing and keeps no session:
//! every request is answered from what came with it, so that any node answers any request.

mod answer;
mod arguments;
mod catalogue;
mod door;
mod places;
mod schema;

use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
};
use service::{Caller, OPERATIONS, Peer, Platform, View};
use std::sync::Arc;

pub use door::Door;

/// Who calls, as the layer in front found out. It puts this into the request's extensions; without it nothing is
/// listed and nothing is called.
#[derive(Clone)]
pub struct Session {
    /// The caller, authenticated in the organization of `view`.
    pub caller: Caller,
    /// The view on which the caller was authenticated. Each call takes a fresh one of the same organization.
    pub view: View,
    /// Where the request comes from; its door becomes `mcp`.
    pub peer: Peer,
}

/// The tower service of the door. It takes a request with any body of bytes, of at most `kernel::limits::BODY_BYTES`.
pub type McpService = StreamableHttpService<Door, NeverSessionManager>;

/// The door, to be mounted at `/o/{org}/mcp` behind the layer that puts `Session` into the request's extensions.
///
/// `Host` must be the public URL's or one of `allowed_hosts` (`name` for any port, or `name:port`); an `Origin`,
/// where a browser sends one, must be the public URL's.
pub fn service(platform: Arc<Platform>, allowed_hosts: Vec<String>) -> McpService {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts(places::hosts(&platform.public_url, allowed_hosts))
        .with_allowed_origins(places::origin(&platform.public_url))
        .enforce_origin_validation()
        .with_max_request_body_bytes(kernel::limits::BODY_BYTES);
    let door = Door::new(platform, OPERATIONS);
    StreamableHttpService::new(move || Ok(door.clone()), Arc::default(), config)
}
