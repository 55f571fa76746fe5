//! How many record entries a second become durable, straight at the store, over many organizations in one process.
//! Every entry is written out and digested as a request's would be; nothing of a server is in the way.

use anyhow::{Context, Result, bail};
use clap::Args;
use domain::{
    Entry, GrantId, Lineage, Principal, Stream,
    entry::{
        Action, Actor, After, Context as Around, Details, Issued, Outcome, Security, TOKEN_ISSUED,
    },
};
use kernel::{
    Clock, Entropy, Id, Micros, Monotonic,
    ambient::{SystemClock, SystemEntropy},
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use store::{Decided, Options as StoreOptions, Prepared, Record, Store};

/// How long the store is warmed up before the clock starts.
const WARM: Micros = Micros::seconds(1);

/// What `loadkit append` takes.
#[derive(Args)]
pub struct Options {
    /// The file of the embedded database, made when it is not there
    #[arg(long)]
    file: PathBuf,
    /// An empty database on a server instead
    #[arg(long)]
    database_url: Option<String>,
    /// Over how many organizations
    #[arg(long, default_value_t = 10_000)]
    organizations: usize,
    /// All into the log of this organization, by its id, in a database that is there and that no server holds
    #[arg(long)]
    into: Option<String>,
    /// For how many seconds
    #[arg(long, default_value_t = 8)]
    seconds: i64,
    /// How many callers wait for their entry at the same time
    #[arg(long, default_value_t = 2_048)]
    callers: usize,
}

/// Appends and prints a sentence.
///
/// # Errors
/// When the store refuses an entry, or holds fewer afterwards than it acknowledged.
pub async fn run(options: Options) -> Result<()> {
    let store = tokio::task::spawn_blocking({
        let (file, url) = (options.file.clone(), options.database_url.clone());
        move || open(&file, url.as_deref())
    })
    .await??;
    let load = Arc::new(Load::new(&options)?);
    let before = stored(&store).await?;
    let used = crate::open::used();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..options.callers {
        callers.spawn(call(store.clone(), load.clone(), caller, options.callers));
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    let cost = crate::open::used() - used;
    let (all, timed) = (
        load.all.load(Ordering::Relaxed),
        load.timed.load(Ordering::Relaxed),
    );
    let stored = stored(&store).await? - before;
    tokio::task::spawn_blocking(move || store.close()).await?;
    if stored != all {
        bail!("{all} entries were acknowledged and {stored} are in the log");
    }
    println!(
        "{} durable record entries/s over {} organizations, {} callers, {} µs of this process's processors each; all {all} are in the log",
        timed / u64::try_from(options.seconds.max(1))?,
        load.streams.len(),
        options.callers,
        cost / all.max(1),
    );
    Ok(())
}

async fn stored(store: &Store) -> Result<u64> {
    let heads = store.heads(None).await?;
    Ok(heads.iter().map(|(_, head)| head.seq).sum())
}

/// Opens the file, or the database on a server.
///
/// # Errors
/// When it cannot be used.
pub fn open(file: &std::path::Path, url: Option<&str>) -> Result<Store> {
    let options = StoreOptions {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        connections: 4,
    };
    Ok(match url {
        Some(url) => Store::postgres(url, options)?,
        None => Store::sqlite(file, options)?,
    })
}

struct Load {
    streams: Vec<Stream>,
    decided_at: Option<Decided>,
    sample: Entry,
    timed_from: Monotonic,
    until: Monotonic,
    all: AtomicU64,
    timed: AtomicU64,
}

impl Load {
    fn new(options: &Options) -> Result<Self> {
        let entropy: &dyn Entropy = &SystemEntropy;
        let stream = |_| Stream::from_bytes(entropy.bytes());
        let from = SystemClock.boot().micros() + WARM.get();
        let streams = match &options.into {
            Some(org) => vec![Stream::org(org.parse()?)],
            None => (0..options.organizations).map(stream).collect(),
        };
        let decided = Decided {
            stream: 0,
            instance: 0,
        };
        Ok(Self {
            streams,
            decided_at: options.into.is_none().then_some(decided),
            sample: entry()?,
            timed_from: Monotonic::from_micros(from),
            until: Monotonic::from_micros(from + options.seconds * 1_000_000),
            all: AtomicU64::new(0),
            timed: AtomicU64::new(0),
        })
    }
}

/// Sends the next entry when the one before is durable, each to another organization.
async fn call(store: Store, load: Arc<Load>, caller: usize, callers: usize) -> Result<()> {
    let mut turn = caller;
    loop {
        let stream = load
            .streams
            .get(turn % load.streams.len())
            .context("no organization")?;
        turn += callers;
        let mut entry = load.sample.clone();
        entry.event_id = Id::generate(&SystemClock, &SystemEntropy);
        entry.timestamp = SystemClock.now();
        vary(&mut entry, caller);
        let record = Record {
            stream: *stream,
            entry: Prepared::new(&entry)?,
            decided_at: load.decided_at,
            once: None,
        };
        store.record(record).await?;
        load.all.fetch_add(1, Ordering::Relaxed);
        let now = SystemClock.boot();
        if now >= load.until {
            return Ok(());
        }
        if now >= load.timed_from {
            load.timed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Tokens have names of their own and go to a thousand agents.
fn vary(entry: &mut Entry, caller: usize) {
    let token = entry.event_id.to_string();
    let number = u16::try_from(caller % 1_000).unwrap_or(0);
    let mut agent = [3; 16];
    if let Some(front) = agent.first_chunk_mut() {
        *front = number.to_be_bytes();
    }
    if let Some(After::Issued(issued)) = &mut entry.action.details.after {
        issued.agent = Id::from_bytes(agent);
        issued.jti.clone_from(&token);
        issued.scope = if caller.is_multiple_of(2) {
            "even:read"
        } else {
            "odd:read"
        }
        .into();
    }
    entry.actor.user_id = Principal::Agent(Id::from_bytes(agent));
    entry.action.resource = Some(token);
}

/// An entry as an issued token writes it.
fn entry() -> Result<Entry> {
    let jti = "0190a5c7e1c37f3b9c7d2d1e4f5a6b7c";
    let issued = Issued {
        agent: Id::from_bytes([3; 16]),
        aud: "https://orders.example".into(),
        expires_at: SystemClock.now().plus(Micros::seconds(300)),
        jti: jti.into(),
        kind: "access".into(),
        lineage: Lineage::union((1..4).map(GrantId::from_number))?,
        scope: "orders:read".into(),
    };
    Ok(Entry {
        action: Action {
            details: Details {
                after: Some(After::Issued(Box::new(issued))),
                before: None,
            },
            lifecycle: "provision".into(),
            resource: Some(jti.into()),
            resource_type: Some("token".into()),
            verb: "create".into(),
        },
        actor: Actor {
            authentication: vec!["client_secret".into()],
            device_id: None,
            ip_address: None,
            location: None,
            session_id: None,
            user_agent: None,
            user_id: Principal::Agent(Id::from_bytes([3; 16])),
            user_type: "agent".into(),
        },
        build: "loadkit".into(),
        context: Around::default(),
        delegation_chain: vec![],
        event_id: Id::generate(&SystemClock, &SystemEntropy),
        node: "node".into(),
        outcome: Outcome {
            error_code: None,
            error_message: None,
            result: "success".into(),
            rollback: None,
            verification: None,
        },
        security: Security::default(),
        timestamp: SystemClock.now(),
        kind: TOKEN_ISSUED.into(),
        v: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_acknowledged_is_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            file: folder.path().join("append.db"),
            database_url: None,
            into: None,
            organizations: 3,
            seconds: 0,
            callers: 2,
        };
        run(options).await.unwrap();
    }
}
