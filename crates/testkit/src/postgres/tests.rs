//! The shared server under its own tests: a race to start it, databases apart, the end when nobody is left.
//! Uses a server of its own with short limits, so that the shared one is left alone.

use super::*;
use crate::tools::{Tool, require};

const SHORT: Limits = Limits {
    idle: Duration::from_secs(2),
    age: Duration::from_secs(120),
    joined_until: Duration::from_secs(100),
};

/// A folder that only this test uses; gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(crate::workspace().join(format!("target/testkit/own-{name}-{}", std::process::id())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        holds()
    })
}

#[test]
fn a_race_starts_one_server_and_the_last_to_leave_ends_it() {
    let Some(_) = require(Tool::Postgres) else {
        return;
    };
    let folder = Folder::new("race");
    // A lock belongs to the opened file, so threads meet here exactly as processes do.
    let racers: Vec<_> = (0..4)
        .map(|_| (folder.0.clone(), SHORT))
        .map(|(folder, limits)| std::thread::spawn(move || Postgres::join(&folder, limits)))
        .collect();
    let joined: Vec<Postgres> = racers
        .into_iter()
        .map(|racer| racer.join().unwrap())
        .collect();
    let first = joined[0].port;
    assert!(joined.iter().all(|server| server.port == first));

    let (server, user) = server::join(&folder.0, &joined[0].programs, SHORT);
    let programs = joined[0].programs.clone();
    drop(joined);
    std::thread::sleep(SHORT.idle * 2);
    assert!(
        server::answers(&server, &programs),
        "one user is enough to keep it"
    );
    drop(user);
    assert!(
        eventually(|| !server::answers(&server, &programs) && !server.folder.exists()),
        "without users it ends and leaves nothing"
    );

    let again = Postgres::join(&folder.0, SHORT);
    assert_eq!(psql(&again.database(), "select 1 + 1"), "2\n");
}

#[test]
fn a_server_too_old_to_join_is_left_to_its_users() {
    let Some(_) = require(Tool::Postgres) else {
        return;
    };
    let folder = Folder::new("age");
    let old = Postgres::join(&folder.0, SHORT);
    let young = Postgres::join(
        &folder.0,
        Limits {
            joined_until: Duration::ZERO,
            ..SHORT
        },
    );
    assert_ne!(old.port, young.port);
    assert_eq!(
        psql(&old.url("postgres"), "select 'still here'"),
        "still here\n"
    );
}

#[test]
fn databases_are_apart_durable_and_in_utf8() {
    let Some(_) = require(Tool::Postgres) else {
        return;
    };
    let server = Postgres::shared();
    let (left, right) = (server.database(), server.database());
    assert_ne!(left, right);
    psql(
        &left,
        "create table t (name text); insert into t values ('Ærø'), ('b')",
    );
    assert_eq!(
        psql(&left, "select name, length(name) from t order by name"),
        "b|1\nÆrø|3\n"
    );
    assert_eq!(psql(&right, "select to_regclass('t') is null"), "t\n");
    assert_eq!(
        psql(&right, "show fsync; show max_connections"),
        "on\n200\n"
    );
}

#[test]
fn a_failing_statement_fails_the_test_with_the_servers_words() {
    let Some(_) = require(Tool::Postgres) else {
        return;
    };
    let url = Postgres::shared().database();
    let failed = std::panic::catch_unwind(|| psql(&url, "select * from nowhere; select 1"));
    let words = *failed.unwrap_err().downcast::<String>().unwrap();
    assert!(words.contains("\"nowhere\" does not exist"), "{words}");
}
