//! The HTTP doors: management API, OAuth endpoints, the OpenFGA API, MCP mount, health and the set-up page. Doors read requests
//! strictly and write answers; they decide nothing and hold no state of their own.

mod answer;
mod api;
mod arrival;
mod auth;
mod authzen;
mod body;
mod door;
mod enter;
mod fga;
mod health;
mod host;
mod json;
mod oauth;
mod openapi;
mod pages;
mod patience;
mod router;
mod series;
mod serve;
mod sources;
mod tls;
mod tools;
mod turn;

pub use arrival::Socket;
pub use door::{Door, DoorConfig, Readiness};
pub use openapi::openapi;
pub use router::router;
pub use serve::{listen, serve};
pub use tls::{Encryption, TlsError};
