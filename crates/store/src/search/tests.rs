//! Searches against a look at every entry, over a log long enough for stretches that were put together, however far the
//! postings reach and however small the pages are that somebody asks for.

use super::*;
use crate::{EventRow, Options, Prepared, Record, Store};
use domain::{
    Entry, Lineage, Principal, Stream,
    entry::{Action, Actor, After, Context, Details, Issued, Outcome, Security, TOKEN_ISSUED},
};
use kernel::{Clock, Id, Micros, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::clock::{MockClock, SeededEntropy};

const ENTRIES: u64 = STRETCH * TOGETHER * 2 + STRETCH * 3 + 17;
const ORG: Stream = Stream::from_bytes([5; 16]);

struct World {
    store: Store,
    clock: Arc<MockClock>,
    entropy: Arc<SeededEntropy>,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let (clock, entropy) = (
            Arc::new(MockClock::default()),
            Arc::new(SeededEntropy::new(3)),
        );
        let folder = tempfile::tempdir().unwrap();
        let store = opened(&folder, &clock, &entropy);
        Self {
            store,
            clock,
            entropy,
            folder,
        }
    }

    fn reopened(&mut self) {
        self.store.close();
        self.store = opened(&self.folder, &self.clock, &self.entropy);
    }

    async fn fill(&self, stream: Stream, entries: u64) {
        let record = |n| {
            let id = Id::generate(&*self.clock, &*self.entropy);
            let entry = Prepared::new(&entry(n, id, self.clock.now())).unwrap();
            let record = Record {
                stream,
                entry,
                decided_at: None,
                once: None,
            };
            self.store.record(record)
        };
        for from in (0..entries).step_by(64) {
            self.clock.advance(Micros::new(3));
            let some = (from..entries.min(from + 64)).map(record);
            let done = futures::future::join_all(some).await;
            assert!(done.iter().all(Result::is_ok));
        }
    }

    async fn all(&self) -> Vec<EventRow> {
        let read = |reader: &mut crate::Reader<'_>| reader.event_rows(ORG, 0, 1_000_000);
        self.store.read(ORG, read).await.unwrap()
    }

    async fn index(&self, stretches: usize) -> Indexed {
        let mut indexed = self.store.indexed(ORG).await.unwrap();
        for _ in 0..stretches {
            indexed = self.store.index_next(ORG).await.unwrap();
        }
        indexed
    }

    /// Every entry that is found, page after page, and how many pages that took.
    async fn found(&self, search: &Search) -> (Vec<u64>, usize) {
        let (mut search, mut found) = (search.clone(), Vec::new());
        for pages in 1..10_000 {
            let asked = search.clone();
            let read = move |reader: &mut crate::Reader<'_>| reader.search(ORG, &asked);
            let page = self.store.read(ORG, read).await.unwrap();
            found.extend(page.rows.iter().map(|row| row.seq));
            search.after_seq = match (page.stopped, page.rows.last()) {
                (Some(stopped), _) => stopped,
                (None, Some(last)) if page.rows.len() == search.limit => last.seq,
                _ => return (found, pages),
            };
        }
        panic!("a search has no end");
    }
}

fn opened(
    folder: &tempfile::TempDir,
    clock: &Arc<MockClock>,
    entropy: &Arc<SeededEntropy>,
) -> Store {
    let options = Options {
        clock: clock.clone(),
        entropy: entropy.clone(),
        connections: 2,
    };
    Store::sqlite(&folder.path().join("cardea.db"), options).unwrap()
}

/// Types are frequent, resources rare, words of either sort, and some go together never.
fn entry(n: u64, event_id: Id<kernel::Event>, timestamp: Timestamp) -> Entry {
    let agent = Id::from_bytes([u8::try_from(n % 5).unwrap(); 16]);
    let note = format!("Half{} once{n} odd-{}", n / (ENTRIES / 2), n % 2);
    let issued = n % 11 == 10;
    let after = Issued {
        agent,
        aud: "https://a.example".into(),
        expires_at: timestamp,
        jti: "j".into(),
        kind: "access".into(),
        lineage: Lineage::default(),
        scope: note.clone(),
    };
    let after = match issued {
        true => After::Issued(Box::new(after)),
        false => After::Value(json!({ "scope": note })),
    };
    let kind = ["thing.made", "thing.seen", "thing.gone"];
    let kind = kind[usize::try_from(n % 2 + n / (ENTRIES - 3)).unwrap()];
    Entry {
        action: Action {
            details: Details {
                after: Some(after),
                before: None,
            },
            lifecycle: "modify".into(),
            resource: (!n.is_multiple_of(3)).then(|| format!("res_{}", n % 97)),
            resource_type: None,
            verb: "update".into(),
        },
        actor: Actor {
            authentication: vec![],
            device_id: None,
            ip_address: None,
            location: None,
            session_id: None,
            user_agent: None,
            user_id: Principal::Agent(agent),
            user_type: "agent".into(),
        },
        build: "0".into(),
        context: Context::default(),
        delegation_chain: vec![],
        event_id,
        node: "n".into(),
        outcome: Outcome {
            error_code: None,
            error_message: None,
            result: "success".into(),
            rollback: None,
            verification: None,
        },
        security: Security::default(),
        timestamp,
        kind: if issued { TOKEN_ISSUED } else { kind }.into(),
        v: 1,
    }
}

/// Looks at every entry, as a reader of the specification would.
fn naive(rows: &[EventRow], search: &Search) -> Vec<u64> {
    let same =
        |wanted: &Option<String>, is: Option<&String>| wanted.is_none() || wanted.as_ref() == is;
    let matches = |row: &&EventRow| {
        row.seq > search.after_seq
            && same(&search.kind, Some(&row.kind))
            && same(&search.actor, Some(&row.actor))
            && same(&search.resource, row.resource.as_ref())
            && search.agent.is_none_or(|agent| row.agent == Some(agent))
            && search.since.is_none_or(|since| row.time >= since)
            && search.until.is_none_or(|until| row.time < until)
            && search.words.as_ref().is_none_or(|words| has(row, words))
    };
    rows.iter().filter(matches).map(|row| row.seq).collect()
}

fn has(row: &EventRow, words: &Words) -> bool {
    let body: Value = serde_json::from_slice(&row.body).unwrap();
    let scope = body["action"]["details"]["after"]["scope"]
        .as_str()
        .unwrap();
    let scope = scope.to_lowercase().replace('-', " ");
    words
        .all()
        .all(|word| scope.split(' ').any(|of| of == word))
}

fn searches(rows: &[EventRow]) -> Vec<Search> {
    let text = |text: &str| Some(text.to_owned());
    let actor = |n: u8| Some(Principal::Agent(Id::from_bytes([n; 16])).to_string());
    let middle = Some(rows[rows.len() / 2].time);
    let base = Search {
        limit: 40,
        ..Search::default()
    };
    let words = |text: &str| Search {
        words: Words::of(text),
        ..base.clone()
    };
    vec![
        base.clone(),
        Search {
            kind: text("thing.made"),
            ..base.clone()
        },
        Search {
            kind: text("thing.gone"),
            ..base.clone()
        },
        Search {
            kind: text("thing"),
            ..base.clone()
        },
        Search {
            actor: actor(3),
            limit: 7,
            ..base.clone()
        },
        Search {
            resource: text("res_13"),
            ..base.clone()
        },
        Search {
            resource: text("res_13"),
            actor: actor(4),
            kind: text("thing.seen"),
            limit: 1,
            ..base.clone()
        },
        Search {
            after_seq: STRETCH * 5 + 3,
            kind: text("thing.seen"),
            ..base.clone()
        },
        Search {
            since: middle,
            ..base.clone()
        },
        Search {
            since: middle,
            kind: text("thing.made"),
            ..base.clone()
        },
        Search {
            until: middle,
            kind: text("thing.made"),
            ..base.clone()
        },
        Search {
            until: middle,
            resource: text("res_13"),
            ..base.clone()
        },
        Search {
            since: middle,
            until: middle,
            ..base.clone()
        },
        Search {
            agent: Some(Id::from_bytes([9; 16])),
            ..base.clone()
        },
        Search {
            agent: Some(Id::from_bytes([2; 16])),
            limit: 5,
            ..base.clone()
        },
        words("ONCE70"),
        words("once"),
        words("half0 odd"),
        words("half0 half1"),
        Search {
            kind: text("thing.made"),
            ..words("1")
        },
        Search {
            kind: text("thing.seen"),
            ..words("odd 1")
        },
        Search {
            since: middle,
            limit: 3,
            ..words("half1 odd")
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_found_is_what_a_look_at_every_entry_finds() {
    let world = World::new();
    world.fill(ORG, ENTRIES).await;
    world.fill(Stream::from_bytes([6; 16]), STRETCH + 1).await;
    let rows = world.all().await;
    for (stretches, covered) in [(0, 0), (5, 5), (10, 15), (99, 35)] {
        let indexed = world.index(stretches).await;
        assert_eq!(indexed.entries, covered * STRETCH);
        assert_eq!(indexed.more, covered < 35);
        for search in searches(&rows) {
            let (found, _) = world.found(&search).await;
            assert_eq!(found, naive(&rows, &search), "{covered} {search:?}");
        }
    }
    let never = Search {
        limit: 40,
        kind: Some("thing.made".into()),
        words: Words::of("1"),
        ..Search::default()
    };
    let (_, pages) = world.found(&never).await;
    assert!(pages > 1, "one search reads only so much");
}

/// What is found in a file that was put there, or spoiled, is as complete as without it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_does_not_fit_hides_nothing_and_is_made_again() {
    let mut world = World::new();
    world.fill(ORG, STRETCH * 2 + 1).await;
    let rows = world.all().await;
    let search = Search {
        kind: Some("thing.seen".into()),
        limit: 500,
        ..Search::default()
    };
    let whole = naive(&rows, &search);
    let file = world.folder.path().join("cardea.db-search");
    assert_eq!(world.index(2).await.entries, STRETCH * 2);
    let spoil = |sql: &str| testkit::sqlite::Intruder::open(&file).batch(sql);

    let spoilt = [
        "UPDATE search_page SET postings = x'0102'",
        "DROP TABLE search_page",
        "UPDATE search_stream SET hash = zeroblob(32)",
        "UPDATE search_stream SET form = 99",
        "PRAGMA user_version = 99",
    ];
    for sql in spoilt {
        world.store.close();
        spoil(sql);
        world.reopened();
        assert_eq!(world.found(&search).await.0, whole, "{sql}");
        let _made = world.store.indexed(ORG).await.unwrap();
        let remade = world.store.forget_postings(ORG).await;
        assert_eq!(
            (remade, world.index(2).await.entries),
            (Ok(()), STRETCH * 2),
            "{sql}"
        );
        assert_eq!(world.found(&search).await.0, whole, "{sql}");
    }

    world.store.close();
    std::fs::write(&file, [7; 9_000]).unwrap();
    world.reopened();
    assert_eq!(world.found(&search).await.0, whole);
    assert_eq!(
        world.index(1).await.entries,
        STRETCH,
        "a file that is no database is made again"
    );
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// Pages that are spoiled are noticed when they are put together, at the latest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spoiled_postings_are_made_again() {
    let mut world = World::new();
    world.fill(ORG, STRETCH * TOGETHER).await;
    assert_eq!(world.index(15).await.entries, STRETCH * 15);
    world.store.close();
    let file = world.folder.path().join("cardea.db-search");
    testkit::sqlite::Intruder::open(&file).batch("UPDATE search_page SET postings = x'0102'");
    world.reopened();
    assert_eq!(world.index(1).await.entries, 0);
    assert_eq!(world.index(16).await.entries, STRETCH * 16);
    let search = Search {
        kind: Some("thing.seen".into()),
        limit: 9_000,
        ..Search::default()
    };
    assert_eq!(
        world.found(&search).await.0,
        naive(&world.all().await, &search)
    );
}

/// A database that was restored to an earlier moment and went on differently is another log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postings_of_a_log_that_went_on_differently_are_forgotten() {
    let mut world = World::new();
    world.fill(ORG, 10).await;
    world.store.close();
    let (file, kept) = (
        world.folder.path().join("cardea.db"),
        world.folder.path().join("kept"),
    );
    std::fs::copy(&file, &kept).unwrap();
    world.reopened();
    world.fill(ORG, STRETCH).await;
    assert_eq!(world.index(1).await.entries, STRETCH);
    world.store.close();
    std::fs::rename(&kept, &file).unwrap();
    world.reopened();
    let search = Search {
        kind: Some("thing.seen".into()),
        limit: 500,
        ..Search::default()
    };
    for entries in [0, STRETCH * 2] {
        world.clock.advance(Micros::seconds(1));
        world.fill(ORG, entries).await;
        let rows = world.all().await;
        assert_eq!(world.found(&search).await.0, naive(&rows, &search));
    }
    assert_eq!(world.index(2).await.entries, STRETCH * 2);
    assert_eq!(
        world.found(&search).await.0,
        naive(&world.all().await, &search)
    );
}
