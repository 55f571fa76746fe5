//! Grows the log of an embedded database by real entries through the store, and says how fast: what the figures of
//! the appender and of the verifier are taken on. `grow_log FILE ENTRIES STREAMS`.
#![expect(clippy::print_stdout, reason = "a command for people prints")]

use domain::{Entry, GrantId, Lineage, Principal, Stream, entry};
use kernel::{
    Clock, Entropy, Id,
    ambient::{SystemClock, SystemEntropy},
};
use std::{error::Error, path::PathBuf, sync::Arc};
use store::{Options, Prepared, Record, Store};

/// Records that one task has under way.
const UNDER_WAY: usize = 1_024;
const TASKS: usize = 4;

struct Wanted {
    file: PathBuf,
    entries: usize,
    streams: usize,
}

fn wanted() -> Option<Wanted> {
    let mut given = std::env::args().skip(1);
    Some(Wanted {
        file: given.next()?.into(),
        entries: given.next()?.parse().ok()?,
        streams: given.next()?.parse::<usize>().ok()?.max(1),
    })
}

fn main() -> Result<(), Box<dyn Error>> {
    let wanted = wanted().ok_or("grow_log FILE ENTRIES STREAMS")?;
    let options = Options {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
        connections: 1,
    };
    let store = Store::sqlite(&wanted.file, options)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().build()?;
    let began = SystemClock.boot();
    let made = runtime.block_on(grow(&store, &wanted))?;
    let micros = SystemClock.boot().since(began).get().max(1);
    store.close();
    let rate = i64::try_from(made)?.saturating_mul(1_000_000) / micros;
    let (streams, seconds) = (wanted.streams, micros / 1_000_000);
    println!("{made} entries of {streams} streams in {seconds} s: {rate} a second");
    Ok(())
}

async fn grow(store: &Store, wanted: &Wanted) -> Result<usize, Box<dyn Error>> {
    let share = wanted.entries / TASKS;
    let streams: Arc<[Stream]> = (0..wanted.streams)
        .map(|_| Stream::org(Id::generate(&SystemClock, &SystemEntropy)))
        .collect();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| tokio::spawn(append(store.clone(), streams.clone(), task, share)))
        .collect();
    let mut made = 0;
    for task in tasks {
        made += task.await??;
    }
    Ok(made)
}

async fn append(
    store: Store,
    streams: Arc<[Stream]>,
    task: usize,
    share: usize,
) -> Result<usize, store::CommitError> {
    let mut made = 0;
    let mut at = task;
    while made < share {
        let mut all = Vec::with_capacity(UNDER_WAY);
        for _ in 0..UNDER_WAY.min(share - made) {
            let stream = streams.get(at % streams.len()).copied();
            at += TASKS;
            let entry = Prepared::new(&entry(at))?;
            let stream = stream.unwrap_or(Stream::INSTANCE);
            let record = Record {
                stream,
                entry,
                decided_at: None,
                once: None,
            };
            let store = store.clone();
            all.push(tokio::spawn(async move { store.record(record).await }));
        }
        for one in all {
            one.await.map_err(|_| store::StoreError::Panicked)??;
            made += 1;
        }
    }
    Ok(made)
}

/// A token issued to an agent, as the authorization server says it.
fn entry(number: usize) -> Entry {
    let now = SystemClock.now();
    let agent = Id::from_bytes(u128::try_from(number % 5_000).unwrap_or(0).to_be_bytes());
    let grants = (0..3).map(|_| GrantId::generate(&SystemEntropy));
    let sealed = || {
        Some(entry::Sealed {
            c: "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJCrze8SNFZ4kA==".into(),
            k: Id::<kernel::Agent>::from_bytes([7; 16]).to_string(),
        })
    };
    let issued = entry::Issued {
        agent,
        aud: "https://orders.example".into(),
        expires_at: now.plus(kernel::Micros::seconds(300)),
        jti: format!("{:032x}", (&SystemEntropy as &dyn Entropy).number()),
        kind: "access".into(),
        lineage: Lineage::union(grants).unwrap_or_default(),
        scope: "orders:read orders:write".into(),
    };
    Entry {
        action: entry::Action {
            details: entry::Details {
                after: Some(entry::After::Issued(Box::new(issued.clone()))),
                before: None,
            },
            lifecycle: "provision".into(),
            resource: Some(issued.jti),
            resource_type: Some("access token".into()),
            verb: "create".into(),
        },
        actor: entry::Actor {
            authentication: vec!["client_secret".into()],
            device_id: None,
            ip_address: sealed(),
            location: None,
            session_id: Some("key_0123456789abcdefghjkmnpqrs".into()),
            user_agent: sealed(),
            user_id: Principal::Agent(agent),
            user_type: "agent".into(),
        },
        build: "0.1.0".into(),
        context: entry::Context {
            api_version: "v1".into(),
            application: "oauth".into(),
            request_id: format!("req_{number:026}"),
            trust_score: Some(48),
            ..entry::Context::default()
        },
        delegation_chain: vec![Id::<kernel::User>::from_bytes([8; 16]).to_string()],
        event_id: Id::generate(&SystemClock, &SystemEntropy),
        node: "node-1".into(),
        outcome: entry::Outcome {
            error_code: None,
            error_message: None,
            result: "success".into(),
            rollback: None,
            verification: None,
        },
        security: entry::Security::default(),
        timestamp: now,
        kind: entry::TOKEN_ISSUED.into(),
        v: 1,
    }
}
