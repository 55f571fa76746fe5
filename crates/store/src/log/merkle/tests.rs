//! The tree against an independent implementation and the reference vectors of Certificate Transparency.

use super::*;
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;
use sha2::Sha256;

const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn roots_are_those_of_the_reference_vectors() {
    let mut frontier = Frontier::new();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(frontier.root().to_vec(), bytes(root), "size {size}");
        if let Some(leaf) = LEAVES.get(size) {
            frontier.push_leaf(sha256(&[&[0], &bytes(leaf)[..]].concat()));
        }
    }
}

fn entries(count: usize) -> Vec<[u8; 32]> {
    (0..count)
        .map(|number| sha256(&number.to_be_bytes()))
        .collect()
}

fn oracle(entries: &[[u8; 32]]) -> MemoryBackedTree<Sha256, [u8; 32]> {
    let mut tree = MemoryBackedTree::new();
    entries.iter().for_each(|entry| tree.push(*entry));
    tree
}

fn root(entries: &[[u8; 32]]) -> [u8; 32] {
    entries.iter().collect::<Frontier>().root()
}

/// Other proofs that look alike: one bit elsewhere, one hash more, one fewer.
fn forged(proof: &[[u8; 32]], bit: usize) -> Vec<Vec<[u8; 32]>> {
    let mut all = vec![[proof, &[[7; 32]]].concat()];
    if !proof.is_empty() {
        let mut flipped = proof.to_vec();
        flipped[bit / 256 % proof.len()][bit / 8 % 32] ^= 1 << (bit % 8);
        all.extend([
            flipped,
            proof[1..].to_vec(),
            proof[..proof.len() - 1].to_vec(),
        ]);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_inclusion_proof_is_the_oracles_and_no_other_one_holds(
        size in 1usize..200, at: prop::sample::Index, bit: usize
    ) {
        let (entries, index) = (entries(size), at.index(size));
        let (root, proof) = (root(&entries), inclusion_proof(&entries, index).unwrap());
        let tree = oracle(&entries);
        prop_assert_eq!(tree.root().as_bytes().to_vec(), root.to_vec());
        prop_assert_eq!(tree.prove_inclusion(index).as_bytes().to_vec(), proof.concat());
        let (place, of) = (index as u64, size as u64);
        prop_assert!(verify_inclusion(&entries[index], place, of, &proof, &root));
        prop_assert!(!verify_inclusion(&[9; 32], place, of, &proof, &root));
        prop_assert!(!verify_inclusion(&entries[index], place + 1, of, &proof, &root));
        prop_assert!(!verify_inclusion(&entries[index], of, of, &proof, &root));
        for other in forged(&proof, bit) {
            prop_assert!(!verify_inclusion(&entries[index], place, of, &other, &root));
        }
        prop_assert_eq!(inclusion_proof(&entries, size), None);
    }

    #[test]
    fn a_consistency_proof_is_the_oracles_and_no_other_one_holds(
        size in 2usize..200, at: prop::sample::Index, bit: usize
    ) {
        let (entries, old) = (entries(size), 1 + at.index(size - 1));
        let (before, after) = (root(&entries[..old]), root(&entries));
        let proof = consistency_proof(&entries, old).unwrap();
        let by_oracle = oracle(&entries).prove_consistency(size - old);
        prop_assert_eq!(by_oracle.as_bytes(), proof.concat());
        let (old, new) = (old as u64, size as u64);
        prop_assert!(verify_consistency(old, &before, new, &after, &proof));
        prop_assert!(!verify_consistency(old, &[1; 32], new, &after, &proof));
        prop_assert!(!verify_consistency(old, &before, new, &[1; 32], &proof));
        prop_assert!(!verify_consistency(new, &after, old, &before, &proof));
        for other in forged(&proof, bit) {
            prop_assert!(!verify_consistency(old, &before, new, &after, &other));
        }
        prop_assert_eq!(consistency_proof(&entries, size + 1), None);
    }

    #[test]
    fn a_frontier_reads_back_and_goes_on(size in 0usize..300, cut in 1usize..40) {
        let frontier: Frontier = entries(size).iter().collect();
        let bytes = frontier.to_bytes();
        let mut read = Frontier::from_bytes(&bytes).unwrap();
        prop_assert_eq!(&read, &frontier);
        read.push(&sha256(&size.to_be_bytes()));
        prop_assert_eq!(read.root(), root(&entries(size + 1)));
        prop_assert_eq!(read.size(), size as u64 + 1);
        prop_assert_eq!(Frontier::from_bytes(&bytes[..bytes.len().saturating_sub(cut)]), None);
        prop_assert_eq!(Frontier::from_bytes(&[&bytes[..], &[0; 32]].concat()), None);
    }
}

#[test]
fn every_tree_is_consistent_with_nothing_and_with_itself() {
    let (nothing, root) = (Frontier::new().root(), root(&entries(5)));
    assert_eq!(consistency_proof(&entries(5), 0), Some(vec![]));
    assert_eq!(consistency_proof(&entries(5), 5), Some(vec![]));
    assert!(verify_consistency(0, &nothing, 5, &root, &[]));
    assert!(verify_consistency(5, &root, 5, &root, &[]));
    assert!(!verify_consistency(0, &root, 5, &root, &[]));
    assert!(!verify_consistency(5, &root, 5, &nothing, &[]));
    assert!(!verify_consistency(5, &root, 5, &root, &[root]));
}
