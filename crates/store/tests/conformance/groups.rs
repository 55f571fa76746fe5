//! Commands of one stream that wait share a transaction, and still fail each for itself.

use crate::world::{Place, World, assignment, code};
use domain::Stream;
use kernel::Code;
use std::sync::{Arc, Mutex, mpsc};
use store::{CommitError, Committed, Plan, Refusal, Tx};
use testkit::postgres::psql;

type Outcome = Result<Committed<()>, CommitError>;

/// What a command of these tests does.
#[derive(Clone, Copy)]
enum Does {
    /// Inserts this assignment, with its entry.
    Insert(u8),
    /// The same, and refuses then.
    InsertAndRefuse(u8),
    /// Refuses at once.
    Refuse,
    /// The same as `Insert`, and panics then.
    InsertAndPanic(u8),
}

/// Runs a command that keeps the stream's lane busy until all the others wait behind it.
async fn together(world: &World, org: Stream, all: &[Does]) -> Vec<Outcome> {
    let (go, wait) = mpsc::channel::<()>();
    let (began, running) = mpsc::channel::<()>();
    let (wait, entry) = (Arc::new(Mutex::new(wait)), world.entry("x.first"));
    let store = world.store.clone();
    let first = tokio::spawn(async move {
        let run = move |tx: &mut Tx<'_>| {
            began.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
            tx.entry(org, entry.clone())
        };
        store.commit(Plan::new(org), run).await
    });
    tokio::task::spawn_blocking(move || running.recv().unwrap())
        .await
        .unwrap();
    let tasks: Vec<_> = all
        .iter()
        .map(|does| {
            let (does, entry) = (*does, world.entry("x.happened"));
            let store = world.store.clone();
            let run = move |tx: &mut Tx<'_>| {
                let (Does::Insert(id) | Does::InsertAndRefuse(id) | Does::InsertAndPanic(id)) =
                    does
                else {
                    return Err(Refusal::new(Code::InvalidState, "no"));
                };
                tx.insert(org, &assignment(id, 1))?;
                tx.entry(org, entry.clone())?;
                match does {
                    Does::InsertAndRefuse(_) => Err(Refusal::new(Code::InvalidState, "no")),
                    Does::InsertAndPanic(_) => panic!("a bug of the closure"),
                    _ => Ok(()),
                }
            };
            let mut commit = Box::pin(async move { store.commit(Plan::new(org), run).await });
            // Polled once, it waits in the queue, in this order.
            assert!(futures::FutureExt::now_or_never(&mut commit).is_none());
            tokio::spawn(commit)
        })
        .collect();
    go.send(()).unwrap();
    first.await.unwrap().unwrap();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

fn transactions(world: &World, org: Stream) -> String {
    let Place::Server(url) = &world.place else {
        unreachable!()
    };
    let org = u128::from_be_bytes(org.bytes());
    psql(
        url,
        &format!(
            "SELECT count(DISTINCT xmin::text), count(*), max(seq) FROM audit_events WHERE stream = '\\x{org:032x}'"
        ),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_shares_a_transaction_and_a_refusal_takes_back_its_own() {
    let Some(world) = World::postgres() else {
        return;
    };
    let org = world.org();
    let all = [
        Does::Insert(1),
        Does::InsertAndRefuse(2),
        Does::Refuse,
        Does::Insert(3),
    ];
    let mut outcomes = together(&world, org, &all).await;
    let last = outcomes.pop().unwrap().unwrap();
    assert_eq!(
        (last.moved[0].head.seq, last.moved[0].head.state_rev),
        (3, 2)
    );
    assert_eq!(code(outcomes.pop().unwrap()), Code::InvalidState);
    assert_eq!(code(outcomes.pop().unwrap()), Code::InvalidState);
    assert_eq!(outcomes.pop().unwrap().unwrap().moved[0].head.seq, 2);
    assert_eq!(
        transactions(&world, org),
        "2|3|3\n",
        "the first, and the group"
    );
    let (head, changes) = world.store.export(org).await.unwrap();
    assert_eq!((head.seq, changes.len()), (3, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_spoils_a_group_fails_alone() {
    let Some(world) = World::postgres() else {
        return;
    };
    let org = world.org();
    let all = [Does::Insert(1), Does::Insert(1), Does::Insert(2)];
    let mut outcomes = together(&world, org, &all).await;
    assert_eq!(outcomes.pop().unwrap().unwrap().moved[0].head.seq, 3);
    assert_eq!(code(outcomes.pop().unwrap()), Code::AlreadyExists);
    assert!(outcomes.pop().unwrap().is_ok());
    let all = [Does::Insert(3), Does::InsertAndPanic(4), Does::Insert(5)];
    let outcomes = together(&world, org, &all).await;
    let well: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
    assert_eq!(well, [true, false, true]);
    assert_eq!(transactions(&world, org), "6|6|6\n");
    assert_eq!(world.store.export(org).await.unwrap().1.len(), 4);
}
