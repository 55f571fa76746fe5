//! Inclusion and consistency proofs over a slice of entry hashes, made as RFC 6962 section 2.1 defines them and
//! checked as RFC 9162 sections 2.1.3.2 and 2.1.4.2 say. A proof is never trusted for its length.

use super::{Frontier, leaf_hash, node_hash};

/// The largest power of two below `len`, which must be above one.
fn split(len: usize) -> usize {
    len.next_power_of_two() / 2
}

fn root(entries: &[[u8; 32]]) -> [u8; 32] {
    entries.iter().collect::<Frontier>().root()
}

/// The path from entry `index` up to the root of the tree over `entries`; nothing when there is no such entry.
pub fn inclusion_proof(entries: &[[u8; 32]], index: usize) -> Option<Vec<[u8; 32]>> {
    if index >= entries.len() {
        return None;
    }
    if entries.len() == 1 {
        return Some(Vec::new());
    }
    let middle = split(entries.len());
    let (left, right) = entries.split_at_checked(middle)?;
    let (mut path, sibling) = match index.checked_sub(middle) {
        None => (inclusion_proof(left, index)?, root(right)),
        Some(index) => (inclusion_proof(right, index)?, root(left)),
    };
    path.push(sibling);
    Some(path)
}

/// Whether `proof` shows that entry `index` of the tree of `size` entries with this root is `entry`.
pub fn verify_inclusion(
    entry: &[u8; 32],
    index: u64,
    size: u64,
    proof: &[[u8; 32]],
    root: &[u8; 32],
) -> bool {
    if index >= size {
        return false;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf_hash(entry));
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            let up = up_to_right_child(node);
            (node, last) = (node >> up, last >> up);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// How many levels up a node without a sibling first becomes a right child (or the root).
fn up_to_right_child(node: u64) -> u32 {
    if node == 0 { 0 } else { node.trailing_zeros() }
}

/// What shows that the tree over the first `old` entries is the beginning of the tree over all of them; nothing
/// when there are fewer. From the empty tree and to itself the proof is empty.
pub fn consistency_proof(entries: &[[u8; 32]], old: usize) -> Option<Vec<[u8; 32]>> {
    match old {
        0 => Some(Vec::new()),
        _ if old > entries.len() => None,
        _ => sub_proof(entries, old, true),
    }
}

fn sub_proof(entries: &[[u8; 32]], old: usize, whole: bool) -> Option<Vec<[u8; 32]>> {
    if old == entries.len() {
        return Some(if whole { vec![] } else { vec![root(entries)] });
    }
    let middle = split(entries.len());
    let (left, right) = entries.split_at_checked(middle)?;
    let (mut path, sibling) = match old.checked_sub(middle) {
        None | Some(0) => (sub_proof(left, old, whole)?, root(right)),
        Some(old) => (sub_proof(right, old, false)?, root(left)),
    };
    path.push(sibling);
    Some(path)
}

/// Whether `proof` shows that the tree of `old` entries is the beginning of the tree of `new` entries.
pub fn verify_consistency(
    old: u64,
    old_root: &[u8; 32],
    new: u64,
    new_root: &[u8; 32],
    proof: &[[u8; 32]],
) -> bool {
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    if old == 0 || old > new {
        return old == 0 && proof.is_empty() && *old_root == Frontier::new().root();
    }
    let (seed, rest) = match (old.is_power_of_two(), proof.split_first()) {
        (true, _) => (old_root, proof),
        (false, Some((seed, rest))) => (seed, rest),
        (false, None) => return false,
    };
    let skipped = (old - 1).trailing_ones();
    let start = ((old - 1) >> skipped, (new - 1) >> skipped);
    climb(seed, rest, start)
        .is_some_and(|(old_seen, new_seen)| old_seen == *old_root && new_seen == *new_root)
}

/// The old and the new root as `proof` has them, climbing from the nodes at which both trees still agree.
fn climb(
    seed: &[u8; 32],
    proof: &[[u8; 32]],
    (mut node, mut last): (u64, u64),
) -> Option<([u8; 32], [u8; 32])> {
    let (mut old, mut new) = (*seed, *seed);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            (old, new) = (node_hash(sibling, &old), node_hash(sibling, &new));
            let up = up_to_right_child(node);
            (node, last) = (node >> up, last >> up);
        } else {
            new = node_hash(&new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    (last == 0).then_some((old, new))
}
