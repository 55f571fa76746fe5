//! What only the embedded engine has: a file, its mode, its triggers and its migrations.

use crate::world::{Place, World};
use rusqlite::Connection;
use std::{
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};
use store::{Options, Store, StoreError};

fn path(world: &World) -> &Path {
    match &world.place {
        Place::File(path, _) => path,
        Place::Server(_) => unreachable!(),
    }
}

fn open(world: &World) -> Result<Store, StoreError> {
    let options = Options {
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
        connections: 1,
    };
    Store::sqlite(path(world), options)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_is_private_and_what_is_appended_stays() {
    let world = World::sqlite().unwrap();
    let org = world.org();
    world.revoke(org, 1).await;
    let note = "n".to_owned();
    let at = kernel::Timestamp::from_seconds(1);
    world.store.save_checkpoint(org, 1, at, note).await.unwrap();
    for file in ["cardea.db", "cardea.db-wal", "cardea.db-shm"] {
        let found = std::fs::metadata(path(&world).with_file_name(file)).unwrap();
        assert_eq!(found.permissions().mode() & 0o777, 0o600, "{file}");
    }
    let raw = Connection::open(path(&world)).unwrap();
    for (table, column) in [
        ("audit_events", "actor"),
        ("change_feed", "changes"),
        ("checkpoint", "note"),
    ] {
        for sql in [
            format!("UPDATE {table} SET {column} = 'x'"),
            format!("DELETE FROM {table}"),
        ] {
            let words = raw.execute(&sql, []).unwrap_err().to_string();
            assert!(
                words.contains(&format!("{table} is append-only")),
                "{words}"
            );
        }
    }
}

/// The last visitor of a file deletes its log. An older SQLite, such as a distribution's `sqlite3` shell, knows of others
/// by their locks on the file alone, and closing any descriptor of the file would give up all of this process's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_stays_locked_while_it_is_open() {
    let world = World::sqlite().unwrap();
    world.revoke(world.org(), 1).await;
    let file = std::fs::metadata(path(&world)).unwrap().ino();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    let ours = format!("READ {} ", std::process::id());
    let held = |line: &&str| line.contains(&ours) && line.contains(&format!(":{file} "));
    assert!(locks.lines().any(|line| held(&line)), "{locks}");
}

/// A copy is one moment of the file, though its latest rows are still in the log beside it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_holds_what_the_log_beside_the_file_holds() {
    let world = World::sqlite().unwrap();
    let org = world.org();
    world.revoke(org, 1).await;
    let copy = path(&world).with_file_name("copy.db");
    Store::sqlite_copy(path(&world), &copy).unwrap();
    let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let raw = Connection::open(&copy).unwrap();
    let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let found = raw.query_row("SELECT count(*) FROM audit_events", [], count);
    assert_eq!(found.unwrap(), 1);
    assert!(
        Store::sqlite_copy(path(&world), &copy).is_err(),
        "over a copy"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn positions_have_no_gap_even_after_refusals() {
    let world = World::sqlite().unwrap();
    crate::rules::a_refusal_or_a_panic_rolls_back_alone(World {
        store: world.store.clone(),
        place: Place::Server(String::new()),
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
    })
    .await;
    let raw = Connection::open(path(&world)).unwrap();
    let sql = "SELECT count(*), min(position), max(position) FROM audit_events";
    let found = raw.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    assert_eq!(found.unwrap(), (20i64, 1i64, 20i64));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_schema_is_refused_with_the_remedy() {
    let world = World::sqlite().unwrap();
    world.store.close();
    let raw = Connection::open(path(&world)).unwrap();
    let newer = "INSERT INTO schema_migration (number, name, checksum, applied_at) VALUES (9000, 'later', 'ab', 0)";
    raw.execute(newer, []).unwrap();
    let words = open(&world).err().unwrap().to_string();
    assert!(
        words.contains("newer build (migration 9000, `later`)"),
        "{words}"
    );
    raw.execute("DELETE FROM schema_migration WHERE number = 9000", [])
        .unwrap();
    open(&world).unwrap().close();
    raw.execute("UPDATE schema_migration SET checksum = 'ab'", [])
        .unwrap();
    let words = open(&world).err().unwrap().to_string();
    assert!(
        words.contains("migration 1, `first`, is not the one"),
        "{words}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_row_is_named() {
    let world = World::sqlite().unwrap();
    let org = world.org();
    world.revoke(org, 0xab).await;
    let raw = Connection::open(path(&world)).unwrap();
    raw.execute("UPDATE revocation SET body = '{\"core\":1}'", [])
        .unwrap();
    let error = world.store.export(org).await.unwrap_err();
    let StoreError::Corrupt {
        table, column, row, ..
    } = error
    else {
        panic!("{error:?}")
    };
    assert_eq!((table, column), ("revocation", "body"));
    assert!(row.ends_with(&"ab".repeat(16)), "{row}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_file_see_each_others_heads() {
    let world = World::sqlite().unwrap();
    let other = World {
        store: open(&world).unwrap(),
        place: Place::Server(String::new()),
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
    };
    let org = world.org();
    for turn in [1, 3, 5] {
        assert_eq!(world.record(org).await.unwrap(), turn);
        assert_eq!(other.record(org).await.unwrap(), turn + 1);
    }
    assert_eq!(world.revoke(org, 1).await.moved[0].head.seq, 7);
    assert_eq!(other.revoke(org, 2).await.moved[0].head.state_rev, 2);
}
