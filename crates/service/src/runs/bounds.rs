//! What a new run may be, given its agent, its parent and who starts it: scopes within the ceiling and the
//! parent's, no later end, no deeper than the limit, and every grant above it in its lineage.

use crate::{Error, Result};
use domain::{AgentCore, GrantId, Initiator, Lineage, RunCore, RunState, Scope, ScopeGrant};
use kernel::{Id, Micros, Timestamp, limit, limits};

/// What a run is to be.
#[derive(Clone, Debug)]
pub(crate) struct Wanted<'a> {
    /// Its identifier.
    pub id: Id<kernel::Run>,
    /// Its agent.
    pub agent: &'a AgentCore,
    /// The run it is started from, which is open.
    pub parent: Option<&'a RunCore>,
    /// Its own node.
    pub grant: GrantId,
    /// The grants of the credential that starts it.
    pub above: &'a Lineage,
    /// Who starts it, when it is a human.
    pub initiator: Option<Initiator>,
    /// Scopes by name; none means all that there are.
    pub scopes: Option<&'a [String]>,
    /// How long it may take, in seconds.
    pub deadline_seconds: i64,
    /// How long a heartbeat keeps it, in seconds.
    pub lease_seconds: Option<u32>,
    /// When the credential that starts it ends.
    pub credential_end: Option<Timestamp>,
    /// The transaction of a root.
    pub transaction: String,
    /// The present.
    pub now: Timestamp,
}

/// The run, within every bound.
///
/// # Errors
/// Which bound it does not keep, by field.
pub(crate) fn within(wanted: Wanted<'_>) -> Result<RunCore> {
    let depth = wanted
        .parent
        .map_or(1, |parent| parent.depth.saturating_add(1));
    if usize::from(depth) > limits::RUN_DEPTH {
        let text = format!(
            "lies at the greatest depth ({}); start from a run nearer to the root",
            limits::RUN_DEPTH
        );
        return Err(Error::invalid("parent", text).at(limit!(RUN_DEPTH)));
    }
    let lease_until = lease(&wanted)?;
    Ok(RunCore {
        id: wanted.id,
        agent: wanted.agent.id,
        parent: wanted.parent.map(|parent| parent.id),
        grant: wanted.grant,
        lineage: lineage(&wanted)?,
        depth,
        scopes: scopes(&wanted)?,
        state: RunState::Running,
        deadline: deadline(&wanted)?,
        lease_until,
        initiator: initiator(&wanted)?,
        transaction: wanted
            .parent
            .map_or(wanted.transaction, |parent| parent.transaction.clone()),
    })
}

fn lineage(wanted: &Wanted<'_>) -> Result<Lineage> {
    let parent = wanted
        .parent
        .map(|parent| parent.lineage.clone())
        .unwrap_or_default();
    let more = wanted
        .above
        .iter()
        .chain([wanted.agent.grant, wanted.grant]);
    parent
        .with(more)
        .map_err(|error| Error::state(format!("lineage_too_long: {error}")))
}

/// Everything started under a human's authority stays under it: a child cannot shake it off nor trade it.
fn initiator(wanted: &Wanted<'_>) -> Result<Option<Initiator>> {
    match (
        wanted.parent.and_then(|parent| parent.initiator),
        wanted.initiator,
    ) {
        (None, own) => Ok(own),
        (Some(theirs), None) => Ok(Some(theirs)),
        (Some(theirs), Some(own)) if theirs == own => Ok(Some(own)),
        (Some(_), Some(_)) => Err(Error::invalid(
            "parent",
            "was started in the name of somebody else or with another token; start a root run",
        )),
    }
}

/// The earliest of what was asked for, the parent's deadline and the end of the credential (CAP-6).
fn deadline(wanted: &Wanted<'_>) -> Result<Timestamp> {
    let most = limits::RUN_DEADLINE.as_seconds();
    if !(1..=most).contains(&wanted.deadline_seconds) {
        return Err(Error::invalid(
            "deadline_seconds",
            format!("must be within 1 and {most}"),
        ));
    }
    let asked = wanted.now.plus(Micros::seconds(wanted.deadline_seconds));
    let parent = wanted.parent.map(|parent| parent.deadline);
    Ok(parent
        .into_iter()
        .chain(wanted.credential_end)
        .fold(asked, Timestamp::min))
}

fn lease(wanted: &Wanted<'_>) -> Result<Option<Timestamp>> {
    match wanted.lease_seconds {
        Some(seconds @ 1..=86_400) => Ok(Some(wanted.now.plus(Micros::seconds(seconds.into())))),
        Some(_) => Err(Error::invalid(
            "lease_seconds",
            "must be within 1 and 86400",
        )),
        None => Ok(None),
    }
}

/// The pairs that these names mean within ceiling and parent; without names, all of them.
fn scopes(wanted: &Wanted<'_>) -> Result<Vec<ScopeGrant>> {
    let in_parent = |grant: &&ScopeGrant| {
        wanted
            .parent
            .is_none_or(|parent| parent.scopes.contains(grant))
    };
    let available: Vec<&ScopeGrant> = wanted.agent.ceiling.iter().filter(in_parent).collect();
    let Some(names) = wanted.scopes else {
        return Ok(available.into_iter().cloned().collect());
    };
    if names.len() > limits::SCOPES {
        return Err(Error::invalid(
            "scopes",
            format!("must hold at most {} scopes", limits::SCOPES),
        ));
    }
    let mut chosen = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let place = format!("scopes.{n}");
        let scope =
            Scope::parse(name).map_err(|error| Error::invalid(&place, error.to_string()))?;
        let before = chosen.len();
        chosen.extend(
            available
                .iter()
                .filter(|grant| grant.scope == scope)
                .map(|grant| (*grant).clone()),
        );
        if chosen.len() == before {
            let of = if wanted.parent.is_some() {
                "the agent's ceiling and the parent's scopes"
            } else {
                "the agent's ceiling"
            };
            return Err(Error::field(
                &place,
                "not_held",
                format!("is not within {of}; leave it out"),
            ));
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AgentState, AuthMethod, Owner};

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn pair(n: u8, text: &str) -> ScopeGrant {
        ScopeGrant {
            connection: Id::from_bytes([n; 16]),
            scope: Scope::parse(text).unwrap(),
        }
    }

    fn agent(ceiling: &[ScopeGrant]) -> AgentCore {
        AgentCore {
            id: Id::from_bytes([9; 16]),
            owner: Owner(Id::from_bytes([8; 16])),
            sponsor: Id::from_bytes([8; 16]),
            state: AgentState::Active,
            ceiling: ceiling.to_vec(),
            connections: None,
            grant: GrantId::from_number(1),
            method: AuthMethod::ClientSecret,
            keys: vec![],
            credential_since: NOW,
        }
    }

    fn wanted<'a>(
        agent: &'a AgentCore,
        parent: Option<&'a RunCore>,
        above: &'a Lineage,
    ) -> Wanted<'a> {
        Wanted {
            id: Id::from_bytes([7; 16]),
            agent,
            parent,
            grant: GrantId::from_number(77),
            above,
            initiator: None,
            scopes: None,
            deadline_seconds: 600,
            lease_seconds: None,
            credential_end: None,
            transaction: "t".into(),
            now: NOW,
        }
    }

    fn names(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_child_keeps_within_its_parent() {
        let above = Lineage::union([GrantId::from_number(5)]).unwrap();
        let wide = agent(&[
            pair(1, "orders:read"),
            pair(1, "orders:write"),
            pair(2, "orders:read"),
        ]);
        let read = names(&["orders:read"]);
        let parent = within(Wanted {
            scopes: Some(&read),
            ..wanted(&wide, None, &above)
        })
        .unwrap();
        assert_eq!(
            parent.scopes,
            [pair(1, "orders:read"), pair(2, "orders:read")]
        );
        let child = within(Wanted {
            deadline_seconds: 900,
            ..wanted(&wide, Some(&parent), &above)
        })
        .unwrap();
        assert_eq!(
            child.scopes, parent.scopes,
            "the ceiling's rest is out of reach"
        );
        assert_eq!((child.depth, child.deadline), (2, parent.deadline));
        assert_eq!(child.transaction, parent.transaction);
        assert!(
            parent
                .lineage
                .iter()
                .all(|grant| child.lineage.contains(grant))
        );
        let write = names(&["orders:write"]);
        let refused = within(Wanted {
            scopes: Some(&write),
            ..wanted(&wide, Some(&parent), &above)
        })
        .unwrap_err();
        assert_eq!(
            refused
                .errors
                .first()
                .map(|e| (e.field.as_str(), e.code.as_str())),
            Some(("scopes.0", "not_held"))
        );
        let other = agent(&[pair(2, "orders:read"), pair(3, "mail:send")]);
        let foreign = within(wanted(&other, Some(&parent), &above)).unwrap();
        assert_eq!(
            foreign.scopes,
            [pair(2, "orders:read")],
            "another agent meets the parent in what both have"
        );
    }

    #[test]
    fn depth_lineage_and_credential_bound_it() {
        let (above, any) = (Lineage::default(), agent(&[]));
        let mut run = within(wanted(&any, None, &above)).unwrap();
        for n in 2..=limits::RUN_DEPTH {
            run = within(Wanted {
                grant: GrantId::from_number(100 + n as u64),
                ..wanted(&any, Some(&run), &above)
            })
            .unwrap();
        }
        assert_eq!(usize::from(run.depth), limits::RUN_DEPTH);
        assert!(
            within(wanted(&any, Some(&run), &above)).is_err(),
            "one deeper"
        );
        let long = Lineage::union((200..239).map(GrantId::from_number)).unwrap();
        let refused = within(wanted(&any, None, &long)).unwrap_err();
        assert!(
            refused.detail.starts_with("lineage_too_long"),
            "{}",
            refused.detail
        );
        let soon = NOW.plus(Micros::seconds(30));
        let cut = within(Wanted {
            credential_end: Some(soon),
            ..wanted(&any, None, &above)
        })
        .unwrap();
        assert_eq!(cut.deadline, soon);
        for seconds in [0, -1, limits::RUN_DEADLINE.as_seconds() + 1] {
            assert!(
                within(Wanted {
                    deadline_seconds: seconds,
                    ..wanted(&any, None, &above)
                })
                .is_err()
            );
        }
    }

    #[test]
    fn whoever_stands_behind_the_parent_stands_behind_the_child() {
        let (above, any) = (Lineage::default(), agent(&[]));
        let human = |n: u8| {
            Some(Initiator {
                user: Id::from_bytes([n; 16]),
                token: Some(Id::from_bytes([n; 16])),
            })
        };
        let parent = within(Wanted {
            initiator: human(1),
            ..wanted(&any, None, &above)
        })
        .unwrap();
        assert_eq!(
            within(wanted(&any, Some(&parent), &above))
                .unwrap()
                .initiator,
            human(1)
        );
        let same = Wanted {
            initiator: human(1),
            ..wanted(&any, Some(&parent), &above)
        };
        assert_eq!(within(same).unwrap().initiator, human(1));
        let other = Wanted {
            initiator: human(2),
            ..wanted(&any, Some(&parent), &above)
        };
        assert!(within(other).is_err());
    }
}
