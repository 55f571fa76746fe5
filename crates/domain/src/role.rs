//! Roles: built in by rule or made by the organization, and what their holders hold.
//! The rules of the built-in roles are here once; the documentation prints them.

use crate::{Change, Entity, Permission, Permissions, Reach, Scope, ScopePattern, Table};
use kernel::{Id, Timestamp, User};
use serde::{Deserialize, Serialize};

/// A built-in role of an organization.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Builtin {
    /// Everything, every scope included.
    Owner,
    /// Everything but deleting the organization, changing owners and billing.
    Administrator,
    /// Settings, keys, revocation, kill switches and the log.
    SecurityAdministrator,
    /// The subscription, and every read but log, tokens and keys.
    BillingAdministrator,
    /// Every read, the log included.
    Auditor,
    /// Reads and writes assets; no administration.
    Editor,
    /// Their own account and their own agents.
    Member,
    /// Reads, but neither log, tokens nor keys.
    Viewer,
    /// Nothing but what was delegated.
    Guest,
}

/// What somebody holds: permissions by reach, and scopes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Permissions on everything of the organization.
    pub all: Permissions,
    /// Permissions on what the holder owns.
    pub own: Permissions,
    /// Whether every scope of the organization is held.
    pub every_scope: bool,
    /// Scopes held by name or pattern.
    pub scopes: Vec<ScopePattern>,
}

impl Held {
    /// Whether `permission` is held with at least this reach.
    pub const fn has(&self, permission: Permission, reach: Reach) -> bool {
        match reach {
            Reach::All => self.all.has(permission),
            Reach::Own => self.all.has(permission) || self.own.has(permission),
        }
    }
    /// Whether this scope is held.
    pub fn holds(&self, scope: &Scope) -> bool {
        self.every_scope || self.scopes.iter().any(|pattern| pattern.covers(scope))
    }
    /// Whether everything `other` gives is held here too (RBAC-4).
    pub fn includes(&self, other: &Held) -> bool {
        let scopes = self.every_scope
            || (!other.every_scope
                && other
                    .scopes
                    .iter()
                    .all(|o| self.scopes.iter().any(|mine| mine.includes(o))));
        other.all.within(self.all) && other.own.within(self.all.or(self.own)) && scopes
    }
    /// Adds what `other` gives.
    pub fn add(&mut self, other: &Held) {
        self.all = self.all.or(other.all);
        self.own = self.own.or(other.own);
        self.every_scope |= other.every_scope;
        self.scopes.extend(other.scopes.iter().cloned());
    }
}

impl Builtin {
    /// Every built-in role.
    pub const ALL: [Builtin; 9] = [
        Self::Owner,
        Self::Administrator,
        Self::SecurityAdministrator,
        Self::BillingAdministrator,
        Self::Auditor,
        Self::Editor,
        Self::Member,
        Self::Viewer,
        Self::Guest,
    ];

    /// The role's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Administrator => "administrator",
            Self::SecurityAdministrator => "security_administrator",
            Self::BillingAdministrator => "billing_administrator",
            Self::Auditor => "auditor",
            Self::Editor => "editor",
            Self::Member => "member",
            Self::Viewer => "viewer",
            Self::Guest => "guest",
        }
    }

    /// What it gives.
    pub fn held(self) -> Held {
        Held {
            all: Permissions::where_(|p| !p.is_instance() && self.gives(p)),
            own: if self == Self::Member {
                member_own()
            } else {
                Permissions::NONE
            },
            every_scope: self == Self::Owner,
            scopes: Vec::new(),
        }
    }

    fn gives(self, p: Permission) -> bool {
        use Permission as P;
        let ordinary =
            p.is_read() && !["audit", "tokens", "keys", "relations"].contains(&p.category());
        match self {
            Self::Owner => true,
            Self::Administrator => {
                p.category() != "billing" && !matches!(p, P::OrgsDelete | P::RolesAssignOwner)
            }
            Self::SecurityAdministrator => {
                p.is_read() && p.category() != "billing"
                    || ["settings", "keys", "kill_switches", "audit", "relations"]
                        .contains(&p.category())
                    || matches!(p, P::UsersSuspend | P::AgentsSuspend | P::AgentsRevoke)
                    || matches!(p, P::AgentsCredentials | P::AgentsReport | P::RunsTerminate)
                    || matches!(p, P::TokensRevoke | P::TokensIntrospect)
            }
            Self::BillingAdministrator => ordinary || p.category() == "billing",
            Self::Auditor => p.is_read(),
            Self::Editor | Self::Viewer => ordinary && p.category() != "billing",
            Self::Member | Self::Guest => false,
        }
    }
}

fn member_own() -> Permissions {
    use Permission as P;
    let own = [
        P::UsersRead,
        P::AgentsRead,
        P::AgentsCreate,
        P::AgentsUpdate,
        P::AgentsSuspend,
    ];
    let more = [
        P::AgentsRevoke,
        P::AgentsCredentials,
        P::AgentsActFor,
        P::AgentsReport,
        P::RunsRead,
    ];
    let last = [
        P::RunsCreate,
        P::RunsTerminate,
        P::DispatchEvaluate,
        P::TokensRead,
        P::TokensCreate,
    ];
    let rest = [
        P::TokensRevoke,
        P::ConnectionsRead,
        P::OrgsRead,
        P::RolesRead,
    ];
    own.into_iter()
        .chain(more)
        .chain(last)
        .chain(rest)
        .collect()
}

/// What decisions need of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleCore {
    /// Identifier.
    pub id: Id<kernel::Role>,
    /// The rule it follows, when built in; its permissions then come from code.
    pub builtin: Option<Builtin>,
    /// Permissions of a role made by the organization.
    pub permissions: Permissions,
    /// Scopes of a role made by the organization.
    pub scopes: Vec<ScopePattern>,
}

impl RoleCore {
    /// What its holders hold.
    pub fn held(&self) -> Held {
        match self.builtin {
            Some(builtin) => builtin.held(),
            None => Held {
                all: self.permissions,
                own: Permissions::NONE,
                every_scope: false,
                scopes: self.scopes.clone(),
            },
        }
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// What decisions need.
    pub core: RoleCore,
    /// Its name, unique in the organization.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What decisions need of an assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignmentCore {
    /// Identifier.
    pub id: Id<kernel::Assignment>,
    /// Who holds the role.
    pub subject: Id<User>,
    /// The role.
    pub role: Id<kernel::Role>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A role given to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// What decisions need.
    pub core: AssignmentCore,
    /// When it was given.
    pub created_at: Timestamp,
}

impl Entity for Role {
    const TABLE: Table = Table::Role;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Role(self.core.clone()))
    }
}

impl Entity for Assignment {
    const TABLE: Table = Table::Assignment;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Assignment(self.core.clone()))
    }
    fn removal(&self) -> Option<Change> {
        Some(Change::AssignmentRemoved(self.core.id))
    }
}
