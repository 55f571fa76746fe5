//! What a decision by roles costs on this machine, of a person and of an agent with its owner, in an organization with
//! ten thousand people. Run it with `cargo run --release -p live --example decisions`; it decides nothing.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on stops"
)]

use authz::{
    decide::{Ask, Moment, Who, decide},
    relation::{Conditions, Context, Holds, Object},
};
use domain::{
    AgentCore, AgentKey, AgentState, AssignmentCore, AuthMethod, Change, ConnectionCore, GrantId,
    MembershipCore, MembershipState, OrganizationCore, OrganizationState, Owner, Permissions,
    Quotas, RoleCore, Scope, ScopeGrant, ScopePattern, TokenFormat,
};
use kernel::{Clock, Id, Micros, Monotonic, Timestamp, ambient::SystemClock};
use live::{Cells, Revision, View};
use std::{collections::BTreeMap, hint::black_box};

const PEOPLE: u32 = 10_000;
const AGENTS: u32 = 1_000;
const CONNECTIONS: u32 = 50;
const ROLES: u32 = 100;
const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

struct Silent;
impl Conditions for Silent {
    fn holds(&self, _: &str, _: Option<&Context>) -> Holds {
        Holds::Missing(Vec::new())
    }
}

fn id<K>(n: u32) -> Id<K> {
    let mut bytes = [1; 16];
    bytes[12..].copy_from_slice(&n.to_be_bytes());
    Id::from_bytes(bytes)
}

fn scope(connection: u32, action: &str) -> Scope {
    Scope::parse(&format!("thing{connection}:{action}")).unwrap()
}

/// A role gives two scopes, a person has two roles; an agent's ceiling has all scopes of two connections.
fn changes() -> Vec<Change> {
    let mut all = Vec::new();
    for n in 0..CONNECTIONS {
        let mut scopes: Vec<Scope> = ["delete", "list", "read", "write"]
            .map(|action| scope(n, action))
            .into();
        scopes.sort();
        all.push(Change::Connection(ConnectionCore {
            id: id(n),
            audience: format!("https://c{n}.example"),
            min_trust: 0,
            scopes,
            operations: BTreeMap::new(),
            scope_classes: BTreeMap::new(),
            labels: Vec::new(),
            format: TokenFormat::Jwt,
            introspection: false,
        }));
    }
    for n in 0..ROLES {
        let scopes = ["read", "write"]
            .map(|action| ScopePattern::parse(scope(n % CONNECTIONS, action).as_str()).unwrap());
        all.push(Change::Role(RoleCore {
            id: id(n),
            builtin: None,
            permissions: Permissions::NONE,
            scopes: scopes.into(),
        }));
    }
    for n in 0..PEOPLE {
        let state = MembershipState::Active;
        all.push(Change::Membership(MembershipCore { user: id(n), state }));
        for k in 0..2 {
            all.push(Change::Assignment(AssignmentCore {
                id: id(2 * n + k),
                subject: id(n),
                role: id((n + 7 * k) % ROLES),
                expires_at: None,
            }));
        }
    }
    for n in 0..AGENTS {
        let of = |connection: u32| {
            ["delete", "list", "read", "write"].map(|action| ScopeGrant {
                connection: id(connection),
                scope: scope(connection, action),
            })
        };
        all.push(Change::Agent(AgentCore {
            id: id(n),
            owner: Owner(id(n)),
            sponsor: id(n),
            state: AgentState::Active,
            ceiling: [of(n % CONNECTIONS), of((n + 7) % CONNECTIONS)].concat(),
            connections: None,
            grant: GrantId::from_number(u64::from(n) + 1),
            method: AuthMethod::PrivateKeyJwt,
            keys: vec![AgentKey {
                kid: "k".into(),
                jwk: "{}".into(),
            }],
            credential_since: NOW,
        }));
    }
    all
}

fn view() -> View {
    let known = Monotonic::from_micros(0);
    let organization = Change::Organization(OrganizationCore {
        id: id(0),
        slug: "acme".into(),
        issuer: "i".into(),
        state: OrganizationState::Active,
        parent: None,
        quotas: Quotas::default(),
    });
    let cells = Cells::new(
        &[organization],
        Revision::default(),
        known,
        Micros::seconds(2),
    );
    cells.load(cells.era(), id(0), &changes(), Revision::default(), known);
    cells.view(id(0), NOW).unwrap()
}

/// Nanoseconds for one of many questions, and how many were permitted.
fn measured(view: &View, who: impl Fn(u32) -> Who, of: u32, action: &str) -> (i64, u32) {
    const QUESTIONS: u32 = 2_000_000;
    let kinds: Vec<String> = (0..CONNECTIONS).map(|n| format!("thing{n}")).collect();
    let moment = Moment {
        facts: view,
        conditions: &Silent,
        of_owner: &Silent,
        now: NOW,
    };
    let (clock, mut permits) = (SystemClock, 0);
    let began = clock.boot();
    for n in 0..QUESTIONS {
        // Neighbours in time are no neighbours in memory.
        let n = n.wrapping_mul(2_654_435_761) % of;
        let kind = kinds
            .get((n % CONNECTIONS) as usize)
            .map_or("", String::as_str);
        let ask = Ask {
            who: who(n),
            subject: Object {
                type_name: "user",
                id: "as written",
            },
            action,
            resource: Object {
                type_name: kind,
                id: "17",
            },
            run: None,
            asked_by: None,
        };
        permits += u32::from(black_box(decide(&moment, black_box(&ask))).permit);
    }
    let took = clock.boot().since(began).get() * 1_000 / i64::from(QUESTIONS);
    (took, permits * 100 / QUESTIONS)
}

fn main() {
    let view = view();
    for (name, of, action, agent) in [
        ("a person, permitted", PEOPLE, "read", false),
        ("a person, denied", PEOPLE, "delete", false),
        ("an agent with its owner, permitted", AGENTS, "read", true),
        ("an agent with its owner, denied", AGENTS, "delete", true),
    ] {
        let who = |n| match agent {
            true => Who::Agent(id(n)),
            false => Who::User(id(n)),
        };
        let (nanos, permitted) = measured(&view, who, of, action);
        println!("{name:<36} {nanos:>6} ns   {permitted:>3} % permitted");
    }
}
