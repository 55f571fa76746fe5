//! Quotas: how much an organization may have, checked where it is made, inside the transaction that makes it, with an
//! entry that warns when four fifths are reached. Nothing that takes authority away asks here.

mod rates;
mod set;

pub use rates::{Warned, warn_of_rates};
pub use set::SetQuotas;

use crate::{Act, Cx, Result};
use domain::{Quotas, Stream};
use kernel::{Code, Timestamp, limits::Limit};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Prepared, Reader, Refusal, StoreError, Tx};

/// The entry that warns.
const WARNING: &str = "quota.nearly_reached";

/// A quota on its way into a transaction.
#[derive(Clone)]
pub(crate) struct Quota {
    counted: Counted,
    most: u64,
    /// How many more than that are let in.
    spare: u64,
    warning: Prepared,
}

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Counted {
    Users,
    Agents,
    Tokens,
}

impl Counted {
    const ALL: [Self; 3] = [Self::Users, Self::Agents, Self::Tokens];

    const fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Agents => "agents",
            Self::Tokens => "tokens",
        }
    }

    const fn of(self, quotas: &Quotas) -> Option<u64> {
        match self {
            Self::Users => quotas.users,
            Self::Agents => quotas.agents,
            Self::Tokens => quotas.tokens,
        }
    }
}

/// Whether so many are four fifths of a quota.
const fn is_near(count: u64, most: u64) -> bool {
    count.saturating_mul(5) >= most.saturating_mul(4)
}

fn warning(quota: &'static str, most: u64) -> Act {
    let after = json!({ "quota": quota, "limit": most, "percent": 80 });
    Act::read(WARNING).on_text("quota", quota).after(after)
}

impl Counted {
    /// How many there are. The tables count themselves; tokens that ended by themselves are left out where it
    /// matters, near the line.
    fn count(self, tx: &mut Tx<'_>, stream: Stream, most: u64) -> Result<u64, Refusal> {
        let count = tx.tally(stream, self.name())?;
        match self {
            Self::Tokens if is_near(count + 1, most) => tx.live_tokens(stream),
            _ => Ok(count),
        }
    }
}

impl Quota {
    /// The caller's organization's quota, where it has one.
    ///
    /// # Errors
    /// When the warning cannot be sealed.
    pub(crate) async fn of(cx: &Cx, counted: Counted) -> Result<Option<Self>> {
        let view = cx.view()?;
        let Some(most) = counted.of(&view.organization.quotas) else {
            return Ok(None);
        };
        Ok(Some(Self {
            counted,
            most,
            spare: 0,
            warning: cx
                .prepare(cx.stream()?, warning(counted.name(), most))
                .await?,
        }))
    }

    /// The same for one that takes another's place, which goes on for a while: one too many is let in.
    pub(crate) fn for_successor(self) -> Self {
        Self { spare: 1, ..self }
    }

    /// Refuses one more than there may be, and warns once on the way there. Called before anything is written, so
    /// that what is written belongs to its own entry.
    ///
    /// # Errors
    /// `limit_reached` with the figure.
    pub(crate) fn one_more(&self, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
        let (name, most) = (self.counted.name(), self.most);
        let count = self.counted.count(tx, stream, most)?;
        if count >= most + self.spare {
            let detail = format!(
                "the organization has {count} of at most {most} {name}; end some, or ask the instance's administrators for more"
            );
            let limit = Limit::new(&format!("quota_{name}"), most);
            return Err(Refusal::new(Code::LimitReached, detail).at(limit));
        }
        if is_near(count + 1, most) && !is_near(count, most) {
            tx.entry(stream, self.warning.clone())?;
        }
        Ok(())
    }
}

/// Refuses one more than there may be, where there is a quota.
///
/// # Errors
/// As `Quota::one_more`.
pub(crate) fn check(quota: Option<&Quota>, tx: &mut Tx<'_>, stream: Stream) -> Result<(), Refusal> {
    quota.map_or(Ok(()), |quota| quota.one_more(tx, stream))
}

/// How much of what can be counted an organization has.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Used {
    /// People who have not left.
    users: u64,
    /// Agents that are not revoked.
    agents: u64,
    /// API tokens that are neither revoked nor past their end.
    tokens: u64,
}

impl Used {
    /// # Errors
    /// When the database fails.
    pub(crate) fn read(
        reader: &mut Reader<'_>,
        stream: Stream,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            users: reader.tally(stream, Counted::Users.name())?,
            agents: reader.tally(stream, Counted::Agents.name())?,
            tokens: reader.live_tokens(stream, now)?,
        })
    }
}
