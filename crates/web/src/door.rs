//! What every door is given: the platform and the few facts of this process that HTTP needs.
//! Nothing here is read from a request.

use ipnet::IpNet;
use kernel::Code;
use service::Platform;
use std::{net::IpAddr, sync::Arc};

/// Streams that a readiness answer names at most.
const NAMED: usize = 20;

/// The means of the doors.
pub struct Door {
    /// The process's means.
    pub platform: Arc<Platform>,
    /// Facts of this process.
    pub config: DoorConfig,
}

/// Facts of this process that HTTP needs.
pub struct DoorConfig {
    /// Networks of proxies whose `X-Forwarded-For` and `Cardea-Organization` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The metrics in Prometheus text format, version 0.0.4.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether this process can answer now.
    pub ready: Arc<dyn Fn() -> Readiness + Send + Sync>,
}

/// Whether a process can answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// Whether the start is over.
    pub started: bool,
    /// Streams whose state cannot be proven current.
    pub lagging: Vec<String>,
    /// Other parts that do not work, by name.
    pub failing: Vec<String>,
    /// What is refused while decisions go on: `storage_full`, when nothing can be written but what takes authority
    /// away. Requests are still to be sent here.
    pub limited: Vec<String>,
}

impl Readiness {
    /// What the live state says of itself.
    pub fn of(platform: &Platform) -> Self {
        let (cells, boot) = (platform.node.cells(), platform.clock.boot());
        let streams = cells.revisions().into_iter().map(|(stream, _)| stream);
        let stale = streams.filter(|stream| !cells.is_fresh(*stream, boot));
        let lagging = stale.take(NAMED).map(|stream| stream.to_string()).collect();
        let full = platform.store.is_full();
        let limited = full.then(|| Code::StorageFull.as_str().to_owned());
        let limited = limited.into_iter().collect();
        Self {
            started: true,
            lagging,
            failing: Vec::new(),
            limited,
        }
    }
    /// Whether requests should be sent here.
    pub const fn is_ready(&self) -> bool {
        self.started && self.lagging.is_empty() && self.failing.is_empty()
    }
}

impl DoorConfig {
    /// Whether this address is a proxy that is believed.
    pub(crate) fn trusts(&self, ip: IpAddr) -> bool {
        self.trusted_proxies
            .iter()
            .any(|network| network.contains(&ip.to_canonical()))
    }
}
