//! The chain: every entry's hash covers its stream, place, time, body and the hash before it, so that no entry
//! can be changed, moved or taken away without every later hash changing too. It never looks inside a body.

use aws_lc_rs::digest::{SHA256, digest as hash};

/// What the first entry of a stream names as the hash before it.
pub const FIRST_PREVIOUS: [u8; 32] = [0; 32];

const DOMAIN: &[u8; 15] = b"cardea-entry-1\0";

/// SHA-256.
pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = hash(&SHA256, bytes);
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// The parts one after the other, which must fill the array: no context and no allocation for what is short.
pub(super) fn joined<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut all = [0; N];
    let mut free = all.as_mut_slice();
    for part in parts {
        let Some((to, rest)) = std::mem::take(&mut free).split_at_mut_checked(part.len()) else {
            break;
        };
        to.copy_from_slice(part);
        free = rest;
    }
    all
}

/// The digest of a body's bytes, as `entry_hash` wants it.
pub fn digest(body: &[u8]) -> [u8; 32] {
    sha256(body)
}

/// The hash of entry `seq` of `stream`: SHA-256 over a domain separator, the stream, the sequence number and the
/// time in microseconds (both big-endian), the hash of the entry before, and the digest of the body.
pub fn entry_hash(
    stream: [u8; 16],
    seq: u64,
    time: i64,
    prev: &[u8; 32],
    digest: &[u8; 32],
) -> [u8; 32] {
    let (seq, time) = (seq.to_be_bytes(), time.to_be_bytes());
    sha256(&joined::<111>(&[
        DOMAIN, &stream, &seq, &time, prev, digest,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_covered_and_the_layout_is_fixed() {
        let body = digest(b"{}");
        let hash = entry_hash([1; 16], 2, 3, &FIRST_PREVIOUS, &body);
        let mut bytes = b"cardea-entry-1\0".to_vec();
        bytes.extend([1; 16]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]);
        bytes.extend([0; 32]);
        bytes.extend(body);
        assert_eq!(hash, digest(&bytes));
        for other in [
            entry_hash([2; 16], 2, 3, &FIRST_PREVIOUS, &body),
            entry_hash([1; 16], 3, 3, &FIRST_PREVIOUS, &body),
            entry_hash([1; 16], 2, 4, &FIRST_PREVIOUS, &body),
            entry_hash([1; 16], 2, 3, &[1; 32], &body),
            entry_hash([1; 16], 2, 3, &FIRST_PREVIOUS, &digest(b"{ }")),
        ] {
            assert_ne!(hash, other);
        }
    }
}
