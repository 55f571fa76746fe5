//! Trust, version 1: a score from 0 to 100 out of four components, in whole numbers, the same for the same facts
//! at the same moment, and explained down to each event. Reading it changes nothing.

use crate::{AgentState, AuthMethod, Change, Entity, Table};
use kernel::{Agent, Event, Id, Timestamp};
use serde::{Deserialize, Serialize};

/// The version of these rules, shown in answers.
pub const VERSION: u32 = 1;
const IDENTITY: i64 = 25;
const BEHAVIOUR: i64 = 35;
const COMPLIANCE: i64 = 25;
const ATTESTATIONS: i64 = 15;
const OLD_CREDENTIAL_DAYS: i64 = 90;
const GAIN_PER_DAY: i64 = 2;
const MILLION: i64 = 1_000_000;
/// 2^(-k/14) in millionths, for k from 0 to 13: a penalty halves every 14 days.
const HALVING: [i64; 14] = [
    1_000_000, 951_695, 905_724, 861_973, 820_335, 780_709, 742_997, 707_107, 672_950, 640_443,
    609_507, 580_065, 552_045, 525_378,
];

/// How bad an event is, or that a dispatched run ended cleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Takes 5 points of behaviour.
    Minor,
    /// Takes 20.
    Major,
    /// Takes 60 and opens an incident.
    Critical,
    /// Gives 1, at most 2 a day; recorded only by the product itself.
    Clean,
}

impl Severity {
    /// Points of behaviour taken.
    pub const fn penalty(self) -> i64 {
        match self {
            Self::Minor => 5,
            Self::Major => 20,
            Self::Critical => 60,
            Self::Clean => 0,
        }
    }
}

/// What decisions need of an event that moves trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustEventCore {
    /// Identifier.
    pub id: Id<Event>,
    /// The agent it is about.
    pub agent: Id<Agent>,
    /// When it happened.
    pub at: Timestamp,
    /// How bad it is.
    pub severity: Severity,
    /// What it was, such as `guardrail.blocked`.
    pub kind: String,
}

/// An event that moves trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustEvent {
    /// What decisions need.
    pub core: TrustEventCore,
    /// The run it cites.
    pub run: Option<Id<kernel::Run>>,
    /// What the reporter adds, in their words.
    pub evidence: Option<String>,
}

impl Entity for TrustEvent {
    const TABLE: Table = Table::TrustEvent;
    fn key(&self) -> [u8; 16] {
        self.core.id.bytes()
    }
    fn change(&self) -> Option<Change> {
        Some(Change::Trust(self.core.clone()))
    }
}

/// A band of scores.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// 0 to 19.
    Untrusted,
    /// 20 to 39.
    Provisional,
    /// 40 to 59.
    Standard,
    /// 60 to 79.
    Elevated,
    /// 80 to 100.
    Trusted,
}

impl Level {
    /// The band that holds this score.
    pub const fn of(score: u8) -> Self {
        match score {
            0..20 => Self::Untrusted,
            20..40 => Self::Provisional,
            40..60 => Self::Standard,
            60..80 => Self::Elevated,
            _ => Self::Trusted,
        }
    }
    /// The level's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Provisional => "provisional",
            Self::Standard => "standard",
            Self::Elevated => "elevated",
            Self::Trusted => "trusted",
        }
    }
}

/// Everything the score depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The agent's life.
    pub state: AgentState,
    /// How it authenticates.
    pub method: AuthMethod,
    /// When its present credential began to count; none when it has no valid one.
    pub credential_since: Option<Timestamp>,
    /// Whether a verified human or team answers for it now.
    pub owner_active: bool,
    /// What happened, in any order.
    pub events: &'a [TrustEventCore],
}

/// One part of the score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Component {
    /// `identity`, `behaviour`, `compliance` or `attestations`.
    pub name: &'static str,
    /// Its weight out of 100.
    pub weight: i64,
    /// Its value, 0 to 100.
    pub value: i64,
    /// Why, a line for each thing that counted.
    pub reasons: Vec<String>,
}

/// A score with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Trust {
    /// 0 to 100.
    pub score: u8,
    /// The band.
    pub level: Level,
    /// The parts.
    pub components: Vec<Component>,
    /// Rules that capped the sum.
    pub overrides: Vec<&'static str>,
    /// The version of the rules.
    pub version: u32,
    /// When it was computed.
    pub computed_at: Timestamp,
}

/// The score alone, without building reasons: what a gate reads.
pub fn score(facts: Facts<'_>, now: Timestamp) -> u8 {
    let sum = IDENTITY * identity(facts, now)
        + BEHAVIOUR * behaviour(facts.events, now)
        + COMPLIANCE * 40;
    let cap = overrides(facts, now)
        .map(|(_, cap)| cap)
        .min()
        .unwrap_or(100);
    u8::try_from((sum / 100).clamp(0, i64::from(cap))).unwrap_or(0)
}

/// The score with everything that led to it (TRU-1).
pub fn explain(facts: Facts<'_>, now: Timestamp) -> Trust {
    let score = score(facts, now);
    let part = |name, weight, value, reasons| Component {
        name,
        weight,
        value,
        reasons,
    };
    Trust {
        score,
        level: Level::of(score),
        components: vec![
            part(
                "identity",
                IDENTITY,
                identity(facts, now),
                identity_reasons(facts, now),
            ),
            part(
                "behaviour",
                BEHAVIOUR,
                behaviour(facts.events, now),
                behaviour_reasons(facts.events, now),
            ),
            part(
                "compliance",
                COMPLIANCE,
                40,
                vec!["not yet reviewed".into()],
            ),
            part(
                "attestations",
                ATTESTATIONS,
                0,
                vec!["none presented".into()],
            ),
        ],
        overrides: overrides(facts, now).map(|(name, _)| name).collect(),
        version: VERSION,
        computed_at: now,
    }
}

fn overrides<'a>(
    facts: Facts<'a>,
    now: Timestamp,
) -> impl Iterator<Item = (&'static str, u8)> + 'a {
    let incident = facts
        .events
        .iter()
        .any(|event| event.severity == Severity::Critical && event.at <= now);
    [
        (facts.state != AgentState::Active, ("not_active", 0)),
        (facts.credential_since.is_none(), ("no_valid_credential", 0)),
        (incident, ("open_critical_incident", 19)),
        (!facts.owner_active, ("no_verified_owner", 39)),
    ]
    .into_iter()
    .filter_map(|(holds, rule)| holds.then_some(rule))
}

fn days(since: Timestamp, now: Timestamp) -> i64 {
    now.since(since).as_seconds().max(0) / 86_400
}

fn identity(facts: Facts<'_>, now: Timestamp) -> i64 {
    let Some(since) = facts.credential_since else {
        return 0;
    };
    let strength = match facts.method {
        AuthMethod::ClientSecret => 70,
        AuthMethod::PrivateKeyJwt => 85,
    };
    if days(since, now) > OLD_CREDENTIAL_DAYS {
        strength - 20
    } else {
        strength
    }
}

fn identity_reasons(facts: Facts<'_>, now: Timestamp) -> Vec<String> {
    let Some(since) = facts.credential_since else {
        return vec!["0: no valid credential".into()];
    };
    let strength = match facts.method {
        AuthMethod::ClientSecret => "70: authenticates with a shared secret",
        AuthMethod::PrivateKeyJwt => "85: authenticates with a key of its own",
    };
    let age = days(since, now);
    let old = (age > OLD_CREDENTIAL_DAYS).then(|| format!("-20: the credential is {age} days old"));
    std::iter::once(strength.to_owned()).chain(old).collect()
}

/// What is left of a penalty, in millionths of a point.
fn decayed(event: &TrustEventCore, now: Timestamp) -> i64 {
    let age = days(event.at, now);
    let part = usize::try_from(age % 14)
        .ok()
        .and_then(|k| HALVING.get(k))
        .copied()
        .unwrap_or(MILLION);
    let halvings = u32::try_from(age / 14).unwrap_or(u32::MAX);
    (event.severity.penalty() * part)
        .checked_shr(halvings)
        .unwrap_or(0)
}

fn gains(events: &[TrustEventCore], now: Timestamp) -> i64 {
    let mut by_day = std::collections::BTreeMap::<i64, i64>::new();
    for event in events
        .iter()
        .filter(|e| e.severity == Severity::Clean && e.at <= now)
    {
        *by_day
            .entry(event.at.seconds().div_euclid(86_400))
            .or_default() += 1;
    }
    by_day
        .values()
        .map(|count| (*count).min(GAIN_PER_DAY))
        .sum()
}

fn behaviour(events: &[TrustEventCore], now: Timestamp) -> i64 {
    let lost: i64 = events
        .iter()
        .filter(|e| e.at <= now)
        .map(|e| decayed(e, now))
        .sum();
    let left = (60 + gains(events, now)) * MILLION - lost;
    left.div_euclid(MILLION).clamp(0, 100)
}

fn behaviour_reasons(events: &[TrustEventCore], now: Timestamp) -> Vec<String> {
    let gained = gains(events, now);
    let losses = events
        .iter()
        .filter(|e| e.severity != Severity::Clean && e.at <= now)
        .map(|event| {
            let left = (decayed(event, now) + MILLION - 1) / MILLION;
            format!(
                "-{left}: {} ({:?}) at {}, event {}",
                event.kind, event.severity, event.at, event.id
            )
        });
    let gained = (gained > 0).then(|| format!("+{gained}: runs that ended cleanly"));
    std::iter::once("60: where every agent starts".to_owned())
        .chain(gained)
        .chain(losses)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::Micros;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    fn facts(method: AuthMethod, events: &[TrustEventCore]) -> Facts<'_> {
        Facts {
            state: AgentState::Active,
            method,
            credential_since: Some(NOW),
            owner_active: true,
            events,
        }
    }

    fn event(severity: Severity, days_ago: i64) -> TrustEventCore {
        TrustEventCore {
            id: Id::from_bytes([1; 16]),
            agent: Id::from_bytes([2; 16]),
            at: NOW.minus(Micros::days(days_ago)),
            severity,
            kind: "guardrail.blocked".into(),
        }
    }

    #[test]
    fn a_new_agent_is_standard() {
        assert_eq!(score(facts(AuthMethod::ClientSecret, &[]), NOW), 48);
        assert_eq!(score(facts(AuthMethod::PrivateKeyJwt, &[]), NOW), 52);
        assert_eq!(Level::of(48), Level::Standard);
    }

    #[test]
    fn three_major_reports_take_48_to_27() {
        let events = vec![event(Severity::Major, 0); 3];
        assert_eq!(score(facts(AuthMethod::ClientSecret, &events), NOW), 27);
    }

    #[test]
    fn a_penalty_halves_in_fourteen_days_and_events_of_the_future_do_not_count() {
        assert_eq!(behaviour(&[event(Severity::Major, 14)], NOW), 50);
        assert_eq!(behaviour(&[event(Severity::Major, 28)], NOW), 55);
        assert_eq!(
            behaviour(&[event(Severity::Major, 1)], NOW),
            40,
            "60 - 19.03, rounded down"
        );
        assert_eq!(behaviour(&[event(Severity::Major, -1)], NOW), 60);
        assert_eq!(behaviour(&[event(Severity::Major, 20_000)], NOW), 60);
    }

    #[test]
    fn clean_runs_gain_two_a_day_at_most() {
        let events = vec![event(Severity::Clean, 0); 9];
        assert_eq!(behaviour(&events, NOW), 62);
    }

    #[test]
    fn overrides_cap_the_sum() {
        let base = facts(AuthMethod::PrivateKeyJwt, &[]);
        assert_eq!(
            score(
                Facts {
                    state: AgentState::Suspended,
                    ..base
                },
                NOW
            ),
            0
        );
        assert_eq!(
            score(
                Facts {
                    credential_since: None,
                    ..base
                },
                NOW
            ),
            0
        );
        assert_eq!(
            score(
                Facts {
                    owner_active: false,
                    ..base
                },
                NOW
            ),
            39
        );
        let critical = [event(Severity::Critical, 0)];
        assert_eq!(
            score(
                Facts {
                    events: &critical,
                    ..base
                },
                NOW
            ),
            19
        );
    }

    #[test]
    fn an_old_credential_counts_less() {
        let base = facts(AuthMethod::ClientSecret, &[]);
        let old = Facts {
            credential_since: Some(NOW.minus(Micros::days(91))),
            ..base
        };
        assert_eq!(score(old, NOW), 43);
        assert_eq!(explain(old, NOW).score, 43);
    }
}
