//! Cells over their life: what nobody asks for is let go, a doubt is settled only by looking, and nothing of one
//! history is mixed with another.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test that cannot go on stops, and says where"
)]

use domain::{Change, OrganizationCore, OrganizationState, RevocationCore, Stream};
use kernel::{Id, Micros, Monotonic, Org, Timestamp};
use live::{Advance, Cells, Revision};

const BOUND: Micros = Micros::seconds(2);

fn org(n: u8) -> Id<Org> {
    Id::from_bytes([n; 16])
}

fn at(seconds: i64) -> Monotonic {
    Monotonic::from_micros(seconds * 1_000_000)
}

fn revision(state: u64) -> Revision {
    Revision {
        state,
        authority: state,
    }
}

fn organization(n: u8) -> Change {
    Change::Organization(OrganizationCore {
        id: org(n),
        slug: format!("o{n}"),
        issuer: "https://id.example/o".into(),
        state: OrganizationState::Active,
        parent: None,
        quotas: domain::Quotas::default(),
    })
}

fn revoked(n: u8) -> Change {
    Change::Revoked(RevocationCore {
        node: [n; 16],
        until: Timestamp::from_seconds(9),
        rev: 0,
        mark: false,
        client: None,
    })
}

fn cells(orgs: u8) -> Cells {
    let changes: Vec<Change> = (1..=orgs).map(organization).collect();
    let cells = Cells::new(&changes, revision(1), at(0), BOUND);
    for n in 1..=orgs {
        cells.load(cells.era(), org(n), &[], revision(1), at(0));
    }
    cells
}

fn loaded(cells: &Cells, orgs: u8) -> Vec<u8> {
    (1..=orgs).filter(|n| cells.is_loaded(org(*n))).collect()
}

#[test]
fn what_nobody_asks_for_is_let_go() {
    let cells = cells(4);
    let ask = |n| cells.view(org(n), Timestamp::from_seconds(1)).is_some();
    for _ in 0..3 {
        assert_eq!(cells.sweep(3, 10), 0);
        assert!(ask(2));
    }
    assert_eq!(cells.sweep(3, 10), 3);
    assert_eq!(loaded(&cells, 4), [2]);
    assert!(!ask(1), "it must be loaded again");
}

#[test]
fn of_too_many_those_go_that_rested_longest() {
    let cells = cells(4);
    let ask = |n| drop(cells.view(org(n), Timestamp::from_seconds(1)));
    cells.sweep(100, 10);
    [1, 3].into_iter().for_each(ask);
    assert_eq!(cells.sweep(100, 2), 2);
    assert_eq!(loaded(&cells, 4), [1, 3]);
}

#[test]
fn a_doubt_stays_until_it_was_looked_into() {
    let cells = cells(2);
    let stream = Stream::org(org(1));
    let fresh = |seconds| cells.is_fresh(stream, at(seconds));
    assert!(fresh(2) && !fresh(3));
    cells.doubt(stream);
    let seen = cells.loaded();
    seen.confirm(at(3));
    assert!(!fresh(3), "a poll that did not look into it proves nothing");
    assert!(
        cells.is_fresh(Stream::org(org(2)), at(3)),
        "and the others go on"
    );
    let doubted = seen.doubted();
    assert_eq!(doubted.len(), 1);
    cells.doubt(stream);
    doubted
        .iter()
        .for_each(|(stream, doubt)| seen.settle(*stream, *doubt));
    assert!(!fresh(3), "a later doubt is another");
    cells
        .loaded()
        .doubted()
        .iter()
        .for_each(|(stream, doubt)| seen.settle(*stream, *doubt));
    assert!(fresh(3));
    let (late, oldest) = cells.loaded().lagging(at(9), BOUND);
    assert_eq!((late.len(), oldest), (3, Micros::seconds(6)));
}

#[test]
fn another_history_takes_nothing_from_the_one_before() {
    let cells = cells(2);
    let before = cells.era();
    let stream = Stream::org(org(1));
    assert_eq!(
        cells.advance(before, stream, 2, &[revoked(1)]),
        Advance::Reached
    );
    cells.begin_again(&[organization(1)], revision(7), at(5));
    assert_eq!(
        cells.advance(before, Stream::INSTANCE, 8, &[organization(9)]),
        Advance::NotLoaded
    );
    cells.load(before, org(1), &[revoked(1)], revision(2), at(5));
    assert!(
        !cells.is_loaded(org(1)),
        "it was read from the history before"
    );
    assert_eq!(cells.revision(Stream::INSTANCE), Some(revision(7)));
    assert!(cells.instance().organization(org(9)).is_none());
    cells.load(cells.era(), org(1), &[], revision(1), at(5));
    assert_eq!(
        cells.revision(stream),
        Some(revision(1)),
        "a history may stand further back"
    );
    assert_eq!(
        cells.advance(before, stream, 2, &[revoked(1)]),
        Advance::NotLoaded
    );
    assert_eq!(
        cells.advance(cells.era(), stream, 2, &[revoked(2)]),
        Advance::Reached
    );
}
