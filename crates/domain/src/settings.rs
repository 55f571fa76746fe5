//! An organization's security settings and its kill switches.

use crate::{Change, Class, Entity, Table};
use kernel::{Agent, Connection, Id, IdError, Org, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// What decisions need of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsCore {
    /// The least trust any agent needs for anything.
    pub trust_floor: u8,
    /// The least trust a class of operation needs, where it is not the usual one.
    pub class_minimums: BTreeMap<Class, u8>,
}

impl Default for SettingsCore {
    fn default() -> Self {
        Self {
            trust_floor: 20,
            class_minimums: BTreeMap::new(),
        }
    }
}

impl SettingsCore {
    /// The least trust this class needs.
    pub fn class_minimum(&self, class: Class) -> u8 {
        let usual = match class {
            Class::Read => 20,
            Class::Write => 40,
            Class::Destructive | Class::External | Class::Spend => 60,
            Class::Admin => 80,
        };
        self.class_minimums.get(&class).copied().unwrap_or(usual)
    }
}

/// An organization's security settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The organization, which is also the row's identity.
    pub org: Id<Org>,
    /// What decisions need.
    pub core: SettingsCore,
}

/// What a kill switch stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KillTarget {
    /// Every agent of every organization.
    Instance,
    /// Every agent of the organization.
    Org,
    /// One connection.
    Connection(Id<Connection>),
    /// One agent.
    Agent(Id<Agent>),
}

impl KillTarget {
    /// Sixteen bytes that name it within its stream.
    pub fn key(self) -> [u8; 16] {
        match self {
            Self::Instance => [0; 16],
            Self::Org => [0xff; 16],
            Self::Connection(id) => id.bytes(),
            Self::Agent(id) => id.bytes(),
        }
    }
}

impl fmt::Display for KillTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance => f.write_str("instance"),
            Self::Org => f.write_str("org"),
            Self::Connection(id) => id.fmt(f),
            Self::Agent(id) => id.fmt(f),
        }
    }
}

impl FromStr for KillTarget {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "instance" => Ok(Self::Instance),
            "org" => Ok(Self::Org),
            _ if text.starts_with("con_") => text.parse().map(Self::Connection),
            _ => text.parse().map(Self::Agent),
        }
    }
}

impl Serialize for KillTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for KillTarget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// What decisions need of a kill switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitchCore {
    /// What it stops.
    pub target: KillTarget,
    /// Whether it is set.
    pub on: bool,
}

/// A kill switch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillSwitch {
    /// What decisions need.
    pub core: KillSwitchCore,
    /// Why it was last moved.
    pub reason: String,
    /// When it was last moved.
    pub changed_at: Timestamp,
}

impl Entity for Settings {
    const TABLE: Table = Table::Settings;
    fn key(&self) -> [u8; 16] {
        self.org.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Settings(self.core.clone()))
    }
}

impl Entity for KillSwitch {
    const TABLE: Table = Table::KillSwitch;
    fn key(&self) -> [u8; 16] {
        self.core.target.key()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::KillSwitch(self.core.clone()))
    }
}
