//! The permission catalogue: every platform permission, what it is for, and whether an agent may ever hold it.
//! Route guards, the role table in the documentation and the OpenAPI security texts come from here.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! permissions {
    ($($category:literal { $($name:ident $text:literal $doc:literal;)* })*) => {
        /// One platform permission. Its text is `category.verb`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission { $($(#[doc = $doc] $name,)*)* }
        impl Permission {
            /// Every permission, grouped by category.
            pub const ALL: &'static [Permission] = &[$($(Permission::$name,)*)*];
            /// The dotted text.
            pub const fn as_str(self) -> &'static str {
                match self { $($(Permission::$name => concat!($category, ".", $text),)*)* }
            }
            /// What stands before the dot.
            pub const fn category(self) -> &'static str {
                match self { $($(Permission::$name => $category,)*)* }
            }
            /// What it lets its holder do.
            pub const fn description(self) -> &'static str {
                match self { $($(Permission::$name => $doc,)*)* }
            }
        }
        /// Every category of the catalogue.
        pub const CATEGORIES: &[&str] = &[$($category,)*];
    };
}

permissions! {
    "orgs" {
        OrgsRead "read" "See the organization's name, state and issuer";
        OrgsUpdate "update" "Change the organization's name";
        OrgsDelete "delete" "Delete the organization";
    }
    "users" {
        UsersRead "read" "See people, their state and what they hold";
        UsersCreate "create" "Add people";
        UsersUpdate "update" "Change people's names";
        UsersSuspend "suspend" "Suspend, resume and deactivate people";
    }
    "roles" {
        RolesRead "read" "See roles and who holds them";
        RolesCreate "create" "Make roles";
        RolesAssign "assign" "Give and take roles";
        RolesAssignOwner "assign_owner" "Make and unmake owners";
    }
    "agents" {
        AgentsRead "read" "See agents and their trust";
        AgentsCreate "create" "Register agents, which may reach as far as the person who answers for them";
        AgentsUpdate "update" "Change an agent's name, version, ceiling and connections";
        AgentsSuspend "suspend" "Suspend and resume agents";
        AgentsRevoke "revoke" "Revoke agents for good";
        AgentsCredentials "credentials" "Rotate and revoke an agent's secrets";
        AgentsActFor "act_for" "Obtain runs and tokens in an agent's name";
        AgentsReport "report" "Report events that move an agent's trust";
    }
    "connections" {
        ConnectionsRead "read" "See connections";
        ConnectionsCreate "create" "Make connections";
        ConnectionsUpdate "update" "Change connections";
    }
    "runs" {
        RunsRead "read" "See runs";
        RunsCreate "create" "Start, keep alive and end runs";
        RunsTerminate "terminate" "Stop runs";
    }
    "dispatch" {
        DispatchEvaluate "evaluate" "Ask whether an agent should get a task";
    }
    "decisions" {
        DecisionsEvaluate "evaluate" "Ask whether anybody may do anything to a resource of an application";
        DecisionsSearch "search" "Ask who may do something, what they may do it to, and what they may do";
        DecisionsExplain "explain" "Ask why a decision is what it is";
    }
    "tokens" {
        TokensRead "read" "See API tokens";
        TokensCreate "create" "Make API tokens";
        TokensRevoke "revoke" "Revoke API tokens";
        TokensIntrospect "introspect" "Ask whether a token is live";
    }
    "audit" {
        AuditRead "read" "Read the log and its proofs";
    }
    "settings" {
        SettingsRead "read" "See the security settings";
        SettingsUpdate "update" "Change the security settings";
    }
    "keys" {
        KeysRead "read" "See signing keys";
        KeysRotate "rotate" "Rotate signing keys";
    }
    "kill_switches" {
        KillSwitchesRead "read" "See kill switches";
        KillSwitchesUpdate "update" "Set and lift kill switches";
    }
    "relations" {
        RelationsRead "read" "See relation stores, their models and tuples";
        RelationsCheck "check" "Ask relation stores who is related to what";
        RelationsWrite "write" "Write and delete relation tuples";
        RelationsModels "models" "Make and delete relation stores, and write their models";
    }
    "billing" {
        BillingRead "read" "See the subscription";
        BillingUpdate "update" "Change the subscription";
    }
    "instance" {
        InstanceOrgsCreate "create_orgs" "Make organizations";
        InstanceKill "kill" "Stop every agent of every organization";
        InstanceOrgsLimit "limit_orgs" "Set how much an organization may have";
    }
}

impl Permission {
    /// The permission with this dotted text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|permission| permission.as_str() == text)
    }
    /// Whether it only reads.
    pub fn is_read(self) -> bool {
        self.as_str().ends_with(".read")
    }
    /// Whether it belongs to the instance and not to an organization.
    pub fn is_instance(self) -> bool {
        self.category() == "instance"
    }
    const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

impl Serialize for Permission {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is not a permission; see the table of permissions"
            ))
        })
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(u64);

const _: () = assert!(Permission::ALL.len() <= 64);

impl Permissions {
    /// No permission.
    pub const NONE: Permissions = Permissions(0);

    /// Those for which `keep` holds.
    pub fn where_(keep: impl Fn(Permission) -> bool) -> Self {
        Permission::ALL
            .iter()
            .copied()
            .filter(|p| keep(*p))
            .collect()
    }
    /// Whether `permission` is in the set.
    pub const fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }
    /// Those in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
    /// Those in either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
    /// Those in this and not in the other.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// Whether every member is in `other`.
    pub const fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }
    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// The members, in the order of the catalogue.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL
            .iter()
            .copied()
            .filter(move |p| self.has(*p))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(members: I) -> Self {
        Self(members.into_iter().fold(0, |set, p| set | p.bit()))
    }
}

impl Serialize for Permissions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?
            .into_iter()
            .collect())
    }
}

/// On what a permission works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Only on what the holder owns.
    Own,
    /// On everything of the organization.
    All,
}
