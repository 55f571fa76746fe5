//! A store under test with a clock that moves when told, and short ways to write what the tests write.

use domain::{
    Assignment, AssignmentCore, Entry, GrantId, Lineage, Principal, Revocation, RevocationCore,
    Stream,
    entry::{Action, Actor, After, Context, Details, Issued, Outcome, Security, TOKEN_ISSUED},
};
use kernel::{Entropy, Id, Timestamp};
use std::{path::PathBuf, sync::Arc};
use store::{Options, Plan, Prepared, Record, Store};
use testkit::{
    clock::{MockClock, SeededEntropy},
    postgres::Postgres,
    tools::{Tool, require},
};

/// Where the store keeps its data.
pub enum Place {
    File(
        PathBuf,
        #[expect(dead_code, reason = "the folder is gone with it")] tempfile::TempDir,
    ),
    Server(String),
}

pub struct World {
    pub store: Store,
    pub place: Place,
    pub clock: Arc<MockClock>,
    pub entropy: Arc<SeededEntropy>,
}

fn open(place: &Place, clock: &Arc<MockClock>, entropy: &Arc<SeededEntropy>) -> Store {
    let options = Options {
        clock: clock.clone(),
        entropy: entropy.clone(),
        connections: 4,
    };
    match place {
        Place::File(path, _) => Store::sqlite(path, options).unwrap(),
        Place::Server(url) => Store::postgres(url, options).unwrap(),
    }
}

impl World {
    fn at(place: Place) -> Self {
        let clock = Arc::new(MockClock::default());
        let entropy = Arc::new(SeededEntropy::new(7));
        let store = open(&place, &clock, &entropy);
        Self {
            store,
            place,
            clock,
            entropy,
        }
    }

    pub fn sqlite() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cardea.db");
        Some(Self::at(Place::File(path, folder)))
    }

    pub fn postgres() -> Option<Self> {
        require(Tool::Postgres)?;
        Some(Self::at(Place::Server(Postgres::shared().database())))
    }

    /// The same data under a new store.
    pub fn reopened(mut self) -> Self {
        self.store.close();
        self.store = open(&self.place, &self.clock, &self.entropy);
        self
    }

    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        (&*self.entropy as &dyn Entropy).bytes()
    }

    /// A stream that nobody has written.
    pub fn org(&self) -> Stream {
        Stream::from_bytes(self.bytes())
    }

    pub fn entry(&self, kind: &str) -> Prepared {
        self.entry_at(kind, kernel::Clock::now(&*self.clock))
    }

    pub fn entry_at(&self, kind: &str, at: Timestamp) -> Prepared {
        let id = Id::generate(&*self.clock, &*self.entropy);
        Prepared::new(&plain(kind, id, at)).unwrap()
    }

    pub fn issued(&self, agent: Id<kernel::Agent>, above: &[u64], ends: Timestamp) -> Prepared {
        let mut entry = plain(
            TOKEN_ISSUED,
            Id::generate(&*self.clock, &*self.entropy),
            kernel::Clock::now(&*self.clock),
        );
        let issued = Issued {
            agent,
            aud: "https://orders.example".into(),
            expires_at: ends,
            jti: "j".into(),
            kind: "access".into(),
            lineage: Lineage::union(above.iter().copied().map(GrantId::from_number)).unwrap(),
            scope: "orders:read".into(),
        };
        entry.action.details.after = Some(After::Issued(Box::new(issued)));
        Prepared::new(&entry).unwrap()
    }

    /// One commit that puts a revocation, with its entry.
    pub async fn revoke(&self, stream: Stream, node: u8) -> store::Committed<u64> {
        let entry = self.entry("grant.revoked");
        let run = move |tx: &mut store::Tx<'_>| {
            let version = tx.put(stream, &revocation(node, 1))?;
            tx.entry(stream, entry.clone())?;
            Ok(version)
        };
        self.store.commit(Plan::new(stream), run).await.unwrap()
    }

    pub async fn record(&self, stream: Stream) -> Result<u64, store::CommitError> {
        let record = Record {
            stream,
            entry: self.entry("token.issued"),
            decided_at: None,
            once: None,
        };
        self.store.record(record).await.map(|recorded| recorded.seq)
    }
}

pub fn revocation(node: u8, until: i64) -> Revocation {
    Revocation {
        core: RevocationCore::of([node; 16], Timestamp::from_micros(until)),
        revoked_at: Timestamp::from_micros(1),
    }
}

pub fn assignment(id: u8, role: u8) -> Assignment {
    Assignment {
        core: AssignmentCore {
            id: Id::from_bytes([id; 16]),
            subject: Id::from_bytes([1; 16]),
            role: Id::from_bytes([role; 16]),
            expires_at: None,
        },
        created_at: Timestamp::from_micros(1),
    }
}

pub fn plain(kind: &str, event_id: Id<kernel::Event>, timestamp: Timestamp) -> Entry {
    Entry {
        action: Action {
            details: Details::default(),
            lifecycle: "modify".into(),
            resource: Some("thing".into()),
            resource_type: None,
            verb: "update".into(),
        },
        actor: Actor {
            authentication: vec![],
            device_id: None,
            ip_address: None,
            location: None,
            session_id: None,
            user_agent: None,
            user_id: Principal::System,
            user_type: "system".into(),
        },
        build: "0".into(),
        context: Context::default(),
        delegation_chain: vec![],
        event_id,
        node: "n".into(),
        outcome: Outcome {
            error_code: None,
            error_message: None,
            result: "success".into(),
            rollback: None,
            verification: None,
        },
        security: Security::default(),
        timestamp,
        kind: kind.to_owned().into(),
        v: 1,
    }
}

/// The code of a refusal.
pub fn code<T: std::fmt::Debug>(result: Result<T, store::CommitError>) -> kernel::Code {
    match result.unwrap_err() {
        store::CommitError::Refused(refusal) => refusal.code,
        other => panic!("{other:?}"),
    }
}

pub fn organization(
    n: u8,
    name: &str,
    state: domain::OrganizationState,
    parent: Option<u8>,
) -> domain::Organization {
    domain::Organization {
        core: domain::OrganizationCore {
            id: Id::from_bytes([n; 16]),
            slug: format!("o{n}"),
            issuer: "https://id.example/o".into(),
            state,
            parent: parent.map(|n| Id::from_bytes([n; 16])),
            quotas: domain::Quotas::default(),
        },
        name: name.into(),
        created_at: Timestamp::from_micros(1_700_000_000_000_001),
    }
}
