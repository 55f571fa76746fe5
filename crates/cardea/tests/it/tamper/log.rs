//! A long log as a server writes it: real entries of every shape, records in between, checkpoints at several sizes
//! and at shutdown; and copies of its file, verified by what `cardea audit verify` runs.

use crate::world::{AgentClient, Engine, World};
use cardea::verify::{Asked, Verified, verify};
use domain::{Entry, Stream};
use futures::future::join_all;
use kernel::ambient::{SystemClock, SystemEntropy};
use serde_json::json;
use service::{Platform, checkpoint};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use store::{
    EventQuery, Prepared, Record, Store,
    log::verify::{Fault, Report},
};
use testkit::sqlite::Intruder;

pub const AUDIENCE: &str = "https://orders.example";
/// Entries a zone. Every zone holds entries of every shape, those that change state in its middle.
pub const ZONE: u64 = 50;

/// A database that nobody holds open.
pub struct Log {
    folder: tempfile::TempDir,
    pub whole: PathBuf,
    pub stream: Stream,
    pub entries: u64,
    /// The organization's checkpoints at these sizes.
    pub notes: Vec<String>,
}

impl Log {
    /// A log of so many zones.
    pub async fn build(zones: u64) -> Self {
        let world = World::start(Engine::Sqlite).await.unwrap();
        let agent = ready(&world).await;
        let platform = world.server.platform().clone();
        let stream = Stream::org(world.org.parse().unwrap());
        let mut notes = Vec::new();
        for zone in 0..zones {
            let tokens = (0..2).map(|_| world.token(&agent, &[("resource", AUDIENCE)]));
            join_all(tokens)
                .await
                .into_iter()
                .for_each(|given| drop(given.ok()));
            fill(&platform, stream, zone * ZONE + ZONE / 2).await;
            for n in 0..2 {
                let role = json!({ "name": format!("role {zone} {n}"), "permissions": [], "scopes": ["orders:read"] });
                world.owner.api.post("/roles", role).await.ok();
            }
            fill(&platform, stream, (zone + 1) * ZONE).await;
            if zone % 10 == 9 {
                notes.push(checkpoint::sign_now(&platform, stream).await.unwrap());
            }
        }
        let World {
            server,
            folder: home,
            ..
        } = world;
        server.shutdown().await;
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("whole.db");
        std::fs::copy(home.path().join("cardea.db"), &whole).unwrap();
        Intruder::open(&whole).rebuild();
        Self {
            folder,
            whole,
            stream,
            entries: zones * ZONE,
            notes,
        }
    }

    /// A copy of the file after somebody was at it.
    pub fn changed(&self, name: &str, by: impl FnOnce(&Intruder)) -> PathBuf {
        let copy = self.folder.path().join(name);
        std::fs::copy(&self.whole, &copy).unwrap();
        let intruder = Intruder::open(&copy);
        intruder.batch("BEGIN");
        by(&intruder);
        intruder.batch("COMMIT");
        copy
    }

    /// What the verifier finds in such a copy.
    pub async fn found(&self, name: &str, asked: Asked, by: impl FnOnce(&Intruder)) -> Found {
        let copy = self.changed(name, by);
        let found = Found {
            verified: verified(&copy, asked).await,
            stream: self.stream,
        };
        std::fs::remove_file(copy).unwrap();
        found
    }
}

/// A connection, somebody who holds its scope, and an agent of theirs.
async fn ready(world: &World) -> AgentClient {
    world.orders(AUDIENCE, 0).await;
    let role = world.role("reader", &["orders:read"]).await;
    let member = world.member("ada@acme.example", &["member", &role]).await;
    world.agent(&member, "bot", &["orders:read"]).await
}

/// Records entries like the last token's until there are so many.
async fn fill(platform: &Arc<Platform>, stream: Stream, until: u64) {
    let query = EventQuery {
        limit: 1,
        kind: Some("token.issued".into()),
        order: store::Order::Descending,
        ..EventQuery::default()
    };
    let found = platform
        .store
        .read(stream, move |reader| reader.events(stream, &query))
        .await
        .unwrap();
    let like: Entry = serde_json::from_slice(&found[0].body).unwrap();
    let (_, head) = platform.store.heads(Some(vec![stream])).await.unwrap()[0];
    let record = |_| {
        let mut entry = like.clone();
        (entry.event_id, entry.timestamp) = (platform.id(), platform.clock.now());
        entry.action.resource = Some(platform.id::<kernel::Token>().to_string());
        let entry = Prepared::new(&entry).unwrap();
        platform.store.record(Record {
            stream,
            entry,
            decided_at: None,
            once: None,
        })
    };
    join_all((head.seq..until).map(record))
        .await
        .into_iter()
        .for_each(|done| assert!(done.unwrap().seq > 0));
}

/// What the command runs, on a file that it only reads.
pub async fn verified(file: &Path, asked: Asked) -> Verified {
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let store = Store::sqlite_to_read(
        file,
        store::Options {
            clock,
            entropy,
            connections: 1,
        },
    )
    .unwrap();
    let verified = verify(&store, asked).await.unwrap();
    tokio::task::spawn_blocking(move || store.close())
        .await
        .unwrap();
    verified
}

/// What was found, and how to look for one thing in it.
pub struct Found {
    pub verified: Verified,
    stream: Stream,
}

impl Found {
    pub fn code(&self) -> u8 {
        self.verified.exit_code()
    }
    pub fn report(&self) -> &Report {
        let own = |report: &&Report| report.stream == self.stream;
        self.verified
            .reports
            .iter()
            .map(|(_, report)| report)
            .find(own)
            .unwrap()
    }
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.report().findings.iter().map(|finding| &finding.fault)
    }
    /// Whether something is said of this entry itself.
    pub fn names(&self, seq: u64) -> bool {
        let bytes: String = self
            .stream
            .bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let row = format!("({bytes}, {seq})");
        self.faults()
            .any(|fault| range(fault).is_some_and(|(from, to)| from <= seq && seq <= to))
            || self.verified.wrong.iter().any(|wrong| wrong.contains(&row))
    }
    /// Whether anything is said of entries of this zone.
    pub fn suspects(&self, zone: u64) -> bool {
        let (first, last) = (zone * ZONE + 1, (zone + 1) * ZONE);
        self.faults()
            .any(|fault| range(fault).is_some_and(|(from, to)| from <= last && first <= to))
    }
    /// How many checkpoints are bad by themselves, whatever the entries say.
    pub fn forged_checkpoints(&self) -> usize {
        let by_itself = |fault: &Fault| matches!(fault, Fault::BadCheckpoint { why, .. } if !why.starts_with("not what was signed"));
        let all = self
            .verified
            .reports
            .iter()
            .flat_map(|(_, report)| &report.findings);
        all.filter(|finding| by_itself(&finding.fault)).count()
    }
    /// Everything that was said, a line each.
    pub fn told(&self) -> String {
        let all = self
            .verified
            .reports
            .iter()
            .flat_map(|(_, report)| &report.findings);
        let lines: Vec<String> = all
            .map(ToString::to_string)
            .chain(self.verified.wrong.iter().cloned())
            .collect();
        lines.join("\n")
    }
}

fn range(fault: &Fault) -> Option<(u64, u64)> {
    match fault {
        Fault::Changed { seq, to, .. }
        | Fault::Inserted { seq, to }
        | Fault::Reordered { seq, to } => Some((*seq, *to)),
        Fault::Missing { from, to } => Some((*from, *to)),
        Fault::Unreadable { seq, .. }
        | Fault::Feed { seq, .. }
        | Fault::SamePosition { seq, .. } => Some((*seq, *seq)),
        _ => None,
    }
}
