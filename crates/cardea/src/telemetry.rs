//! Logs of this process: text to a terminal, JSON lines to anything else, always to the error stream so that the
//! output of commands stays clean. What is secret has a type that does not print.

use std::io::{IsTerminal, stderr};
use tracing_subscriber::{EnvFilter, fmt};

/// The access log is off unless asked for with `CARDEA_LOG=info,access=info`.
const SERVER: &str = "info,access=warn";
/// The MCP library tells what callers send, arguments and all, so only its errors are written.
const MCP: &str = "rmcp=error";

/// Starts logging at the level that `CARDEA_LOG` names, or at that of a server. A second start changes nothing.
pub fn start() {
    let named = std::env::var("CARDEA_LOG")
        .ok()
        .and_then(|text| EnvFilter::try_new(format!("{text},{MCP}")).ok());
    let filter = named.unwrap_or_else(|| EnvFilter::new(format!("{SERVER},{MCP}")));
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        // Told of where it cannot be told, as when a full disk holds the log, it would end the thread that logs.
        .log_internal_errors(false)
        // Without colours, which would take another crate: with them switched on it would end the process.
        .with_ansi(false);
    // Another subscriber stays: a test that starts two servers has one already.
    let _already = if stderr().is_terminal() {
        lines.try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
}
