//! The process's metrics recorder, installed once however many servers a process starts. It keeps numbers and
//! renders them; what is measured is said where it happens.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;

/// What renders the metrics.
pub type Recorder = PrometheusHandle;

/// Upper bounds of latencies, in seconds.
const SECONDS: [f64; 12] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0,
];

static RECORDER: OnceLock<Result<Recorder, String>> = OnceLock::new();

/// The recorder of this process.
///
/// # Errors
/// When another recorder is installed.
pub fn recorder() -> Result<Recorder, String> {
    RECORDER.get_or_init(install).clone()
}

fn install() -> Result<Recorder, String> {
    let builder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .map_err(|error| error.to_string())?;
    let recorder = builder
        .install_recorder()
        .map_err(|error| error.to_string())?;
    metrics::describe_gauge!(
        "cardea_build_info",
        "Always 1; the label says which build answers."
    );
    metrics::describe_counter!(
        "cardea_introspections_total",
        "Introspections by kind of caller and answer."
    );
    metrics::describe_gauge!(
        "cardea_circuit_state",
        "The circuit in front of a dependency: 0 closed, 1 trying, 2 open."
    );
    metrics::gauge!("cardea_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(recorder)
}

/// Moves what was measured into its buckets; needed now and then so that it does not pile up between scrapes.
pub fn upkeep() {
    if let Some(Ok(recorder)) = RECORDER.get() {
        recorder.run_upkeep();
    }
}
