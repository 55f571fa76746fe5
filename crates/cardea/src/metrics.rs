//! The process's metrics recorder, installed once however many servers a process starts. It keeps numbers and
//! renders them; what is measured is said where it happens.

use kernel::Micros;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use service::Platform;
use std::{sync::OnceLock, time::Duration};

/// What renders the metrics.
pub type Recorder = PrometheusHandle;

/// Upper bounds of latencies, in seconds.
const SECONDS: [f64; 12] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0,
];

const AGE: &str = "cardea_state_age_seconds";
const LATE: &str = "cardea_stale_streams";
const LOADED: &str = "cardea_loaded_organizations";
const EPOCH: &str = "cardea_database_epoch";
const WELL: &str = "cardea_database_primary";

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
    metrics::describe_gauge!(
        AGE,
        metrics::Unit::Seconds,
        "For how long the oldest loaded state was not proven current; scale or look when it nears the bound."
    );
    metrics::describe_gauge!(
        LATE,
        "Loaded streams that permit nothing because they are not proven current."
    );
    metrics::describe_gauge!(
        LOADED,
        "Organizations whose state this node holds in memory."
    );
    metrics::describe_gauge!(EPOCH, "The epoch of the database this node follows.");
    metrics::describe_gauge!(WELL, "1 while the database answers and takes writes.");
    metrics::gauge!("cardea_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(recorder)
}

/// Says how the live state of a server is.
pub fn live(platform: &Platform) {
    let node = &platform.node;
    let (cells, boot) = (node.cells(), platform.clock.boot());
    let loaded = cells.loaded();
    let (late, oldest) = loaded.lagging(boot, cells.bound());
    metrics::gauge!(AGE).set(seconds(oldest));
    metrics::gauge!(LATE).set(count(late.len()));
    metrics::gauge!(LOADED).set(count(loaded.len() - 1));
    metrics::gauge!(EPOCH).set(f64::from(u32::try_from(node.epoch()).unwrap_or(u32::MAX)));
    let well = node.health().database.is_well();
    metrics::gauge!(WELL).set(f64::from(u8::from(well)));
}

fn seconds(length: Micros) -> f64 {
    Duration::from_micros(length.get().unsigned_abs()).as_secs_f64()
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

/// Moves what was measured into its buckets; needed now and then so that it does not pile up between scrapes.
pub fn upkeep() {
    if let Some(Ok(recorder)) = RECORDER.get() {
        recorder.run_upkeep();
    }
}
