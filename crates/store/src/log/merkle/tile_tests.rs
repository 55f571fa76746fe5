//! Proofs from tiles against the same proofs made from all leaves, which are held against an independent
//! implementation elsewhere; and directly against that implementation at sizes of three levels.

use super::{
    consistency_proof, inclusion_proof,
    tile::{self, *},
    verify_consistency, verify_inclusion, *,
};
use crate::log::chain::sha256;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;
use std::sync::LazyLock;

const MOST: usize = 256 * 256 + 700;

static ENTRIES: LazyLock<Vec<[u8; 32]>> =
    LazyLock::new(|| (0..MOST).map(|n| sha256(&n.to_be_bytes())).collect());
static TILES: LazyLock<Tiles> = LazyLock::new(|| tiles(&ENTRIES));

/// All tiles of a log, the last of level 0 not full.
fn tiles(entries: &[[u8; 32]]) -> Tiles {
    let (mut all, mut builder) = (Tiles::new(), Builder::new(0, Tiles::new()));
    let (full, rest) = entries.as_chunks::<256>();
    for chunk in full {
        all.extend(builder.push(chunk).unwrap());
    }
    let level = 0;
    let index = full.len() as u64;
    all.insert(Tile { level, index }, rest.iter().map(leaf_hash).collect());
    all
}

fn hashes(runs: Vec<Run>) -> Vec<[u8; 32]> {
    let all = runs.into_iter().map(|run| tile::hash(run, &TILES).unwrap());
    all.collect()
}

#[test]
fn small_trees_have_the_proofs_of_their_leaves() {
    for size in 1..70usize {
        let entries = &ENTRIES[..size];
        for at in 0..size {
            let runs = inclusion_runs(at as u64, size as u64).unwrap();
            assert_eq!(Some(hashes(runs)), inclusion_proof(entries, at));
        }
        for old in 0..=size {
            let runs = consistency_runs(old as u64, size as u64).unwrap();
            assert_eq!(Some(hashes(runs)), consistency_proof(entries, old));
        }
    }
    assert_eq!(inclusion_runs(3, 3), None);
    assert_eq!(consistency_runs(4, 3), None);
}

#[test]
fn a_builder_goes_on_where_another_stopped() {
    let mut all = Tiles::new();
    for (at, chunk) in ENTRIES.as_chunks::<256>().0.iter().enumerate() {
        let open = open_tiles(at as u64).into_iter();
        let open = open.map(|tile| (tile, all[&tile].clone())).collect();
        let mut builder = Builder::new(at as u64, open);
        all.extend(builder.push(chunk).unwrap());
    }
    assert!(all.iter().all(|(tile, hashes)| TILES[tile] == *hashes));
    let mut forgetful = Builder::new(3, Tiles::new());
    assert_eq!(forgetful.push(&ENTRIES[..256]), None);
    assert_eq!(Builder::new(0, Tiles::new()).push(&ENTRIES[..255]), None);
}

#[test]
fn a_large_tree_agrees_with_another_implementation() {
    let mut oracle = MemoryBackedTree::<Sha256, [u8; 32]>::new();
    ENTRIES.iter().for_each(|entry| oracle.push(*entry));
    let root = tile::hash((0, MOST as u64), &TILES).unwrap();
    assert_eq!(&root[..], &oracle.root().as_bytes()[..]);
    for at in [0, 255, 256, 65_535, 65_536, MOST - 1] {
        let proof = hashes(inclusion_runs(at as u64, MOST as u64).unwrap());
        let theirs = oracle.prove_inclusion(at);
        assert_eq!(theirs.as_bytes(), proof.concat(), "{at}");
    }
}

#[test]
fn a_tile_that_is_not_that_of_its_log_is_told() {
    let right = |tile: Tile, width: u64, tiles: &Tiles| {
        let end = tile::end(tile, width).unwrap();
        agrees(tile, width, tiles) && tile::hash((0, end), tiles) == tile::hash((0, end), &TILES)
    };
    let at = |level, index| Tile { level, index };
    for (tile, width) in [
        (at(0, 0), 256),
        (at(0, 17), 256),
        (at(0, 255), 256),
        (at(0, 257), 256),
        (at(0, 258), 188),
        (at(1, 0), 256),
        (at(1, 1), 2),
        (at(2, 0), 1),
    ] {
        assert!(right(tile, width, &TILES), "{tile:?}");
        let used = path(tile, width);
        for place in [0, width as usize / 2, width as usize - 1] {
            let mut spoiled = TILES.clone();
            spoiled.get_mut(&tile).unwrap()[place][0] ^= 1;
            assert!(!right(tile, width, &spoiled), "{tile:?} at {place}");
        }
        for above in &used[1..] {
            let mut spoiled = TILES.clone();
            spoiled.remove(above);
            assert!(!right(tile, width, &spoiled), "{tile:?} without {above:?}");
        }
    }
    assert_eq!(tile::end(at(7, u64::MAX / 2), 256), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn proofs_from_tiles_hold(size in 1..MOST, at: prop::sample::Index, old: prop::sample::Index) {
        let (at, old) = (at.index(size), old.index(size));
        let root = tile::hash((0, size as u64), &TILES).unwrap();
        let proof = hashes(inclusion_runs(at as u64, size as u64).unwrap());
        prop_assert!(verify_inclusion(&ENTRIES[at], at as u64, size as u64, &proof, &root));
        let old_root = tile::hash((0, old as u64), &TILES).unwrap();
        let proof = hashes(consistency_runs(old as u64, size as u64).unwrap());
        prop_assert!(verify_consistency(old as u64, &old_root, size as u64, &root, &proof));
        let read: std::collections::BTreeSet<_> = consistency_runs(old as u64, size as u64)
            .unwrap().into_iter().flat_map(tiles_of).collect();
        prop_assert!(read.len() <= 9, "{read:?}");
    }
}
