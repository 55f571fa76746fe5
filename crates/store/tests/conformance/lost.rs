//! A COMMIT whose answer is lost: the log itself says whether it happened, and nothing happens twice.

use crate::world::{Place, World, revocation};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};
use store::{Options, Plan, Store, Tx};

const PASS: u8 = 0;
/// The server gets the next COMMIT; its answer goes nowhere.
const LOSE_THE_ANSWER: u8 = 1;
/// The next COMMIT goes nowhere.
const LOSE_THE_COMMIT: u8 = 2;

/// Stands between a store and its server; returns its port.
fn wire(server: String, mood: Arc<AtomicU8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(&server).unwrap();
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || {
                let _end = std::io::copy(&mut from, &mut to);
                let _gone = to.shutdown(Shutdown::Both);
            });
            let mood = mood.clone();
            std::thread::spawn(move || forward(client, server, &mood));
        }
    });
    port
}

fn forward(mut client: TcpStream, mut server: TcpStream, mood: &AtomicU8) {
    let mut buffer = [0; 65_536];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        let bytes = &buffer[..read];
        let commits = bytes.windows(7).any(|part| part == b"COMMIT\0");
        let now = if commits {
            mood.swap(PASS, Ordering::SeqCst)
        } else {
            PASS
        };
        if now == LOSE_THE_ANSWER {
            client.shutdown(Shutdown::Both).unwrap();
        }
        if now == LOSE_THE_COMMIT || server.write_all(bytes).is_err() {
            break;
        }
        if now == LOSE_THE_ANSWER {
            std::thread::sleep(Duration::from_millis(300));
            break;
        }
    }
    let _gone = (
        client.shutdown(Shutdown::Both),
        server.shutdown(Shutdown::Both),
    );
}

/// The same world, with a store that speaks through the wire.
fn through(world: World, mood: &Arc<AtomicU8>) -> World {
    let Place::Server(url) = &world.place else {
        unreachable!()
    };
    let server = url.split(['@', '/']).nth(3).unwrap().to_owned();
    let port = wire(server.clone(), mood.clone());
    let url = url.replace(&server, &format!("127.0.0.1:{port}"));
    let options = Options {
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
        connections: 1,
    };
    let store = Store::postgres(&url, options).unwrap();
    World { store, ..world }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_commit_is_looked_up() {
    let Some(world) = World::postgres() else {
        return;
    };
    let mood = Arc::new(AtomicU8::new(PASS));
    let world = through(world, &mood);
    let org = world.org();
    assert!(!world.revoke(org, 1).await.replayed);

    mood.store(LOSE_THE_ANSWER, Ordering::SeqCst);
    let done = world.revoke(org, 2).await;
    assert_eq!((done.replayed, done.moved[0].head.seq), (true, 2));

    mood.store(LOSE_THE_COMMIT, Ordering::SeqCst);
    let done = world.revoke(org, 3).await;
    assert_eq!(
        (done.replayed, done.moved[0].head.seq),
        (false, 3),
        "it ran again"
    );

    for (fate, seq) in [(LOSE_THE_ANSWER, 4), (LOSE_THE_COMMIT, 5)] {
        mood.store(fate, Ordering::SeqCst);
        assert_eq!(world.record(org).await.unwrap(), seq);
    }
    let (head, changes) = world.store.export(org).await.unwrap();
    assert_eq!((head.seq, head.state_rev, changes.len()), (5, 3, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_wrote_nothing_has_nothing_to_lose() {
    let Some(world) = World::postgres() else {
        return;
    };
    let mood = Arc::new(AtomicU8::new(PASS));
    let world = through(world, &mood);
    let org = world.org();
    mood.store(LOSE_THE_ANSWER, Ordering::SeqCst);
    let look = move |tx: &mut Tx<'_>| tx.get::<domain::Revocation>(org, [1; 16]);
    let done = world.store.commit(Plan::new(org), look).await.unwrap();
    assert!(done.value.is_none() && done.moved.is_empty());
    let put = move |tx: &mut Tx<'_>| tx.put(org, &revocation(1, 1));
    assert!(world.store.commit(Plan::new(org), put).await.is_err());
}
