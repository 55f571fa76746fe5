//! What operators ask: whether the process lives, can answer and has started, and its metrics.
//! Nothing here needs a credential, and nothing is recorded.

use crate::{
    answer,
    door::{Door, Readiness},
};
use axum::{Router, extract::State, response::Response, routing::get};
use serde_json::json;
use std::sync::Arc;

/// Prometheus text format.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn routes() -> Router<Arc<Door>> {
    Router::new()
        .route(
            "/health/live",
            get(async || answer::json(200, &json!({ "status": "live" }))),
        )
        .route("/health/ready", get(ready))
        .route("/health/startup", get(startup))
        .route("/metrics", get(metrics))
}

async fn ready(State(door): State<Arc<Door>>) -> Response {
    let readiness = (door.config.ready)();
    let is_ready = readiness.is_ready();
    let Readiness {
        started,
        lagging,
        failing,
        limited,
        draining,
        database,
        epoch,
        node,
        witnesses,
        searching,
        counts,
    } = &readiness;
    let status = match (is_ready, draining) {
        (true, _) => "ready",
        (false, true) => "draining",
        (false, false) => "not_ready",
    };
    let mut body = json!({
        "status": status, "started": started, "lagging": lagging, "failing": failing,
        "limited": limited, "database": database, "epoch": epoch, "node": node,
        "counts": counts,
    });
    if let (false, Some(body)) = (witnesses.is_empty(), body.as_object_mut()) {
        body.insert("witnesses".into(), json!(witnesses));
    }
    if let (Some(waiting), Some(body)) = (searching, body.as_object_mut()) {
        body.insert("search_waiting".into(), json!(waiting));
    }
    answer::json(if is_ready { 200 } else { 503 }, &body)
}

async fn startup(State(door): State<Arc<Door>>) -> Response {
    if (door.config.ready)().started {
        answer::json(200, &json!({ "status": "started" }))
    } else {
        answer::json(503, &json!({ "status": "starting" }))
    }
}

async fn metrics(State(door): State<Arc<Door>>) -> Response {
    answer::bytes(200, METRICS_TYPE, (door.config.metrics)())
}
