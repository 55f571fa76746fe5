//! No token but the signed one passes: every change of a single character is refused.

use crate::common::{ACCESS, CLAIMS, key, set};
use jose::{Algorithm, KeySet, verify_jwt};
use proptest::prelude::*;
use std::sync::LazyLock;

/// One honest token for each algorithm and the keys of all.
static HONEST: LazyLock<(Vec<String>, KeySet)> = LazyLock::new(|| {
    let keys: Vec<_> = Algorithm::ALL.iter().map(|alg| key(*alg)).collect();
    let tokens = keys
        .iter()
        .map(|key| key.sign_jwt("at+jwt", CLAIMS).unwrap());
    (tokens.collect(), set(&keys.iter().collect::<Vec<_>>()))
});

fn replaced(token: &str, at: usize, with: char) -> String {
    let mut chars: Vec<char> = token.chars().collect();
    chars[at] = with;
    chars.into_iter().collect()
}

#[test]
fn every_bit_of_every_character_counts() {
    let (tokens, keys) = &*HONEST;
    for token in tokens {
        assert!(verify_jwt(token, keys, &ACCESS).is_ok());
        for (at, old) in token.char_indices() {
            for bit in 0..7 {
                let changed = replaced(token, at, char::from(old as u8 ^ (1 << bit)));
                assert!(verify_jwt(&changed, keys, &ACCESS).is_err(), "{changed}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_character_is_refused(
        which in 0..Algorithm::ALL.len(),
        at in any::<prop::sample::Index>(),
        with in prop_oneof![4 => "[A-Za-z0-9_.=-]", 1 => any::<char>().prop_map(String::from)],
    ) {
        let (tokens, keys) = &*HONEST;
        let token = &tokens[which];
        let changed = replaced(token, at.index(token.len()), with.chars().next().unwrap());
        prop_assume!(changed != *token);
        prop_assert!(verify_jwt(&changed, keys, &ACCESS).is_err());
    }

    #[test]
    fn a_dropped_or_added_character_is_refused(
        which in 0..Algorithm::ALL.len(),
        at in any::<prop::sample::Index>(),
        with in "[A-Za-z0-9_.=-]",
    ) {
        let (tokens, keys) = &*HONEST;
        let token = &tokens[which];
        let at = at.index(token.len());
        let (before, after) = token.split_at(at);
        let dropped = format!("{before}{}", &after[1..]);
        let added = format!("{before}{with}{after}");
        prop_assert!(verify_jwt(&dropped, keys, &ACCESS).is_err());
        prop_assert!(verify_jwt(&added, keys, &ACCESS).is_err());
    }

    #[test]
    fn no_text_makes_the_verifier_panic(token in "\\PC{0,40}(\\.\\PC{0,40}){0,4}") {
        prop_assert!(verify_jwt(&token, &HONEST.1, &ACCESS).is_err());
    }
}
