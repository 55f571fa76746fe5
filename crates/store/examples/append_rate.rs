//! How many record entries a second reach the disk, on one stream and on many: `append_rate [POSTGRES_URL]`.
//! Without an address it uses the tests' own server. About 2.5 seconds a line; it measures and asserts nothing.
#![expect(
    clippy::print_stdout,
    reason = "what it measured is what it is run for"
)]

use domain::{
    Entry, GrantId, Lineage, Principal, Stream,
    entry::{Action, Actor, After, Context, Details, Issued, Outcome, Security, TOKEN_ISSUED},
};
use kernel::{
    Clock, Entropy, Id, Micros,
    ambient::{SystemClock, SystemEntropy},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use store::{Options, Prepared, Record, Store};
use testkit::{postgres::Postgres, tools::Tool};

const CALLERS: u64 = 1024;
const LENGTH: Micros = Micros::new(2_400_000);
type Failure = Box<dyn std::error::Error + Send + Sync>;

fn options() -> Options {
    Options {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        connections: 2,
    }
}

fn entry() -> Result<Entry, Failure> {
    let issued = Issued {
        agent: Id::from_bytes([3; 16]),
        aud: "https://orders.example.com".into(),
        expires_at: SystemClock.now().plus(Micros::seconds(300)),
        jti: "0190a5c7e1c37f3b9c7d2d1e4f5a6b7c".into(),
        kind: "access".into(),
        lineage: Lineage::union((1..4).map(GrantId::from_number))?,
        scope: "orders:read orders:list".into(),
    };
    Ok(Entry {
        action: Action {
            details: Details {
                after: Some(After::Issued(Box::new(issued))),
                before: None,
            },
            lifecycle: "access".into(),
            resource: Some("0190a5c7e1c37f3b9c7d2d1e4f5a6b7c".into()),
            resource_type: Some("token".into()),
            verb: "create".into(),
        },
        actor: Actor {
            authentication: vec!["secret".into()],
            device_id: None,
            ip_address: None,
            location: None,
            session_id: None,
            user_agent: None,
            user_id: Principal::System,
            user_type: "agent".into(),
        },
        build: "0.1.0".into(),
        context: Context::default(),
        delegation_chain: vec![],
        event_id: Id::generate(&SystemClock, &SystemEntropy),
        node: "node-1".into(),
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

/// What this process has used of the processors, in microseconds: a figure that a busy machine leaves alone.
fn used() -> Result<i64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(") ").next().ok_or("no fields")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<i64>);
    Ok(ticks.sum::<Result<i64, _>>()? * 10_000)
}

/// Callers that each wait for their answer before they send the next.
async fn measure(store: &Store, name: &str, streams: u64) -> Result<(), Failure> {
    let entropy: &dyn Entropy = &SystemEntropy;
    let streams: Arc<Vec<Stream>> = Arc::new(
        (0..streams)
            .map(|_| Stream::from_bytes(entropy.bytes()))
            .collect(),
    );
    let sample = Arc::new(entry()?);
    let (begun, done) = (SystemClock.boot(), Arc::new(AtomicU64::new(0)));
    let before = used()?;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let (store, streams, sample) = (store.clone(), streams.clone(), sample.clone());
        let done = done.clone();
        callers.spawn(async move {
            let mut turn = caller;
            while SystemClock.boot().since(begun) < LENGTH {
                let at = usize::try_from(turn)? % streams.len();
                let stream = *streams.get(at).ok_or("no stream")?;
                turn += CALLERS;
                let entry = Prepared::new(&sample)?;
                let record = Record {
                    stream,
                    entry,
                    decided_at: Some(store::Decided {
                        stream: 0,
                        instance: 0,
                    }),
                    once: None,
                };
                store.record(record).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), Failure>(())
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller??;
    }
    let took = SystemClock.boot().since(begun).get().max(1);
    let count = i64::try_from(done.load(Ordering::Relaxed))?.max(1);
    let (rate, cost) = (count * 1_000_000 / took, (used()? - before) / count);
    let streams = streams.len();
    println!("{name}, {streams} streams: {rate} entries/s, {cost} us of processor time each");
    Ok(())
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Failure> {
    let folder = tempfile::tempdir_in("target")?;
    let file: &Path = &folder.path().join("rate.db");
    let store = Store::sqlite(file, options())?;
    measure(&store, "sqlite", 1).await?;
    measure(&store, "sqlite", 1000).await?;
    store.close();
    let named = std::env::args().nth(1);
    let own = || Tool::Postgres.find().map(|_| Postgres::shared().database());
    if let Some(url) = named.or_else(own) {
        let store = Store::postgres(&url, options())?;
        measure(&store, "postgres", 1).await?;
        measure(&store, "postgres", 1000).await?;
        store.close();
    }
    Ok(())
}
