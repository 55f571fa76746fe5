//! The log by month: partitions made ahead, one for every other time, all of them guarded, and what was logged
//! before there were any.

use crate::world::{Place, World};
use kernel::Micros;
use sha2::{Digest, Sha256};
use store::{EventQuery, Options, Store};
use testkit::{
    postgres::{Postgres, psql},
    tools::{Tool, require},
};

const PARTS: &str = "SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'audit_events'::regclass ORDER BY inhrelid::regclass::text";

fn url(world: &World) -> &str {
    match &world.place {
        Place::Server(url) => url,
        Place::File(..) => unreachable!(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn numbers(store: &Store, org: domain::Stream) -> Vec<u64> {
    let query = EventQuery {
        limit: 100,
        ..EventQuery::default()
    };
    let read = store.read(org, move |reader| reader.events(org, &query));
    read.await.unwrap().iter().map(|row| row.seq).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_needs_no_partition_of_its_month() {
    let Some(world) = World::postgres() else {
        return;
    };
    let parts =
        "audit_events_2026_01\naudit_events_2026_02\naudit_events_2026_03\naudit_events_other\n";
    assert_eq!(psql(url(&world), PARTS), parts);
    let (org, store) = (world.org(), &world.store);
    let now = || kernel::Clock::now(&*world.clock);
    world.revoke(org, 1).await;
    assert_eq!(store.make_months(now()).await, Ok(0), "they are there");

    world.clock.advance(Micros::days(400));
    world.record(org).await.unwrap();
    world.revoke(org, 2).await;
    let count = |part: &str| psql(url(&world), &format!("SELECT count(*) FROM {part}"));
    assert_eq!(
        (count("audit_events_2026_01"), count("audit_events_other")),
        ("1\n".into(), "2\n".into())
    );
    assert_eq!(
        store.make_months(now()).await,
        Ok(2),
        "the present month stays where it is"
    );
    world.clock.advance(Micros::days(31));
    world.record(org).await.unwrap();
    assert_eq!(count("audit_events_2027_03"), "1\n");
    assert_eq!(numbers(store, org).await, vec![1, 2, 3, 4]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_partition_is_guarded_as_the_log_is() {
    let Some(world) = World::postgres() else {
        return;
    };
    let (own, foreign) = (world.org(), world.org());
    world.revoke(own, 1).await;
    world.revoke(foreign, 1).await;
    let parts = psql(url(&world), PARTS);
    assert_eq!(parts.lines().count(), 4);
    for part in parts.lines() {
        for sql in [
            format!("UPDATE {part} SET actor = 'x'"),
            format!("DELETE FROM {part}"),
            format!("TRUNCATE {part}"),
        ] {
            let target = url(&world).to_owned();
            let failed = std::panic::catch_unwind(|| psql(&target, &sql)).unwrap_err();
            let words = failed.downcast::<String>().unwrap();
            assert!(words.contains("is append-only"), "{part}: {words}");
        }
        let guarded = format!(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = '{part}'::regclass"
        );
        assert_eq!(psql(url(&world), &guarded), "t\n", "{part}");
        let tenant = format!(
            "BEGIN; SET LOCAL ROLE cardea_tenant; SET LOCAL cardea.stream = '{}'; SELECT count(*) FROM {part}; COMMIT",
            hex(&own.bytes())
        );
        let mine = if part.ends_with("2026_01") {
            "1\n"
        } else {
            "0\n"
        };
        assert_eq!(psql(url(&world), &tenant), mine, "{part}");
    }
}

/// A database as the first build left it, with one entry, owned by somebody whom row-level security binds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_logged_before_the_partitions_is_kept() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let fresh = Postgres::shared().database();
    let database = fresh.rsplit('/').next().unwrap();
    let owner = format!("before_{}", database.rsplit('_').next().unwrap());
    let first = include_str!("../../migrations/postgres/0001_first.sql");
    let org = domain::Stream::from_bytes([7; 16]);
    psql(
        &fresh,
        &format!(
            "CREATE ROLE {owner} LOGIN CREATEROLE; ALTER DATABASE {database} OWNER TO {owner}; ALTER SCHEMA public OWNER TO {owner}"
        ),
    );
    let url = fresh.replace("postgres@", &format!("{owner}@"));
    psql(
        &fresh,
        include_str!("../../migrations/postgres/0000_roles.sql"),
    );
    psql(
        &fresh,
        &format!("GRANT cardea_tenant, cardea_node, cardea_appender TO {owner}"),
    );
    psql(
        &url,
        include_str!("../../migrations/postgres/0000_ledger.sql"),
    );
    psql(&url, first);
    let sum = hex(&Sha256::digest(first.as_bytes()));
    let zero = hex(&[0; 32]);
    psql(
        &fresh,
        &format!(
            "INSERT INTO schema_migration VALUES (1, 'first', '{sum}', 0); \
             INSERT INTO audit_events (stream, seq, time, event_id, type, actor, body, hash) VALUES \
             ('\\x{}', 1, 1765432100000000, '\\x{}', 't', 'a', '{{}}', '\\x{zero}')",
            hex(&org.bytes()),
            hex(&[1; 16])
        ),
    );
    let options = Options {
        clock: std::sync::Arc::new(testkit::clock::MockClock::default()),
        entropy: std::sync::Arc::new(testkit::clock::SeededEntropy::new(1)),
        connections: 1,
    };
    let store = Store::postgres(&url, options).unwrap();
    assert_eq!(numbers(&store, org).await, vec![1]);
    assert!(psql(&fresh, PARTS).contains("audit_events_before"));
    assert_eq!(
        psql(&fresh, "SELECT count(*) FROM audit_events_before"),
        "1\n"
    );
    store.close();
}
