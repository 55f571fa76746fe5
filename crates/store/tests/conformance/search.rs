//! Searching a log: what is found with postings is what is found without, on either engine, and of one log alone.

use crate::world::{World, plain};
use domain::{
    Stream,
    entry::{After, Details},
};
use kernel::Id;
use serde_json::json;
use store::{Found, Prepared, Record, STRETCH, Search, StoreError, Words};

const MORE: u64 = 30;

async fn fill(world: &World, stream: Stream, entries: u64) {
    let record = |n: u64| {
        let id = Id::generate(&*world.clock, &*world.entropy);
        let kind = if n.is_multiple_of(1_000) {
            "thing.rare"
        } else {
            "thing.made"
        };
        let mut entry = plain(kind, id, kernel::Clock::now(&*world.clock));
        let after = After::Value(json!({ "note": format!("word{}", n % 100) }));
        entry.action.details = Details {
            after: Some(after),
            before: None,
        };
        let record = Record {
            stream,
            entry: Prepared::new(&entry).unwrap(),
            decided_at: None,
            once: None,
        };
        world.store.record(record)
    };
    for from in (0..entries).step_by(512) {
        let some = (from..entries.min(from + 512)).map(record);
        let done = futures::future::join_all(some).await;
        assert!(done.iter().all(Result::is_ok));
    }
}

async fn found(world: &World, stream: Stream, search: Search) -> Result<Found, StoreError> {
    let read = move |reader: &mut store::Reader<'_>| reader.search(stream, &search);
    world.store.read(stream, read).await
}

fn searches() -> [Search; 4] {
    let base = Search {
        limit: 200,
        ..Search::default()
    };
    let rare = Search {
        kind: Some("thing.rare".into()),
        ..base.clone()
    };
    let words = |text| Search {
        words: Words::of(text),
        ..base.clone()
    };
    let both = Search {
        kind: Some("thing.rare".into()),
        ..words("word0")
    };
    [rare, words("WORD17"), both, words("word17 word18")]
}

pub async fn what_is_found_is_what_a_look_at_every_entry_finds(world: World) {
    let org = world.org();
    fill(&world, org, STRETCH + MORE).await;
    let mut before = Vec::new();
    for search in searches() {
        before.push(found(&world, org, search).await.unwrap());
    }
    let counts: Vec<_> = before.iter().map(|found| found.rows.len()).collect();
    assert_eq!(counts, [5, 42, 5, 0]);
    let indexed = world.store.index_next(org).await.unwrap();
    assert_eq!((indexed.entries, indexed.more), (STRETCH, false));
    for (search, before) in searches().into_iter().zip(before) {
        let after = found(&world, org, search).await.unwrap();
        assert_eq!((after.rows, after.stopped), (before.rows, None));
    }
}

/// One log's postings are never another's, and a scope does not reach them.
pub async fn a_search_is_of_one_log(world: World) {
    let (org, other) = (world.org(), world.org());
    fill(&world, org, STRETCH).await;
    world.store.index_next(org).await.unwrap();
    let [rare, ..] = searches();
    assert_eq!(found(&world, other, rare.clone()).await.unwrap().rows, []);
    let across = move |reader: &mut store::Reader<'_>| reader.search(org, &rare);
    assert_eq!(
        world
            .store
            .read(other, across)
            .await
            .map(|found| found.rows),
        Err(StoreError::OutOfScope)
    );
    assert_eq!(world.store.indexed(other).await.unwrap().entries, 0);
    world.store.forget_postings(other).await.unwrap();
    assert_eq!(world.store.indexed(org).await.unwrap().entries, STRETCH);
}
