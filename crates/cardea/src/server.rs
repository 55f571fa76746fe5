//! A running server: an open instance, its background tasks and its listener. Starts whole or not at all, and
//! ends in order: no new requests, those in flight finished, counts and checkpoints written, database closed.

use crate::{
    certificate::{Certificate, CertificateError},
    config::TlsFiles,
    control::Control,
    data::{self, Data, DataError},
    instance::{Instance, OpenError, Opening},
    metrics,
};
use ipnet::IpNet;
use kernel::{Clock, Entropy, Micros, SecretString, ambient, limits};
use service::{
    Platform, checkpoint,
    decisions::{enter_decisions, write_decisions},
    flush_failures,
    log::Searching,
    quotas::{Warned, warn_of_rates},
    upkeep,
    witness::{self, Witnesses},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use store::Member;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
};
use web::{Door, DoorConfig, Readiness};

const WATCH: Duration = Duration::from_secs(1);
const FLUSH: Duration = Duration::from_secs(30);
const MINUTE: Micros = Micros::seconds(60);

/// What to serve, and where.
#[derive(Clone)]
pub struct Options {
    /// The data folder.
    pub data: PathBuf,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The public origin; without one, the stored one, or `http://localhost:<port>`.
    pub public_url: Option<String>,
    /// The database server; absent for the embedded database.
    pub database_url: Option<SecretString>,
    /// The listener's certificate and key; without them it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Counts that nodes share: a Redis or Valkey server.
    pub redis_url: Option<SecretString>,
    /// The instance key, where it is not in the data folder.
    pub instance_key: Option<PathBuf>,
    /// Networks of proxies that are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// How old a view may be when a permit leaves.
    pub max_staleness: Micros,
    /// How long requests are still taken after the server was told to stop, so that whoever sends them notices.
    pub grace: Duration,
    /// Who is given checkpoints.
    pub witness: witness::Config,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Options {
    /// A server on a free loopback port, with the embedded database and the machine's time and randomness.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            public_url: None,
            database_url: None,
            tls: None,
            redis_url: None,
            instance_key: None,
            trusted_proxies: Vec::new(),
            max_staleness: limits::STALENESS,
            grace: Duration::ZERO,
            witness: witness::Config::default(),
            clock: Arc::new(ambient::SystemClock),
            entropy: Arc::new(ambient::SystemEntropy),
        }
    }

    fn opening(&self) -> Opening {
        Opening {
            data: self.data.clone(),
            database_url: self.database_url.clone(),
            redis_url: self.redis_url.clone(),
            instance_key: self.instance_key.clone(),
            public_url: self.public_url.clone(),
            max_staleness: self.max_staleness,
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing can be heard there.
    #[error("{0} cannot be listened on: {1}; name another address with `--listen`")]
    Listen(SocketAddr, io::Error),
    /// The instance cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Nothing can be encrypted.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Nothing can be sent to a witness.
    #[error("checkpoints cannot be sent to a witness: {0}")]
    Witness(String),
    /// The metrics cannot be kept.
    #[error("metrics cannot be kept: {0}")]
    Metrics(String),
}

impl From<DataError> for StartError {
    fn from(error: DataError) -> Self {
        Self::Open(error.into())
    }
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    instance: Instance,
    tasks: JoinSet<()>,
    witnesses: Arc<Witnesses>,
    /// The witnesses' own: they outlast the others, which sign for them.
    _witnessing: JoinSet<()>,
    listener: JoinHandle<()>,
    stop: oneshot::Sender<()>,
    control: Option<Control>,
    grace: Duration,
}

impl Server {
    /// Starts a server; when it returns, requests are answered.
    ///
    /// # Errors
    /// When the folder is held, the address is taken, or key, database or public URL do not fit.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let grace = options.grace;
        let metrics = metrics::recorder().map_err(StartError::Metrics)?;
        let held = Data::open(&options.data)?.hold()?;
        let failed = |error| StartError::Listen(options.listen, error);
        let listener = web::listen(options.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let certificate = options.tls.clone().map(Certificate::load).transpose()?;
        let certificate = certificate.map(Arc::new);
        let scheme = if certificate.is_some() {
            "https"
        } else {
            "http"
        };
        let default_url = format!("{scheme}://localhost:{}", address.port());
        let instance = Instance::open_held(options.opening(), held, &default_url).await?;
        let platform = instance.platform.clone();
        let proxies = options.trusted_proxies.clone();
        platform
            .node
            .join(member(&platform))
            .await
            .map_err(OpenError::from)?;
        renew(&platform).await;
        let mut tasks = JoinSet::new();
        let mut witnessing = JoinSet::new();
        let started = Witnesses::start(&options.witness, &platform.clock, &mut witnessing);
        let failed = |error: egress::Error| StartError::Witness(error.to_string());
        let witnesses = Arc::new(started.map_err(failed)?);
        let searching = Arc::new(Searching::default());
        let door = door(
            &platform,
            options.trusted_proxies,
            metrics,
            (&witnesses, &searching),
        );
        let (stop, stopped) = oneshot::channel();
        let router = web::router(Arc::new(door));
        let encryption = certificate
            .as_ref()
            .map(|certificate| certificate.encryption());
        let node = platform.node.clone();
        let listener = tokio::spawn(async move {
            let shutdown = async {
                drop(stopped.await);
                node.feeds().end();
            };
            let served = web::serve(listener, router, encryption, proxies, shutdown);
            if let Err(error) = served.await {
                tracing::error!(%error, "the listener ended");
            }
        });
        let control = match Control::listen(&instance.data, platform.clone()) {
            Ok(control) => Some(control),
            Err(error) => {
                tracing::warn!(%error, "the command line cannot reach this server beside it");
                None
            }
        };
        background(&mut tasks, &platform, &instance.data, witnesses.clone());
        tasks.spawn(searching.run(platform.clone()));
        if let Some(certificate) = certificate {
            tasks.spawn(certificate.follow(platform.clone()));
        }
        Ok(Self {
            address,
            scheme,
            instance,
            tasks,
            witnesses,
            _witnessing: witnessing,
            listener,
            stop,
            control,
            grace,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
    /// `https` where it has a certificate, else `http`.
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }
    /// Where a client on this machine reaches it.
    pub fn local_url(&self) -> String {
        let address = match self.address.ip() {
            ip if ip.is_unspecified() => {
                SocketAddr::new(IpAddr::from([127, 0, 0, 1]), self.address.port())
            }
            _ => self.address,
        };
        format!("{}://{address}", self.scheme)
    }
    /// Its means.
    pub const fn platform(&self) -> &Arc<Platform> {
        &self.instance.platform
    }
    /// Its data folder.
    pub const fn data(&self) -> &Data {
        &self.instance.data
    }

    /// Says that it is on its way out and goes on answering for the grace it was given, then ends in order.
    pub async fn drain(self) {
        self.platform().node.drain();
        tokio::time::sleep(self.grace).await;
        self.shutdown().await;
    }

    /// Ends in order.
    pub async fn shutdown(mut self) {
        self.platform().node.drain();
        drop(self.control.take());
        // The listener may have ended already; then nobody waits.
        let _ = self.stop.send(());
        if let Err(error) = self.listener.await {
            tracing::error!(%error, "the listener did not end in order");
        }
        self.tasks.shutdown().await;
        let platform = &self.instance.platform;
        flush_failures(platform, platform.clock.now().plus(MINUTE)).await;
        write_decisions(platform).await;
        if let Some(note) = self.instance.sign().await {
            self.witnesses.finish(&note).await;
        }
        platform.node.leave().await;
        for name in [data::CONTROL_SOCKET, data::SETUP_FILE] {
            // The next start makes them anew; one that stays here opens nothing.
            self.instance.data.remove(name).unwrap_or_default();
        }
        self.instance.close().await;
    }
}

/// By what the other nodes know this one.
fn member(platform: &Platform) -> Member {
    let mut id = [0; 16];
    platform.entropy.fill(&mut id);
    Member {
        id,
        name: platform.node_name.clone(),
        build: platform.build.to_owned(),
    }
}

fn door(
    platform: &Arc<Platform>,
    trusted_proxies: Vec<IpNet>,
    metrics: metrics::Recorder,
    (witnesses, searching): (&Arc<Witnesses>, &Arc<Searching>),
) -> Door {
    let (seen, measured) = (platform.clone(), platform.clone());
    let (witnesses, searching) = (witnesses.clone(), searching.clone());
    let config = DoorConfig {
        trusted_proxies,
        metrics: Arc::new(move || metrics.render() + &measured.gate.report(&measured.store.load())),
        ready: Arc::new(move || Readiness {
            witnesses: witnesses.standing(),
            searching: searching.waiting(),
            ..Readiness::of(&seen)
        }),
    };
    Door {
        platform: platform.clone(),
        config,
    }
}

fn background(
    tasks: &mut JoinSet<()>,
    platform: &Arc<Platform>,
    data: &Data,
    witnesses: Arc<Witnesses>,
) {
    tasks.spawn(platform.node.clone().follow());
    let (gate, clock) = (platform.gate.clone(), platform.clock.clone());
    if let Some(fast) = gate.shared().cloned() {
        tasks.spawn(async move { fast.watch().await });
    }
    tasks.spawn(gate.watch(platform.store.clone(), clock));
    tasks.spawn(checkpoint::run(platform.clone(), witnesses));
    tasks.spawn(upkeep::run(platform.clone()));
    tasks.spawn(watch(platform.clone()));
    tasks.spawn(service::log::make_tiles(platform.clone()));
    tasks.spawn(flush(platform.clone(), data.clone()));
    tasks.spawn(enter_decisions(platform.clone()));
}

/// Reaches the shared counts before the first request. A node that cannot starts nevertheless: what is lost is
/// strictness over nodes, and the next second tries again.
async fn renew(platform: &Platform) {
    let Some(fast) = platform.gate.shared() else {
        return;
    };
    if let Err(lost) = fast.renew().await {
        tracing::error!(%lost, "there are no shared counts; this node counts by itself, more strictly");
    }
}

/// Looks after the database's threads and says how the live state is.
async fn watch(platform: Arc<Platform>) {
    let mut every = tokio::time::interval(WATCH);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        every.tick().await;
        platform.node.feel().await;
        metrics::live(&platform);
    }
}

async fn flush(platform: Arc<Platform>, data: Data) {
    let mut every = tokio::time::interval(FLUSH);
    let mut warned = Warned::default();
    loop {
        every.tick().await;
        warn_of_rates(&platform, &mut warned).await;
        flush_failures(&platform, platform.clock.now()).await;
        metrics::upkeep();
        forget_setup(&platform, &data);
    }
}

/// The set-up link works no more once an organization exists; what is left of it only misleads.
fn forget_setup(platform: &Platform, data: &Data) {
    let instance = platform.node.cells().instance();
    if instance.organizations().next().is_some()
        && let Err(error) = data.remove(data::SETUP_FILE)
    {
        tracing::warn!(%error, "the used set-up link is still in the data folder");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control,
        local::{self, Request},
        verify::{Asked, verify},
    };
    use egress::{Client, ClientOptions};
    use serde_json::Value;
    use store::Store;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_answers_holds_its_folder_and_ends_with_everything_signed() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().join("data"));
        let server = Server::start(options.clone()).await.unwrap();
        let client = Client::operator(ClientOptions::default()).unwrap();
        let ready: Value = client
            .get_json(&format!("{}/health/ready", server.local_url()))
            .await
            .unwrap();
        assert_eq!(ready["status"], "ready");
        let second = Server::start(options.clone()).await.err().unwrap();
        assert!(
            matches!(
                second,
                StartError::Open(OpenError::Data(DataError::Held(_)))
            ),
            "{second}"
        );

        let data = server.data().clone();
        let init = Request::Init {
            org: "acme".into(),
            owner: "o@acme.example".into(),
            token: true,
            public_url: None,
        };
        let ask = move || control::ask(&data, &init).unwrap();
        let made = tokio::task::spawn_blocking(ask.clone())
            .await
            .unwrap()
            .unwrap();
        let local::Done::Prepared(made) = made else {
            panic!("an organization was asked for");
        };
        assert!(made.token.is_some() && made.setup_url.contains("/setup#cdu_"));
        let left = server
            .data()
            .write_private(data::SETUP_FILE, "link")
            .unwrap();
        forget_setup(server.platform(), server.data());
        assert!(!left.exists(), "its link works no more");
        let again = tokio::task::spawn_blocking(ask)
            .await
            .unwrap()
            .err()
            .unwrap();
        assert_eq!(again.code, "already_exists");

        server.shutdown().await;
        assert!(!options.data.join(data::CONTROL_SOCKET).exists());
        let (clock, entropy) = (options.clock, options.entropy);
        let store = Store::sqlite_to_read(
            &options.data.join(data::DATABASE),
            store::Options {
                clock,
                entropy,
                connections: 1,
            },
        )
        .unwrap();
        let verified = verify(
            &store,
            Asked {
                deep: true,
                ..Asked::default()
            },
        )
        .await
        .unwrap();
        assert_eq!((verified.exit_code(), verified.reports.len()), (0, 2));
        assert!(
            verified
                .reports
                .iter()
                .all(|(_, report)| report.after_last_checkpoint == 0),
            "{verified:?}"
        );
    }
}
