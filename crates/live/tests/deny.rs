//! The deny set as a property: over random histories of issuing, revoking, marking, forgetting and clocks that jump,
//! no token that was revoked ever passes again, none that was not is refused, and what is held stays small.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops, and says where"
)]

use authz::Presented;
use domain::{
    AgentCore, AgentKey, AgentState, AssignmentCore, AuthMethod, Change, ConnectionCore, GrantId,
    Lineage, MembershipCore, MembershipState, OrganizationCore, OrganizationState, Owner,
    Permissions, RevocationCore, RoleCore, Scope, ScopeGrant, ScopePattern, Stream, TokenFormat,
};
use kernel::{Id, Micros, Monotonic, Timestamp, limits};
use live::{Cells, Revision, View};
use proptest::prelude::*;
use std::collections::BTreeMap;

const START: i64 = 1_795_000_000;
const DAY: i64 = 86_400;
/// Credentials of the two agents, each with a grant of its own.
const SECRETS: u64 = 3;

fn id<K>(n: u8) -> Id<K> {
    Id::from_bytes([n + 1; 16])
}
fn scope() -> Scope {
    Scope::parse("orders:read").unwrap()
}
fn agent_grant(agent: u8) -> GrantId {
    GrantId::from_number(100 + u64::from(agent))
}
fn secret_grant(agent: u8, secret: u64) -> GrantId {
    GrantId::from_number(1_000 + u64::from(agent) * 10 + secret)
}
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// Two agents of two owners at two connections, and both owners hold what they need.
fn base() -> Vec<Change> {
    let mut all = vec![Change::Role(RoleCore {
        id: id(0),
        builtin: None,
        permissions: Permissions::NONE,
        scopes: vec![ScopePattern::parse("orders:read").unwrap()],
    })];
    for n in 0..2 {
        all.push(Change::Membership(MembershipCore {
            user: id(n),
            state: MembershipState::Active,
        }));
        all.push(Change::Assignment(AssignmentCore {
            id: id(n),
            subject: id(n),
            role: id(0),
            expires_at: None,
        }));
        all.push(Change::Connection(ConnectionCore {
            id: id(n + 4),
            audience: format!("https://c{n}.example"),
            min_trust: 0,
            scopes: vec![scope()],
            operations: BTreeMap::new(),
            scope_classes: BTreeMap::new(),
            labels: Vec::new(),
            format: TokenFormat::Jwt,
            introspection: false,
        }));
        let ceiling = (4..6).map(|connection| ScopeGrant {
            connection: id(connection),
            scope: scope(),
        });
        all.push(Change::Agent(AgentCore {
            id: id(n),
            owner: Owner(id(n)),
            sponsor: id(n),
            state: AgentState::Active,
            ceiling: ceiling.collect(),
            connections: None,
            grant: agent_grant(n),
            method: AuthMethod::PrivateKeyJwt,
            keys: vec![AgentKey {
                kid: "k".into(),
                jwk: "{}".into(),
            }],
            credential_since: at(START),
        }));
    }
    all
}

#[derive(Clone, Debug)]
enum Step {
    /// Agent, connection, credential, seconds it lives.
    Issue(u8, u8, u64, i64),
    /// The nth token from the last.
    Token(usize),
    Secret(u8, u64),
    MarkAgent(u8),
    MarkOwner(u8),
    MarkConnection(u8),
    Forget,
    /// Time passes.
    Wait(i64),
    /// The wall clock jumps, and comes back after so many steps.
    Jump(i64, u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2u8, 0..2u8, 0..SECRETS, 100..900i64).prop_map(|(a, c, s, l)| Step::Issue(a, c, s, l)),
        3 => (0..9usize).prop_map(Step::Token),
        1 => (0..2u8, 0..SECRETS).prop_map(|(a, s)| Step::Secret(a, s)),
        1 => (0..2u8).prop_map(Step::MarkAgent),
        1 => (0..2u8).prop_map(Step::MarkOwner),
        1 => (0..2u8).prop_map(Step::MarkConnection),
        3 => Just(Step::Forget),
        4 => prop_oneof![0..2i64, 0..400i64, Just(DAY), Just(9 * DAY)].prop_map(Step::Wait),
        2 => (prop_oneof![-2 * DAY..0, 0..20 * DAY], 1..4u8).prop_map(|(by, back)| Step::Jump(by, back)),
    ]
}

struct Token {
    agent: u8,
    connection: u8,
    jti: [u8; 16],
    lineage: Lineage,
    rev: u64,
    expires: i64,
    revoked: bool,
}

struct World {
    cells: Cells,
    rev: u64,
    wall: i64,
    /// Whether the clock ever jumped: what is not revoked may then be refused, never the other way round.
    jumped: bool,
    back: Option<(i64, u8)>,
    tokens: Vec<Token>,
    ended: Vec<GrantId>,
}

impl World {
    fn new() -> Self {
        let known = Monotonic::from_micros(0);
        let organization = Change::Organization(OrganizationCore {
            id: id(9),
            slug: "acme".into(),
            issuer: "i".into(),
            state: OrganizationState::Active,
            parent: None,
            quotas: domain::Quotas::default(),
        });
        let cells = Cells::new(
            &[organization],
            Revision::default(),
            known,
            Micros::seconds(2),
        );
        cells.load(cells.era(), id(9), &base(), Revision::default(), known);
        Self {
            cells,
            rev: 0,
            wall: START,
            jumped: false,
            back: None,
            tokens: Vec::new(),
            ended: Vec::new(),
        }
    }

    fn view(&self) -> View {
        self.cells.view(id(9), at(self.wall)).unwrap()
    }

    fn commit(&mut self, changes: &[Change]) {
        self.rev += 1;
        self.cells
            .advance(self.cells.era(), Stream::org(id(9)), self.rev, changes);
    }

    /// Writes as the service does: at the revision of this commit, never weakening what stands.
    fn revoke(&mut self, core: RevocationCore) {
        let until = at(self.wall)
            .plus(limits::RUN_TOKEN_LIFE)
            .plus(Micros::days(1));
        let until = until.max(core.until);
        let core = RevocationCore {
            rev: self.rev + 1,
            until,
            ..core
        };
        let before = self.view().org.revocation(core.node).copied();
        let core = before.map_or(core, |before| before.joined(core));
        self.commit(&[Change::Revoked(core)]);
    }

    fn mark(&mut self, node: [u8; 16], meant: impl Fn(&Token) -> bool) {
        let until = at(self.wall)
            .plus(limits::RUN_TOKEN_LIFE)
            .plus(Micros::days(1));
        self.revoke(RevocationCore::mark(node, until));
        let hit = self.tokens.iter_mut().filter(|token| meant(token));
        hit.for_each(|token| token.revoked = true);
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Issue(agent, connection, secret, life) => {
                self.issue(agent, connection, secret, life)
            }
            Step::Token(back) => {
                let Some(n) = self.tokens.len().checked_sub(back + 1) else {
                    return;
                };
                let token = &mut self.tokens[n];
                token.revoked = true;
                let core = RevocationCore {
                    client: Some(agent_grant(token.agent)),
                    ..RevocationCore::of(token.jti, at(token.expires).plus(Micros::days(1)))
                };
                self.revoke(core);
            }
            Step::Secret(agent, secret) => {
                let grant = secret_grant(agent, secret);
                self.ended.push(grant);
                let until = at(self.wall).plus(Micros::days(8));
                self.revoke(RevocationCore::of(RevocationCore::grant_node(grant), until));
                let under = self.tokens.iter_mut();
                under
                    .filter(|token| token.lineage.contains(grant))
                    .for_each(|token| token.revoked = true);
            }
            Step::MarkAgent(agent) => {
                let node = RevocationCore::grant_node(agent_grant(agent));
                self.mark(node, |token| token.agent == agent);
            }
            Step::MarkOwner(owner) => self.mark(id::<kernel::User>(owner).bytes(), |token| {
                token.agent == owner
            }),
            Step::MarkConnection(connection) => {
                let node = id::<kernel::Connection>(connection + 4).bytes();
                self.mark(node, |token| token.connection == connection);
            }
            Step::Forget => drop(self.forget(7)),
            Step::Wait(seconds) => self.wall += seconds,
            Step::Jump(by, after) if self.back.is_none() => {
                self.wall += by;
                self.back = Some((-by, after));
                self.jumped = true;
            }
            Step::Jump(..) => {}
        }
        match self.back.take() {
            Some((by, 0)) => self.wall += by,
            Some((by, after)) => self.back = Some((by, after - 1)),
            None => {}
        }
    }

    /// A credential that was ended asks for nothing any more: its row says so.
    fn issue(&mut self, agent: u8, connection: u8, secret: u64, life: i64) {
        let grant = secret_grant(agent, secret);
        if self.ended.contains(&grant) {
            return;
        }
        let number = u8::try_from(self.tokens.len() % 200).unwrap();
        let mut jti = [number; 16];
        jti[0] = 0x80;
        jti[1] = u8::try_from(self.tokens.len() / 200).unwrap();
        self.tokens.push(Token {
            agent,
            connection,
            jti,
            lineage: Lineage::union([agent_grant(agent), grant]).unwrap(),
            rev: self.view().revision.state,
            expires: self.wall + life,
            revoked: false,
        });
    }

    /// Forgets as the service does: removals and the mark over them in one commit.
    fn forget(&mut self, chunk: usize) -> usize {
        let due = self.view().org.forgettable(at(self.wall), chunk);
        let Some(rev) = due.iter().map(|core| core.rev).max() else {
            return 0;
        };
        let mark = RevocationCore::mark(RevocationCore::EVERYTHING, RevocationCore::FOR_GOOD);
        let mark = RevocationCore { rev, ..mark };
        let before = self.view().org.revocation(mark.node).copied();
        let mut all: Vec<Change> = due
            .iter()
            .map(|core| Change::RevocationRemoved(core.node))
            .collect();
        all.push(Change::Revoked(
            before.map_or(mark, |before| before.joined(mark)),
        ));
        self.commit(&all);
        due.len()
    }

    fn check(&self, now: i64) -> Result<(), TestCaseError> {
        let view = self.cells.view(id(9), at(now)).unwrap();
        for (n, token) in self.tokens.iter().enumerate() {
            let scopes = [scope()];
            let presented = Presented {
                jti: token.jti,
                agent: id(token.agent),
                connection: Some(id(token.connection + 4)),
                run: None,
                lineage: &token.lineage,
                scopes: &scopes,
                rev: token.rev,
                expires_at: at(token.expires),
            };
            let alive = authz::live_scopes(&view, presented, view.now).is_some();
            prop_assert!(
                !(alive && token.revoked),
                "revoked token {} passes at {}",
                n,
                now - START
            );
            if !self.jumped {
                let good = !token.revoked && token.expires > now;
                prop_assert_eq!(alive, good, "token {} at {}", n, now - START);
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_revoked_passes_again(history in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &history {
            world.play(step);
            world.check(world.wall)?;
        }
        // Whatever a clock may say one day, also one that shows the beginning again.
        for now in [START - DAY, START, START + 500, world.wall - 9 * DAY] {
            world.check_revoked(now)?;
        }
        world.wall += 30 * DAY;
        while world.forget(7) > 0 {}
        prop_assert!(world.view().org.revocation_count() <= 1, "only the one mark is left");
        for now in [START - DAY, START, START + 500, world.wall - 39 * DAY] {
            world.check_revoked(now)?;
        }
    }
}

impl World {
    /// As `check`, at a moment that is not the present one: only what is revoked matters.
    fn check_revoked(&mut self, now: i64) -> Result<(), TestCaseError> {
        self.jumped = true;
        self.check(now)
    }
}
