//! The catalogue: what can be measured, over how many organizations, and in which order. Scenarios over the same
//! instance stand beside each other, because a server is started once for them.

use anyhow::{Result, bail};
use std::fmt::Write;

/// One thing to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    /// How large the instance is.
    pub size: Size,
    pub work: Work,
}

/// How much is in an instance; every organization has ten agents and an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub organizations: usize,
    /// People in each beside its owner.
    pub people: usize,
}

/// How it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// wrk keeps its connections busy.
    Closed(Kind),
    /// Requests are due at half of the rate that a closed loop reaches.
    Half(Kind),
    /// Four times the rate of a pinned closed loop.
    Overload(Kind),
    /// One organization beside another that floods.
    Fair,
    /// A process on an empty folder.
    Start,
    /// Start and memory with everything in place, and memory after a load over all of it.
    Full,
    /// Record entries straight at the store.
    Append,
    /// Searches of a long log.
    Search,
    /// Another product, on the same machine in the same run.
    Peer,
}

/// What is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Health,
    Token,
    /// Tokens that the node has seen before.
    Warm,
    /// More tokens than a node remembers.
    Cold,
    DispatchNew,
    DispatchRun,
    /// A question to the decision API.
    Evaluate,
    Revoke,
}

const fn closed(
    name: &'static str,
    about: &'static str,
    organizations: usize,
    kind: Kind,
) -> Scenario {
    let (size, work) = (lean(organizations), Work::Closed(kind));
    Scenario {
        name,
        about,
        size,
        work,
    }
}

const fn lean(organizations: usize) -> Size {
    Size {
        organizations,
        people: 0,
    }
}

const fn other(name: &'static str, about: &'static str, work: Work) -> Scenario {
    let size = lean(1);
    Scenario {
        name,
        about,
        size,
        work,
    }
}

pub const ALL: &[Scenario] = &[
    other(
        "start",
        "from an empty folder to the first answer, and idle memory",
        Work::Start,
    ),
    closed(
        "health",
        "the floor: an answer that decides nothing",
        1,
        Kind::Health,
    ),
    closed(
        "token-1",
        "client credentials in one organization",
        1,
        Kind::Token,
    ),
    other(
        "half-token",
        "client credentials due at half of the closed loop's rate",
        Work::Half(Kind::Token),
    ),
    closed(
        "introspect-warm",
        "introspection of 10,000 tokens that were all seen before",
        1,
        Kind::Warm,
    ),
    closed(
        "introspect-cold",
        "introspection of 200,000 tokens, each seen once",
        1,
        Kind::Cold,
    ),
    closed(
        "dispatch-new",
        "dispatch that makes a run and a capability",
        1,
        Kind::DispatchNew,
    ),
    other(
        "half-dispatch",
        "dispatch with a new run, due at half of the closed loop's rate",
        Work::Half(Kind::DispatchNew),
    ),
    closed(
        "dispatch-run",
        "dispatch within a run that exists",
        1,
        Kind::DispatchRun,
    ),
    closed(
        "evaluate",
        "the decision API: may an agent read orders, asked by the connection",
        1,
        Kind::Evaluate,
    ),
    closed(
        "revoke",
        "agents give tokens back, each once",
        1,
        Kind::Revoke,
    ),
    closed(
        "token-10",
        "client credentials over 10 organizations",
        10,
        Kind::Token,
    ),
    closed(
        "token-100",
        "client credentials over 100 organizations",
        100,
        Kind::Token,
    ),
    closed(
        "token-1000",
        "client credentials over 1,000 organizations",
        1_000,
        Kind::Token,
    ),
    closed(
        "token-10000",
        "client credentials over 10,000 organizations",
        10_000,
        Kind::Token,
    ),
    closed(
        "introspect-10000",
        "introspection of 10,000 tokens, one of each of 10,000 organizations",
        10_000,
        Kind::Warm,
    ),
    closed(
        "dispatch-10000",
        "dispatch with a new run over 10,000 organizations",
        10_000,
        Kind::DispatchNew,
    ),
    Scenario {
        name: "full",
        about: "10,000 organizations with 1,000,000 principals: start, memory, memory after a load over all",
        size: Size {
            organizations: 10_000,
            people: 89,
        },
        work: Work::Full,
    },
    other(
        "overload",
        "pinned: four times the closed loop's rate, what comes of it, memory",
        Work::Overload(Kind::Token),
    ),
    Scenario {
        name: "fair",
        about: "one organization's tokens, alone and beside another that floods writes and wrong secrets",
        size: lean(10),
        work: Work::Fair,
    },
    other(
        "append",
        "durable record entries straight at the store, over 1 and 10,000 organizations",
        Work::Append,
    ),
    other(
        "search",
        "a log of some millions of entries: what indexing it takes, and how long searches of it",
        Work::Search,
    ),
    other(
        "peer",
        "the npm package oidc-provider, client credentials from memory",
        Work::Peer,
    ),
];

/// Everything, or what the given beginnings name.
pub fn chosen(only: &[String]) -> Result<Vec<Scenario>> {
    let means = |wanted: &String, scenario: &Scenario| {
        let exact = ALL.iter().any(|known| known.name == wanted);
        scenario.name == wanted || (!exact && scenario.name.starts_with(wanted.as_str()))
    };
    let named =
        |scenario: &&Scenario| only.is_empty() || only.iter().any(|wanted| means(wanted, scenario));
    let chosen: Vec<_> = ALL.iter().filter(named).copied().collect();
    if chosen.is_empty() {
        bail!("nothing is called {}; see --list", only.join(", "));
    }
    Ok(chosen)
}

/// A line for each.
pub fn listed(scenarios: &[Scenario]) -> String {
    let mut out = String::new();
    for scenario in scenarios {
        let _ = writeln!(out, "{:<17} {}", scenario.name, scenario.about);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(only: &[&str]) -> Vec<&'static str> {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        chosen(&only)
            .unwrap()
            .iter()
            .map(|scenario| scenario.name)
            .collect()
    }

    #[test]
    fn a_whole_name_names_one_and_a_beginning_all_that_begin_so() {
        assert_eq!(names(&["token-10"]), ["token-10"]);
        assert_eq!(names(&["token"]).len(), 5);
        assert_eq!(
            names(&["introspect-w", "health"]),
            ["health", "introspect-warm"]
        );
        assert_eq!(names(&[]).len(), ALL.len());
        assert!(chosen(&["nothing".into()]).is_err());
    }
}
