//! Two builds on one database: a step that only adds is lived beside by a build that does not know it, and a step
//! that takes something away waits for the last node that needs it.

use super::*;
use crate::{Member, Options, Plan, Prepared, Store, Tx, conn::Backend, postgres, sqlite};
use domain::Stream;
use std::{path::Path, sync::Arc};
use testkit::{
    clock::{MockClock, SeededEntropy},
    postgres::Postgres,
    tools::{Tool, require},
};

/// A build's migrations and one more.
fn with(all: &'static [Migration], more: Migration) -> &'static [Migration] {
    let steps: Vec<Migration> = all.iter().copied().chain([more]).collect();
    Box::leak(steps.into_boxed_slice())
}

const ADDS: &str =
    "ALTER TABLE agent ADD COLUMN later TEXT; CREATE TABLE later (id BIGINT NOT NULL PRIMARY KEY)";
const TAKES: &str = "ALTER TABLE agent DROP COLUMN body";

fn step(sql: &'static str, beside: u64) -> Migration {
    Migration {
        number: 9_000,
        name: "later",
        sql,
        beside,
    }
}

fn options() -> Options {
    Options {
        clock: Arc::new(MockClock::default()),
        entropy: Arc::new(SeededEntropy::new(1)),
        connections: 2,
    }
}

fn store(backend: impl Backend + 'static) -> Store {
    Store {
        backend: Arc::new(backend),
    }
}

fn server(url: &str, known: &'static [Migration]) -> Result<Store, StoreError> {
    postgres::Postgres::open_after(url, &options(), true, known).map(store)
}

fn file(path: &Path, known: &'static [Migration]) -> Result<Store, StoreError> {
    sqlite::Sqlite::open_as(path, &options(), known).map(store)
}

fn entry(n: u8) -> Prepared {
    let projection = domain::entry::Projection {
        kind: "grant.revoked".into(),
        actor: "system".into(),
        resource: None,
        agent: None,
        lineage: None,
        expires_at: None,
    };
    Prepared {
        event_id: kernel::Id::from_bytes([n; 16]),
        time: Timestamp::from_micros(1),
        body: b"{}".to_vec(),
        digest: log::digest(b"{}"),
        projection,
    }
}

/// Writes a governed row with its entry, and reads all of them.
async fn works(store: &Store, n: u8) -> usize {
    let org = Stream::from_bytes([9; 16]);
    let revocation = domain::Revocation {
        core: domain::RevocationCore {
            node: [n; 16],
            until: Timestamp::from_micros(1),
            rev: 0,
            mark: false,
            client: None,
        },
        revoked_at: Timestamp::from_micros(1),
    };
    let entry = entry(n);
    let run = move |tx: &mut Tx<'_>| {
        tx.put(org, &revocation)?;
        tx.entry(org, entry.clone())
    };
    store.commit(Plan::new(org), run).await.unwrap();
    store.export(org).await.unwrap().1.len()
}

fn told(refused: Result<Store, StoreError>) -> String {
    match refused.err() {
        Some(StoreError::Migration(told)) => told,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_works_beside_a_step_that_only_adds() {
    let known = sqlite::MIGRATIONS;
    let newer = with(known, step(ADDS, newest(known)));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cardea.db");
    for (n, steps) in [(1, known), (2, newer), (3, known), (4, newer)] {
        let store = file(&path, steps).unwrap();
        assert_eq!(works(&store, n).await, usize::from(n));
        store.close();
    }
    let other = with(known, step("SELECT 1", newest(known)));
    assert!(told(file(&path, other)).contains("not the one that this build knows"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_of_two_builds_share_a_server() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let known = postgres::schema::MIGRATIONS;
    let newer = with(known, step(ADDS, newest(known)));
    let url = Postgres::shared().database();
    let old = server(&url, known).unwrap();
    assert_eq!(works(&old, 1).await, 1);
    let new = server(&url, newer).unwrap();
    assert_eq!(works(&new, 2).await, 2);
    assert_eq!(works(&old, 3).await, 3, "it runs on");
    let again = server(&url, known).unwrap();
    assert_eq!(works(&again, 4).await, 4, "and starts");
    assert_eq!(
        (new.backend.schema(), old.backend.schema()),
        (9_000, newest(known))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_that_takes_away_waits_for_the_last_who_needs_it() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let known = postgres::schema::MIGRATIONS;
    let newer = with(known, step(TAKES, 9_000));
    let url = Postgres::shared().database();
    let old = server(&url, known).unwrap();
    let member = Member {
        id: [1; 16],
        name: "old-one".into(),
        build: "cardea 0".into(),
    };
    old.beat(member, Timestamp::from_micros(1)).await.unwrap();
    let refused = told(server(&url, newer));
    assert!(
        refused.contains("old-one") && refused.contains("9000"),
        "{refused}"
    );
    assert_eq!(works(&old, 1).await, 1, "nothing was taken");
    old.leave([1; 16]).await.unwrap();
    server(&url, newer).unwrap().close();
    assert!(told(server(&url, known)).contains("newer build"));
}

/// A step that names the schema before it must not take anything from that schema's builds.
#[test]
fn steps_say_what_they_can_live_beside() {
    for all in [sqlite::MIGRATIONS, postgres::schema::MIGRATIONS] {
        for pair in all.windows(2) {
            let [before, step] = pair else { continue };
            assert!(before.number < step.number);
            let takes = [
                "DROP TABLE",
                "DROP COLUMN",
                "RENAME",
                "SET NOT NULL",
                "SET DATA TYPE",
            ];
            let takes = takes
                .iter()
                .any(|word| step.sql.to_uppercase().contains(word));
            assert!(
                step.beside == step.number || !takes,
                "{} takes something away and names an older schema",
                step.name
            );
        }
    }
}

/// Writes a person in this state, and says how many the tables count then.
async fn person(store: &Store, n: u8, state: domain::MembershipState) -> u64 {
    let org = Stream::from_bytes([9; 16]);
    let member = domain::Membership {
        core: domain::MembershipCore {
            user: kernel::Id::from_bytes([n; 16]),
            state,
        },
        email: "one@example.com".into(),
        name: "One".into(),
        created_at: Timestamp::from_micros(1),
    };
    let entry = entry(entries(store, org).await);
    let run = move |tx: &mut Tx<'_>| {
        tx.put(org, &member)?;
        tx.entry(org, entry.clone())
    };
    store.commit(Plan::new(org), run).await.unwrap();
    let tally = store.read(org, move |reader| reader.tally(org, "users"));
    // A build of before counts nothing.
    tally.await.unwrap_or(u64::MAX)
}

/// A number for the next entry.
async fn entries(store: &Store, org: Stream) -> u8 {
    let heads = store.heads(None).await.unwrap();
    let head = heads.iter().find(|(stream, _)| *stream == org);
    100 + head.map_or(0, |(_, head)| u8::try_from(head.seq).unwrap())
}

async fn counts_what_is_there(
    open: impl Fn(&'static [Migration]) -> Store,
    all: &'static [Migration],
) {
    use domain::MembershipState::{Active, Deactivated, Suspended};
    let before = all.iter().position(|step| step.number == 11).unwrap();
    let old = open(&all[..before]);
    for (n, state) in [(1, Active), (2, Suspended), (3, Deactivated)] {
        person(&old, n, state).await;
    }
    old.close();
    let new = open(all);
    assert_eq!(person(&new, 4, Active).await, 3, "two of before and one");
    assert_eq!(person(&new, 4, Suspended).await, 3, "no other one");
    assert_eq!(person(&new, 1, Deactivated).await, 2);
    assert_eq!(person(&new, 1, Deactivated).await, 2);
    assert_eq!(person(&new, 3, Active).await, 3);
    assert_eq!(person(&new, 5, Deactivated).await, 3, "never there");
    let org = Stream::from_bytes([9; 16]);
    let gone = entry(99);
    let run = move |tx: &mut Tx<'_>| {
        let key = [3; 16];
        let member = tx.get::<domain::Membership>(org, key)?.unwrap();
        tx.remove(org, &member.value)?;
        tx.entry(org, gone.clone())
    };
    new.commit(Plan::new(org), run).await.unwrap();
    let other = Stream::from_bytes([8; 16]);
    let tally = |org: Stream| new.read(org, move |reader| reader.tally(org, "users"));
    assert_eq!(
        (tally(org).await.unwrap(), tally(other).await.unwrap()),
        (2, 0)
    );
    new.close();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_before_counts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cardea.db");
    counts_what_is_there(|known| file(&path, known).unwrap(), sqlite::MIGRATIONS).await;
}

/// The owner of the tables is no superuser, and row-level security holds for it too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_before_counts_what_is_there() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let url = Postgres::shared().database();
    let all = postgres::schema::MIGRATIONS;
    counts_what_is_there(|known| server(&url, known).unwrap(), all).await;
}
