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
    /// Whether this process is on its way out.
    pub draining: bool,
    /// What the database was when it was last looked at.
    pub database: &'static str,
    /// The database's epoch.
    pub epoch: u64,
    /// By what the other processes know this one.
    pub node: Option<String>,
    /// How the witnesses of checkpoints do. Nobody is turned away because one does not answer.
    pub witnesses: Vec<String>,
    /// Entries that searches of logs look through one by one, although they could be found faster; unknown where another
    /// node makes them so.
    pub searching: Option<u64>,
    /// Who counts requests and failures: `own` by itself, `shared` with the other nodes, `alone` while that is lost.
    pub counts: &'static str,
}

impl Readiness {
    /// What the live state says of itself.
    pub fn of(platform: &Platform) -> Self {
        let (cells, boot) = (platform.node.cells(), platform.clock.boot());
        let (late, _) = cells.loaded().lagging(boot, cells.bound());
        let late = late.iter().take(NAMED);
        let lagging = late.map(ToString::to_string).collect();
        let health = platform.node.health();
        let database = health.database;
        let mut failing = Vec::new();
        if !database.is_well() {
            failing.push(format!("database: {}", database.as_str()));
        }
        failing.extend(health.stuck.map(|thread| format!("thread: {thread}")));
        let full = platform.store.is_full();
        let limited = full.then(|| Code::StorageFull.as_str().to_owned());
        let limited = limited.into_iter().collect();
        Self {
            started: true,
            lagging,
            failing,
            limited,
            draining: platform.node.is_draining(),
            database: database.as_str(),
            epoch: platform.node.epoch(),
            node: platform.node.member().map(|member| member.name.clone()),
            witnesses: Vec::new(),
            searching: None,
            counts: match platform.gate.shared() {
                None => "own",
                Some(fast) if fast.is_open() => "alone",
                Some(_) => "shared",
            },
        }
    }
    /// Whether requests should be sent here.
    pub const fn is_ready(&self) -> bool {
        self.started && !self.draining && self.lagging.is_empty() && self.failing.is_empty()
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
