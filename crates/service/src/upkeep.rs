//! What nobody asks for and must happen: keys rotated in time, runs closed after their deadline, one-time artefacts,
//! answers and revocations forgotten when they have ended, the log's tables made for the months ahead. Each failure
//! is logged and tried again an hour later.

use crate::{Platform, Result, keys, revocation, runs};
use domain::Stream;
use kernel::Micros;
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(3_600);
/// How long after its end something is forgotten, so that a clock that jumps and comes back makes nothing usable
/// twice.
const KEPT: Micros = Micros::seconds(3_600);
/// How much one transaction forgets: the writer is never held for long.
const AT_ONCE: u64 = 500;

/// Works for as long as the task lives.
pub async fn run(platform: Arc<Platform>) {
    let mut every = interval(EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        round(&platform).await;
    }
}

/// One round. Runs are looked for where they are held in memory: nowhere else does an overdue one cost anything.
pub async fn round(platform: &Platform) {
    if let Err(error) = forget(platform).await {
        tracing::warn!(%error, "what has ended was not forgotten; tried again in an hour");
    }
    if let Err(error) = platform.store.make_months(platform.clock.now()).await {
        tracing::warn!(%error, "the log's tables for the next months were not made; tried again in an hour");
    }
    let instance = platform.node.cells().instance();
    for org in instance.organizations().map(|org| org.id) {
        platform.gate.quiet().await;
        if let Err(error) = keys::rotate_due_keys(platform, Stream::org(org)).await {
            tracing::warn!(%org, %error, "signing keys were not rotated; tried again in an hour");
        }
        let loaded = platform.node.cells().is_loaded(org);
        if loaded && let Err(error) = runs::end_overdue(platform, org).await {
            tracing::warn!(%org, %error, "overdue runs were not closed; tried again in an hour");
        }
        if loaded && let Err(error) = revocation::compact(platform, org).await {
            tracing::warn!(%org, %error, "past revocations were not forgotten; tried again in an hour");
        }
    }
}

async fn forget(platform: &Platform) -> Result<()> {
    let before = platform
        .clock
        .now()
        .plus(Micros::seconds(-KEPT.as_seconds()));
    while platform.store.sweep(before, AT_ONCE).await? >= AT_ONCE {}
    Ok(())
}
