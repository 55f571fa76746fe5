//! What only the server engine has: row-level security, roles, broken connections and concurrent starts.

use crate::world::{Place, World};
use store::{Options, Plan, Record, Store, Tx};
use testkit::{
    postgres::{Postgres, psql},
    tools::{Tool, require},
};

fn url(world: &World) -> &str {
    match &world.place {
        Place::Server(url) => url,
        Place::File(..) => unreachable!(),
    }
}

fn hex(stream: domain::Stream) -> String {
    format!("{:032x}", u128::from_be_bytes(stream.bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_filter_reads_no_foreign_row() {
    let Some(world) = World::postgres() else {
        return;
    };
    let (own, foreign) = (world.org(), world.org());
    for org in [own, foreign] {
        world.revoke(org, 1).await;
        world.record(org).await.unwrap();
    }
    let as_tenant = |setting: &str, sql: &str| {
        psql(
            url(&world),
            &format!("BEGIN; SET LOCAL ROLE cardea_tenant; {setting}; {sql}; COMMIT"),
        )
    };
    let set = format!("SET LOCAL cardea.stream = '{}'", hex(own));
    let tables = psql(
        url(&world),
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'stream' AND table_schema = 'public' ORDER BY 1",
    );
    assert!(tables.lines().count() >= 24, "{tables}");
    for table in tables.lines() {
        let zero = "00".repeat(16);
        let sql = format!(
            "SELECT DISTINCT encode(stream, 'hex') FROM {table} WHERE encode(stream, 'hex') <> '{zero}'"
        );
        let seen = as_tenant(&set, &sql);
        assert!(
            seen.is_empty() || seen == format!("{}\n", hex(own)),
            "{table}: {seen}"
        );
        let forced = format!(
            "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE relname = '{table}'"
        );
        assert_eq!(psql(url(&world), &forced), "t\n", "{table}");
    }
    let count = "SELECT count(*) FROM audit_events";
    assert_eq!(as_tenant(&set, count), "2\n");
    assert_eq!(
        as_tenant("SELECT 1 WHERE false", count),
        "0\n",
        "without a stream nothing is seen"
    );
    let steal = format!(
        "UPDATE revocation SET version = 9 WHERE stream = '\\x{}'; SELECT max(version) FROM revocation",
        hex(foreign)
    );
    as_tenant(&set, &steal);
    let sql = format!(
        "SELECT version FROM revocation WHERE stream = '\\x{}'",
        hex(foreign)
    );
    assert_eq!(psql(url(&world), &sql), "1\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_appended_stays_whoever_asks() {
    let Some(world) = World::postgres() else {
        return;
    };
    world.revoke(world.org(), 1).await;
    for (table, column) in [
        ("audit_events", "actor"),
        ("change_feed", "changes"),
        ("checkpoint", "note"),
    ] {
        for sql in [
            format!("UPDATE {table} SET {column} = 'x'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ] {
            let target = url(&world).to_owned();
            let failed = std::panic::catch_unwind(|| psql(&target, &sql)).unwrap_err();
            let words = failed.downcast::<String>().unwrap();
            assert!(
                words.contains(&format!("{table} is append-only")),
                "{words}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_connection_is_replaced() {
    let Some(world) = World::postgres() else {
        return;
    };
    let org = world.org();
    world.revoke(org, 1).await;
    world.record(org).await.unwrap();
    let end = "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(psql(url(&world), end), "t\n");
    assert_eq!(world.revoke(org, 2).await.moved[0].head.seq, 3);
    assert_eq!(world.record(org).await.unwrap(), 4);
    assert_eq!(world.store.export(org).await.unwrap().0.seq, 4);

    // In the middle of a closure: it runs again on a new connection, and its entry is there once.
    let (entry, target) = (world.entry("x.interrupted"), url(&world).to_owned());
    let first = std::sync::atomic::AtomicBool::new(true);
    let run = move |tx: &mut Tx<'_>| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            psql(&target, end);
        }
        tx.put(org, &crate::world::revocation(3, 1))?;
        tx.entry(org, entry.clone())
    };
    let done = world.store.commit(Plan::new(org), run).await.unwrap();
    assert_eq!(done.moved[0].head.seq, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_of_one_server_and_nodes_of_one_database_start_together() {
    if require(Tool::Postgres).is_none() {
        return;
    }
    let urls: Vec<String> = (0..4).map(|_| Postgres::shared().database()).collect();
    let starts: Vec<_> = urls
        .iter()
        .flat_map(|url| [url.clone(), url.clone()])
        .map(|url| {
            std::thread::spawn(move || {
                let options = Options {
                    clock: std::sync::Arc::new(testkit::clock::MockClock::default()),
                    entropy: std::sync::Arc::new(testkit::clock::SeededEntropy::new(1)),
                    connections: 1,
                };
                Store::postgres(&url, options)
            })
        })
        .collect();
    for start in starts {
        start.join().unwrap().unwrap().close();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_is_no_superuser_is_enough() {
    let Some(world) = World::postgres() else {
        return;
    };
    let fresh = Postgres::shared().database();
    let name = format!("owner_{}", fresh.rsplit('_').next().unwrap());
    let database = fresh.rsplit('/').next().unwrap();
    psql(
        &fresh,
        &format!(
            "CREATE ROLE {name} LOGIN CREATEROLE; ALTER DATABASE {database} OWNER TO {name}; ALTER SCHEMA public OWNER TO {name}"
        ),
    );
    let url = fresh.replace("postgres@", &format!("{name}@"));
    let options = Options {
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
        connections: 2,
    };
    let owned = World {
        store: Store::postgres(&url, options).unwrap(),
        place: Place::Server(url.clone()),
        ..world
    };
    let org = owned.org();
    owned.revoke(org, 1).await;
    owned.record(org).await.unwrap();
    assert_eq!(owned.store.heads(None).await.unwrap().len(), 1);
    assert_eq!(owned.store.export(org).await.unwrap().1.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_a_stream() {
    let Some(world) = World::postgres() else {
        return;
    };
    let options = Options {
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
        connections: 2,
    };
    let other = Store::postgres(url(&world), options).unwrap();
    let org = world.org();
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let store = if n % 2 == 0 { &world.store } else { &other }.clone();
            let entry = world.entry("x.happened");
            tokio::spawn(async move {
                if n % 4 < 2 {
                    let record = Record {
                        stream: org,
                        entry,
                        decided_at: None,
                        once: None,
                    };
                    return store.record(record).await.unwrap().seq;
                }
                let run = move |tx: &mut Tx<'_>| tx.entry(org, entry.clone());
                store.commit(Plan::new(org), run).await.unwrap().moved[0]
                    .head
                    .seq
            })
        })
        .collect();
    let mut seqs = Vec::new();
    for task in tasks {
        seqs.push(task.await.unwrap());
    }
    seqs.sort_unstable();
    assert_eq!(seqs, (1..=40).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_makes_nothing_and_another_encoding_is_refused() {
    let Some(world) = World::postgres() else {
        return;
    };
    let options = Options {
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
        connections: 1,
    };
    let fresh = Postgres::shared().database();
    let absent = Store::postgres_to_read(&fresh, options.clone()).err();
    assert_eq!(absent, Some(store::StoreError::Absent));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(psql(&fresh, tables), "0\n");

    let org = world.org();
    world.revoke(org, 1).await;
    let reader = Store::postgres_to_read(url(&world), options.clone()).unwrap();
    assert_eq!(reader.heads(None).await, world.store.heads(None).await);
    assert!(reader.operate(Vec::new()).await.is_err());
    let (base, name) = fresh.rsplit_once('/').unwrap();
    let narrow = format!("{name}_narrow");
    psql(
        &fresh,
        &format!(
            "CREATE DATABASE {narrow} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ),
    );
    let refused = Store::postgres(&format!("{base}/{narrow}"), options).err();
    let told = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(
        told.contains("SQL_ASCII") && told.contains("UTF8"),
        "{told}"
    );
    psql(&fresh, &format!("DROP DATABASE {narrow}"));
}
