//! I4: folding the feed gives what an export gives, whatever was put and removed in whatever order.

use crate::world::{World, assignment, revocation};
use domain::{Change, Stream};
use kernel::Code;
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};
use std::collections::BTreeMap;
use store::{Plan, Refusal, Tx};

#[derive(Clone, Debug)]
enum Step {
    Assign(u8, u8),
    Unassign(u8),
    Revoke(u8, i64),
    Forget(u8),
}

fn steps() -> impl Strategy<Value = Vec<(Vec<Step>, bool)>> {
    let step = prop_oneof![
        (0..4u8, 0..9u8).prop_map(|(id, role)| Step::Assign(id, role)),
        (0..4u8).prop_map(Step::Unassign),
        (0..4u8, 0..9i64).prop_map(|(node, until)| Step::Revoke(node, until)),
        (0..4u8).prop_map(Step::Forget),
    ];
    vec((vec(step, 1..5), any::<bool>()), 1..8)
}

fn play(tx: &mut Tx<'_>, org: Stream, step: &Step) -> Result<(), Refusal> {
    match step {
        Step::Assign(id, role) => tx.put(org, &assignment(*id, *role)).map(|_| ()),
        Step::Unassign(id) => tx.remove(org, &assignment(*id, 0)),
        Step::Forget(node) => tx.remove(org, &revocation(*node, 0)),
        Step::Revoke(node, until) => tx.put(org, &revocation(*node, *until)).map(|_| ()),
    }
}

fn key(change: &Change) -> String {
    match change {
        Change::Assignment(core) => core.id.to_string(),
        Change::AssignmentRemoved(id) => id.to_string(),
        Change::Revoked(core) => format!("{:?}", core.node),
        Change::RevocationRemoved(node) => format!("{node:?}"),
        other => panic!("{other:?} was not written"),
    }
}

fn folded(changes: impl IntoIterator<Item = Change>) -> Vec<Change> {
    let mut state = BTreeMap::new();
    for change in changes {
        match change {
            Change::AssignmentRemoved(_) | Change::RevocationRemoved(_) => {
                drop(state.remove(&key(&change)));
            }
            other => drop(state.insert(key(&other), other)),
        }
    }
    state.into_values().collect()
}

async fn check(world: &World, commits: Vec<(Vec<Step>, bool)>) {
    let org = world.org();
    for (steps, refuse) in commits {
        let entry = world.entry("x.changed");
        let run = move |tx: &mut Tx<'_>| {
            steps.iter().try_for_each(|step| play(tx, org, step))?;
            tx.entry(org, entry.clone())?;
            if refuse {
                return Err(Refusal::new(Code::InvalidState, "not now"));
            }
            Ok(())
        };
        let done = world.store.commit(Plan::new(org), run).await;
        assert_eq!(done.is_err(), refuse);
    }
    let feed = world.store.changes_after(org, 0, usize::MAX).await.unwrap();
    let (head, export) = world.store.export(org).await.unwrap();
    assert_eq!(feed.last().map_or(0, |row| row.state_rev), head.state_rev);
    let all = feed.into_iter().flat_map(|row| row.changes);
    assert_eq!(folded(all), folded(export));
}

pub async fn the_folded_feed_is_the_export(world: World) {
    let runtime = tokio::runtime::Handle::current();
    let checked = tokio::task::spawn_blocking(move || {
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 24,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        runner.run(&steps(), |commits| {
            runtime.block_on(check(&world, commits));
            Ok(())
        })
    });
    checked.await.unwrap().unwrap();
}
