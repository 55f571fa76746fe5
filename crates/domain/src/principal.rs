//! Who can act, and who can answer for an agent.

use kernel::{Agent, Connection, Id, IdError, User};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{fmt, str::FromStr};

/// Anything that can act or hold a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A human.
    User(Id<User>),
    /// A registered agent.
    Agent(Id<Agent>),
    /// A downstream system, which may introspect the tokens made for it.
    Connection(Id<Connection>),
    /// The operator at the machine, or the product itself.
    System,
    /// Nobody known: a request without a valid credential.
    Anonymous,
}

impl Principal {
    /// `human`, `agent`, `service` or `system`, as entries say it.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "human",
            Self::Agent(_) => "agent",
            Self::Connection(_) => "service",
            Self::System | Self::Anonymous => "system",
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => id.fmt(f),
            Self::Agent(id) => id.fmt(f),
            Self::Connection(id) => id.fmt(f),
            Self::System => f.write_str("system"),
            Self::Anonymous => f.write_str("anonymous"),
        }
    }
}

impl FromStr for Principal {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text.split('_').next().unwrap_or_default() {
            "agt" => text.parse().map(Self::Agent),
            "con" => text.parse().map(Self::Connection),
            "system" => Ok(Self::System),
            "anonymous" => Ok(Self::Anonymous),
            _ => text.parse().map(Self::User),
        }
    }
}

impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Principal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// Who answers for an agent. Never an agent, a token or a service (AGT-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Owner(pub Id<User>);
