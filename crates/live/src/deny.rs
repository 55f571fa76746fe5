//! The deny set of one organization: what is revoked, found by node, and which of it denies nothing any more. It never
//! says that a token is good; absence only means that nobody revoked it.

use crate::OrgState;
use domain::{AgentState, GrantId, RevocationCore, SecretState};
use imbl::{HashMap, OrdSet};
use kernel::{Micros, Timestamp, limits};
use std::collections::HashSet;

/// How long after its end a revocation is still held, beside the skew that is forgiven.
const MARGIN: Micros = Micros::seconds(3_600);

/// What is revoked.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct DenySet {
    nodes: HashMap<[u8; 16], RevocationCore>,
    tokens_of: HashMap<GrantId, OrdSet<[u8; 16]>>,
}

impl DenySet {
    pub(crate) fn put(&mut self, core: RevocationCore) {
        self.remove(core.node);
        if let Some(client) = core.client {
            self.tokens_of.entry(client).or_default().insert(core.node);
        }
        self.nodes.insert(core.node, core);
    }

    pub(crate) fn remove(&mut self, node: [u8; 16]) {
        let Some(client) = self.nodes.remove(&node).and_then(|core| core.client) else {
            return;
        };
        let left = self
            .tokens_of
            .get(&client)
            .map(|nodes| nodes.without(&node));
        match left.filter(|left| !left.is_empty()) {
            Some(left) => self.tokens_of.insert(client, left),
            None => self.tokens_of.remove(&client),
        };
    }

    pub(crate) fn get(&self, node: [u8; 16]) -> Option<&RevocationCore> {
        self.nodes.get(&node)
    }
    pub(crate) fn iter(&self) -> impl Iterator<Item = &RevocationCore> {
        self.nodes.values()
    }
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
    pub(crate) fn of_client(&self, client: GrantId) -> impl Iterator<Item = &RevocationCore> {
        let nodes = self.tokens_of.get(&client).into_iter().flatten();
        nodes.filter_map(|node| self.nodes.get(node))
    }
    pub(crate) fn count_of_client(&self, client: GrantId) -> usize {
        self.tokens_of.get(&client).map_or(0, OrdSet::len)
    }

    /// Revocations whose end lies a margin behind, oldest end first. The end of a grant stays for as long as
    /// something in this state still carries it: what decides that must not be a clock. A clock that jumped may
    /// forget too early all the same; whoever forgets leaves a mark at the highest revision among what is
    /// forgotten, and that mark denies the same tokens for good.
    pub(crate) fn forgettable(
        &self,
        state: &OrgState,
        now: Timestamp,
        limit: usize,
    ) -> Vec<RevocationCore> {
        let over = |core: &&RevocationCore| core.until.plus(limits::CLOCK_SKEW).plus(MARGIN) <= now;
        let mut due: Vec<RevocationCore> = self.nodes.values().filter(over).copied().collect();
        if due.is_empty() {
            return due;
        }
        let carried = carried(state);
        due.retain(|core| core.rev > 0 && (core.mark || !carried.contains(&core.node)));
        due.sort_unstable_by_key(|core| (core.until, core.node));
        due.truncate(limit);
        due
    }
}

/// The grants that something which may still act or issue stands under.
fn carried(state: &OrgState) -> HashSet<[u8; 16]> {
    let runs = state.runs().flat_map(|run| run.lineage.iter());
    let tokens = state.tokens().filter(|token| !token.revoked);
    let tokens = tokens.flat_map(|token| token.above.iter().chain([token.grant]));
    let agents = state
        .agents()
        .filter(|agent| agent.state != AgentState::Revoked);
    let secrets = state
        .secrets()
        .filter(|secret| secret.state != SecretState::Revoked);
    runs.chain(tokens)
        .chain(agents.map(|agent| agent.grant))
        .chain(secrets.map(|secret| secret.grant))
        .map(RevocationCore::grant_node)
        .collect()
}
