//! A log made in memory, the way the store makes one, for tests to change and verify.

use super::{Against, Claims, HeadRow, Kept, Options, Report, Row, Verifier};
use crate::log::{
    Checkpoint, FIRST_PREVIOUS, Frontier, VerifierKey, digest, entry_hash,
    note::{origin, sign},
};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use domain::{Entry, GrantId, Lineage, Principal, Stream, entry::*};
use kernel::{Id, Timestamp};

pub(crate) const STREAM: [u8; 16] = [5; 16];

#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) rows: Vec<Row>,
    pub(crate) head: HeadRow,
    pub(crate) feed: Vec<(u64, u64)>,
    pub(crate) notes: Vec<String>,
}

pub(crate) fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap()
}

pub(crate) fn key() -> VerifierKey {
    let public = pair().public_key().as_ref().try_into().unwrap();
    VerifierKey::new(&origin(Stream::from_bytes(STREAM)), public).unwrap()
}

pub(crate) fn entry(number: u64) -> Entry {
    let die = digest(&number.to_be_bytes());
    let issued = (die[0] < 85).then(|| Issued {
        agent: Id::from_bytes([die[1]; 16]),
        aud: "https://api.example".into(),
        expires_at: Timestamp::from_seconds(number as i64 + 300),
        jti: format!("j{number}"),
        kind: "access".into(),
        lineage: Lineage::union([1, 2, 3].map(|n| GrantId::from_number(n + number))).unwrap(),
        scope: "orders:read orders:write".into(),
    });
    let kind = if issued.is_some() {
        TOKEN_ISSUED
    } else {
        "agent.registered"
    };
    Entry {
        action: Action {
            details: Details {
                after: issued.map(|issued| After::Issued(Box::new(issued))),
                before: None,
            },
            lifecycle: "access".into(),
            resource: (die[2] < 128).then(|| format!("agt_{number}")),
            resource_type: Some("agent".into()),
            verb: "create".into(),
        },
        actor: Actor {
            authentication: vec!["pwd".into(), "otp".into()],
            device_id: None,
            ip_address: Some(Sealed {
                c: "q83v".into(),
                k: "usr_1".into(),
            }),
            location: None,
            session_id: Some("ses_1".into()),
            user_agent: Some(Sealed {
                c: "q83v".into(),
                k: "usr_1".into(),
            }),
            user_id: Principal::User(Id::from_bytes([die[3]; 16])),
            user_type: "human".into(),
        },
        build: "0.1.0".into(),
        context: Context {
            api_version: "v1".into(),
            request_id: format!("req_{number}"),
            ..Context::default()
        },
        delegation_chain: vec!["usr_1".into()],
        event_id: Id::from_bytes(die[..16].try_into().unwrap()),
        node: "n1".into(),
        outcome: Outcome {
            error_code: None,
            error_message: None,
            result: "success".into(),
            rollback: None,
            verification: None,
        },
        security: Security::default(),
        // Now and then a clock that is behind.
        timestamp: Timestamp::from_seconds(1_000 + number as i64 - i64::from(die[4] % 8)),
        kind: kind.into(),
        v: 1,
    }
}

/// The row that `entry` gets after `before`.
pub(crate) fn row(
    entry: &Entry,
    seq: u64,
    floor: i64,
    before: &[u8; 32],
    state_rev: Option<u64>,
) -> Row {
    let (body, shown) = (entry.to_canonical().unwrap(), entry.projection());
    let time = entry.timestamp.micros().max(floor);
    Row {
        position: Some(seq),
        stream: STREAM,
        seq,
        time,
        event_id: entry.event_id.bytes(),
        state_rev,
        kind: shown.kind.to_string(),
        actor: shown.actor,
        resource: shown.resource,
        agent: shown.agent.map(|agent| agent.bytes()),
        lineage: shown.lineage.map(|lineage| lineage.to_bytes()),
        expires_at: shown.expires_at.map(Timestamp::micros),
        hash: entry_hash(STREAM, seq, time, before, &digest(&body)),
        body,
    }
}

pub(crate) fn note(size: u64, root: [u8; 32], chain: [u8; 32]) -> String {
    note_by(&pair(), size, root, chain)
}

pub(crate) fn note_by(pair: &Ed25519KeyPair, size: u64, root: [u8; 32], chain: [u8; 32]) -> String {
    let origin = origin(Stream::from_bytes(STREAM));
    let time = Timestamp::from_seconds(size as i64);
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        size,
        root,
        chain,
        time,
        epoch: 0,
    };
    sign(&checkpoint, &origin, pair)
}

/// `count` entries, signed at about every fortieth and near the end.
pub(crate) fn log(count: u64) -> Log {
    let (mut frontier, mut hash, mut time, mut rev) = (Frontier::new(), FIRST_PREVIOUS, 0, 0);
    let (mut rows, mut feed, mut notes) = (vec![], vec![], vec![]);
    for seq in 1..=count {
        let entry = entry(seq);
        let governed = entry.kind != TOKEN_ISSUED;
        rev += u64::from(governed);
        let row = row(&entry, seq, time, &hash, governed.then_some(rev));
        feed.extend(governed.then_some((rev, seq)));
        (hash, time) = (row.hash, row.time);
        frontier.push(&hash);
        rows.push(row);
        if digest(&seq.to_le_bytes())[0] < 6 || seq + 7 == count {
            notes.push(note(seq, frontier.root(), hash));
        }
    }
    let head = HeadRow {
        seq: count,
        hash,
        time,
        frontier: frontier.to_bytes(),
        state_rev: rev,
    };
    Log {
        rows,
        head,
        feed,
        notes,
    }
}

impl Log {
    pub(crate) fn claims(&self) -> Claims {
        let mut claims = Claims::new(&[key()]);
        self.notes
            .iter()
            .for_each(|note| claims.add(note, Kept::Stream(STREAM)));
        claims
    }

    pub(crate) fn verify(&self, deep: bool) -> Report {
        let mut verifier = Verifier::new(STREAM, Options { deep, span: None });
        verifier.rows(&self.rows);
        verifier.finish(Against {
            head: Some(self.head.clone()),
            claims: &self.claims(),
            feed: Some(self.feed.clone()),
        })
    }

    /// The same without head, feed and signatures: the rows alone.
    pub(crate) fn verify_rows(&self) -> Report {
        let mut verifier = Verifier::new(
            STREAM,
            Options {
                deep: true,
                span: None,
            },
        );
        self.rows.iter().for_each(|row| verifier.row(row));
        verifier.finish(Against {
            head: None,
            claims: &Claims::default(),
            feed: None,
        })
    }
}
