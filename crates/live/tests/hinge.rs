//! The hinge as a property: over random histories of roles, assignments, ownership, suspension and expiry, nothing
//! that an agent is offered, keeps or is dispatched with exceeds what its owner holds at that revision. The
//! oracle is a separate, naive model that knows nothing of cells, deltas or `authz`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops, and says where"
)]

use authz::{
    Presented, Question, Wanted,
    decide::{Ask, Moment, Who, decide},
    relation::{Conditions, Context, Holds, Object},
};
use domain::{
    AgentCore, AgentState, AssignmentCore, AuthMethod, Change, Class, ConnectionCore, GrantId,
    Lineage, MembershipCore, MembershipState, OrganizationCore, OrganizationState, Owner,
    Permissions, RevocationCore, RoleCore, Scope, ScopeGrant, ScopePattern, Stream, TokenFormat,
};
use kernel::{Id, Micros, Monotonic, Timestamp};
use live::{Cells, Revision, View};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const START: i64 = 1_795_000_000;
const SCOPES: [&str; 4] = ["orders:read", "orders:write", "mail:send", "mail:read"];
const PATTERNS: [&str; 6] = [
    "orders:read",
    "orders:write",
    "mail:send",
    "orders:*",
    "*:read",
    "mail:*",
];

fn id<K>(n: u8) -> Id<K> {
    Id::from_bytes([n + 1; 16])
}
fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

/// One step of a history, over three people, three roles, six assignments, two agents and two connections.
#[derive(Clone, Debug)]
enum Step {
    Role(u8, Vec<u8>),
    Assign(u8, u8, u8, Option<u8>),
    Unassign(u8),
    Member(u8, u8),
    Agent(u8, u8, u8, Vec<u8>, u8),
    Connection(u8, Vec<u8>),
    Organization(bool),
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let some = |n: u8| prop::collection::vec(0..n, 0..4);
    prop_oneof![
        (0..3u8, some(6)).prop_map(|(role, patterns)| Step::Role(role, patterns)),
        (0..6u8, 0..3u8, 0..3u8, prop::option::of(0..9u8))
            .prop_map(|(a, u, r, e)| Step::Assign(a, u, r, e)),
        (0..6u8).prop_map(Step::Unassign),
        (0..3u8, 0..4u8).prop_map(|(user, state)| Step::Member(user, state)),
        (0..2u8, 0..3u8, 0..3u8, some(4), 0..6u8)
            .prop_map(|(a, o, s, c, st)| Step::Agent(a, o, s, c, st)),
        (0..2u8, some(4)).prop_map(|(connection, scopes)| Step::Connection(connection, scopes)),
        prop::bool::weighted(0.9).prop_map(Step::Organization),
        (0..9u8).prop_map(Step::Wait),
    ]
}

/// What the oracle knows: sets and maps of plain numbers.
#[derive(Default)]
struct Model {
    now: i64,
    roles: BTreeMap<u8, Vec<u8>>,
    given: BTreeMap<u8, (u8, u8, Option<i64>)>,
    members: BTreeMap<u8, u8>,
    agents: BTreeMap<u8, (u8, u8, Vec<u8>, bool)>,
    connections: BTreeMap<u8, Vec<u8>>,
    open: bool,
}

impl Model {
    fn person_holds(&self, user: u8, text: &str) -> bool {
        let (head, tail) = text.split_once(':').unwrap();
        let covers = |pattern: &u8| {
            let (a, b) = PATTERNS[usize::from(*pattern)].split_once(':').unwrap();
            (a == "*" || a == head) && (b == "*" || b == tail)
        };
        self.members.get(&user) == Some(&1)
            && self.given.values().any(|(subject, role, end)| {
                *subject == user
                    && end.is_none_or(|end| end > self.now)
                    && self
                        .roles
                        .get(role)
                        .is_some_and(|patterns| patterns.iter().any(covers))
            })
    }

    /// The most an agent may hold at a connection.
    fn most(&self, agent: u8, connection: u8) -> BTreeSet<String> {
        let Some((owner, sponsor, ceiling, active)) = self.agents.get(&agent) else {
            return BTreeSet::new();
        };
        let declared = self
            .connections
            .get(&connection)
            .cloned()
            .unwrap_or_default();
        let standing = self.open && *active && self.members.get(sponsor) == Some(&1);
        ceiling
            .iter()
            .filter(|n| standing && declared.contains(n))
            .map(|n| SCOPES[usize::from(*n)])
            .filter(|text| self.person_holds(*owner, text))
            .map(str::to_owned)
            .collect()
    }
}

fn changes(model: &mut Model, step: &Step) -> Vec<Change> {
    match step {
        Step::Role(role, patterns) => {
            model.roles.insert(*role, patterns.clone());
            let scopes = patterns
                .iter()
                .map(|p| ScopePattern::parse(PATTERNS[usize::from(*p)]).unwrap())
                .collect();
            vec![Change::Role(RoleCore {
                id: id(*role),
                builtin: None,
                permissions: Permissions::NONE,
                scopes,
            })]
        }
        Step::Assign(assignment, user, role, end) => {
            let mut out = Vec::new();
            if model.given.remove(assignment).is_some() {
                out.push(Change::AssignmentRemoved(id(*assignment)));
            }
            let end = end.map(|n| model.now + i64::from(n));
            model.given.insert(*assignment, (*user, *role, end));
            let expires_at = end.map(Timestamp::from_seconds);
            out.push(Change::Assignment(AssignmentCore {
                id: id(*assignment),
                subject: id(*user),
                role: id(*role),
                expires_at,
            }));
            out
        }
        Step::Unassign(assignment) => {
            model.given.remove(assignment);
            vec![Change::AssignmentRemoved(id(*assignment))]
        }
        Step::Member(user, state) => {
            model.members.insert(*user, *state);
            let states = [
                MembershipState::Pending,
                MembershipState::Active,
                MembershipState::Suspended,
                MembershipState::Deactivated,
            ];
            vec![Change::Membership(MembershipCore {
                user: id(*user),
                state: states[usize::from(*state)],
            })]
        }
        Step::Agent(agent, owner, sponsor, ceiling, state) => {
            let state = [
                AgentState::Active,
                AgentState::Active,
                AgentState::Suspended,
                AgentState::Draft,
                AgentState::Escrow,
                AgentState::Revoked,
            ][usize::from(*state)];
            model.agents.insert(
                *agent,
                (
                    *owner,
                    *sponsor,
                    ceiling.clone(),
                    state == AgentState::Active,
                ),
            );
            vec![Change::Agent(agent_core(
                *agent, *owner, *sponsor, ceiling, state,
            ))]
        }
        Step::Connection(connection, scopes) => {
            model.connections.insert(*connection, scopes.clone());
            vec![Change::Connection(connection_core(*connection, scopes))]
        }
        Step::Organization(_) | Step::Wait(_) => Vec::new(),
    }
}

fn agent_core(agent: u8, owner: u8, sponsor: u8, ceiling: &[u8], state: AgentState) -> AgentCore {
    let pairs = ceiling.iter().flat_map(|n| (0..2).map(move |c| (c, *n)));
    AgentCore {
        id: id(agent),
        owner: Owner(id(owner)),
        sponsor: id(sponsor),
        state,
        ceiling: pairs
            .map(|(c, n)| ScopeGrant {
                connection: id(c),
                scope: scope(SCOPES[usize::from(n)]),
            })
            .collect(),
        connections: None,
        grant: GrantId::from_number(u64::from(agent) + 100),
        method: AuthMethod::PrivateKeyJwt,
        keys: vec![domain::AgentKey {
            kid: "k".into(),
            jwk: "{}".into(),
        }],
        credential_since: Timestamp::from_seconds(START),
    }
}

fn connection_core(connection: u8, scopes: &[u8]) -> ConnectionCore {
    let mut scopes: Vec<Scope> = scopes
        .iter()
        .map(|n| scope(SCOPES[usize::from(*n)]))
        .collect();
    scopes.sort();
    scopes.dedup();
    ConnectionCore {
        id: id(connection),
        audience: format!("https://c{connection}.example"),
        min_trust: 0,
        scopes,
        operations: BTreeMap::new(),
        scope_classes: BTreeMap::new(),
        labels: Vec::new(),
        format: TokenFormat::Jwt,
        introspection: false,
    }
}

fn organization(open: bool) -> Change {
    let state = if open {
        OrganizationState::Active
    } else {
        OrganizationState::Suspended
    };
    Change::Organization(OrganizationCore {
        id: id(9),
        slug: "acme".into(),
        issuer: "i".into(),
        state,
        parent: None,
        quotas: domain::Quotas::default(),
    })
}

/// A token handed out earlier: it must shrink with its owner.
struct Token {
    agent: u8,
    connection: u8,
    scopes: Vec<Scope>,
    jti: [u8; 16],
}

fn texts(scopes: &[Scope]) -> BTreeSet<String> {
    scopes.iter().map(ToString::to_string).collect()
}

fn check(view: &View, model: &Model, tokens: &mut Vec<Token>) -> Result<(), TestCaseError> {
    for agent in 0..2 {
        let Some(core) = view.org.agent_core(id(agent)).cloned() else {
            continue;
        };
        for connection in 0..2 {
            let Some(target) = view.org.connection_core(id(connection)).cloned() else {
                continue;
            };
            let most = model.most(agent, connection);
            let all = authz::remaining(view, &core, &target, None, view.now);
            prop_assert_eq!(&texts(&all), &most, "exactly the intersection");
            let wanted = Wanted {
                agent: &core,
                connection: &target,
                run: None,
                scopes: None,
            };
            if let Ok(offer) = authz::offer(view, wanted, view.now) {
                prop_assert!(texts(&offer.scopes).is_subset(&most));
                let jti = [u8::try_from(tokens.len() % 251).unwrap() + 1; 16];
                tokens.push(Token {
                    agent,
                    connection,
                    scopes: offer.scopes,
                    jti,
                });
            }
            for class in Class::ALL {
                let question = Question {
                    agent: &core,
                    connection: &target,
                    class,
                    run: None,
                };
                let verdict = authz::dispatch(view, question, view.now);
                prop_assert!(texts(&verdict.scopes).is_subset(&most));
            }
        }
    }
    for token in tokens.iter() {
        let lineage = Lineage::union([GrantId::from_number(u64::from(token.agent) + 100)]).unwrap();
        let presented = Presented {
            jti: token.jti,
            agent: id(token.agent),
            connection: Some(id(token.connection)),
            run: None,
            lineage: &lineage,
            scopes: &token.scopes,
            rev: 0,
            expires_at: Timestamp::from_seconds(i64::MAX / 2_000_000),
        };
        if let Some(left) = authz::live_scopes(view, presented, view.now) {
            prop_assert!(
                texts(&left).is_subset(&model.most(token.agent, token.connection)),
                "an older token outlived its owner's authority"
            );
        }
    }
    Ok(())
}

struct Unanswered;

impl Conditions for Unanswered {
    fn holds(&self, _: &str, _: Option<&Context>) -> Holds {
        Holds::Missing(Vec::new())
    }
}

/// The one answer says of a person what the oracle says, and of an agent what an offer by name would give.
fn decisions(view: &View, model: &Model) -> Result<(), TestCaseError> {
    for text in SCOPES {
        let (first, last) = text.split_once(':').unwrap();
        let asked = |(action, of): (&str, &str), who, asked_by| {
            let (subject, resource) = (
                "subject",
                Object {
                    type_name: of,
                    id: "1",
                },
            );
            let subject = Object {
                type_name: subject,
                id: "as written",
            };
            let ask = Ask {
                who,
                subject,
                action,
                resource,
                run: None,
                asked_by,
            };
            let moment = Moment {
                facts: view,
                conditions: &Unanswered,
                of_owner: &Unanswered,
                now: view.now,
            };
            decide(&moment, &ask).permit
        };
        let declared = |scopes: &Vec<u8>| scopes.iter().any(|n| SCOPES[usize::from(*n)] == text);
        let declared = model.connections.values().any(declared);
        for user in 0..3 {
            let holds = declared && model.open && model.person_holds(user, text);
            prop_assert_eq!(asked((last, first), Who::User(id(user)), None), holds);
            prop_assert_eq!(asked((first, last), Who::User(id(user)), None), holds);
        }
        for agent in 0..2 {
            let offered = |connection: &ConnectionCore| {
                let wanted = [scope(text)];
                view.org.agent_core(id(agent)).is_some_and(|core| {
                    let wanted = Wanted {
                        agent: core,
                        connection,
                        run: None,
                        scopes: Some(&wanted),
                    };
                    authz::offer(view, wanted, view.now).is_ok()
                })
            };
            let who = Who::Agent(id(agent));
            let anywhere = view.org.connections().any(|connection| offered(connection));
            prop_assert_eq!(asked((last, first), who, None), anywhere);
            for connection in view.org.connections() {
                let here = asked((last, first), who, Some(&**connection));
                prop_assert_eq!(here, offered(connection), "a connection asks about itself");
            }
        }
        prop_assert!(
            !asked((last, first), Who::Stranger, None),
            "nobody holds no role"
        );
        prop_assert!(!asked((last, first), Who::Unknown, None));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn no_agent_exceeds_its_owner_at_any_revision(history in prop::collection::vec(step(), 1..60)) {
        let mut model = Model { now: START, open: true, ..Model::default() };
        let known = Monotonic::from_micros(0);
        let cells = Cells::new(&[organization(true)], Revision::default(), known, Micros::seconds(2));
        cells.load(cells.era(), id(9), &[], Revision::default(), known);
        let (mut rev, mut instance, mut tokens) = (0, 0, Vec::new());
        for step in &history {
            match step {
                Step::Organization(open) => {
                    instance += 1;
                    model.open = *open;
                    cells.advance(cells.era(), Stream::INSTANCE, instance, &[organization(*open)]);
                }
                Step::Wait(seconds) => model.now += i64::from(*seconds),
                other => {
                    rev += 1;
                    let steps = changes(&mut model, other);
                    cells.advance(cells.era(), Stream::org(id(9)), rev, &steps);
                }
            }
            let view = cells.view(id(9), Timestamp::from_seconds(model.now)).unwrap();
            check(&view, &model, &mut tokens)?;
            decisions(&view, &model)?;
        }
    }

    /// Revoking any node of a random tree kills exactly its descendants.
    #[test]
    fn revoking_an_ancestor_kills_exactly_its_descendants(parents in prop::collection::vec(0usize..64, 1..40), pick in 0usize..40) {
        let parents: Vec<Option<usize>> = parents.iter().enumerate().map(|(n, p)| (n > 0).then(|| p % n.max(1))).collect();
        let above = |mut n: usize| {
            let mut line = vec![n];
            while let Some(p) = parents[n] { line.push(p); n = p; }
            line
        };
        let victim = pick % parents.len();
        let known = Monotonic::from_micros(0);
        let cells = Cells::new(&[organization(true)], Revision::default(), known, Micros::seconds(2));
        let grant = GrantId::from_number(u64::try_from(victim).unwrap() + 1_000);
        let until = Timestamp::from_seconds(START * 2);
        let base = vec![
            Change::Membership(MembershipCore { user: id(0), state: MembershipState::Active }),
            Change::Role(RoleCore { id: id(0), builtin: None, permissions: Permissions::NONE, scopes: vec![ScopePattern::parse("orders:read").unwrap()] }),
            Change::Assignment(AssignmentCore { id: id(0), subject: id(0), role: id(0), expires_at: None }),
            Change::Agent(agent_core(0, 0, 0, &[0], AgentState::Active)),
            Change::Connection(connection_core(0, &[0])),
            Change::Revoked(RevocationCore::of(RevocationCore::grant_node(grant), until)),
        ];
        cells.load(cells.era(), id(9), &base, Revision::default(), known);
        let view = cells.view(id(9), Timestamp::from_seconds(START)).unwrap();
        for node in 0..parents.len() {
            let line = above(node);
            let ids = line.iter().map(|n| GrantId::from_number(u64::try_from(*n).unwrap() + 1_000));
            let Ok(lineage) = Lineage::union(ids) else { continue };
            let scopes = [scope("orders:read")];
            let token = Presented { jti: [7; 16], agent: id(0), connection: Some(id(0)), run: None, lineage: &lineage, scopes: &scopes, rev: 0, expires_at: until };
            let alive = authz::live_scopes(&view, token, view.now).is_some();
            prop_assert_eq!(alive, !line.contains(&victim), "node {} under {}", node, victim);
        }
    }
}

/// The oracle itself is not vacuous: a full set-up offers something.
#[test]
fn a_standing_owner_gives_an_agent_its_scopes() {
    let known = Monotonic::from_micros(0);
    let cells = Cells::new(
        &[organization(true)],
        Revision::default(),
        known,
        Micros::seconds(2),
    );
    let mut model = Model {
        now: START,
        open: true,
        ..Model::default()
    };
    let history = [
        Step::Member(0, 1),
        Step::Role(0, vec![3]),
        Step::Assign(0, 0, 0, Some(5)),
        Step::Connection(0, vec![0, 1, 2]),
        Step::Agent(0, 0, 0, vec![0, 1, 2], 0),
    ];
    let all: Vec<Change> = history
        .iter()
        .flat_map(|step| changes(&mut model, step))
        .collect();
    cells.load(cells.era(), id(9), &all, Revision::default(), known);
    let at = |now| {
        let view = cells.view(id(9), Timestamp::from_seconds(now)).unwrap();
        let (agent, connection) = (
            view.org.agent_core(id(0)).cloned().unwrap(),
            view.org.connection_core(id(0)).cloned().unwrap(),
        );
        texts(&authz::remaining(
            &view,
            &agent,
            &connection,
            None,
            view.now,
        ))
        .len()
    };
    assert_eq!(at(START), 2, "orders:read and orders:write, not mail:send");
    assert_eq!(at(START + 5), 0, "the assignment ended");
}
