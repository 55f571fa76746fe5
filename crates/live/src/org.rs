//! One organization's state as persistent maps: a step shares everything it does not touch with the state
//! before it, so that a view taken earlier stays what it was. Ended runs are not kept: unknown means ended.

use crate::{Relations, deny::DenySet, relations::Unusable};
use domain::{
    AgentCore, ApiTokenCore, AssignmentCore, Builtin, Change, ConnectionCore, GrantId, Held,
    Holder, KillTarget, MembershipState, RelationStoreCore, RevocationCore, RoleCore, RunCore,
    Scope, SecretCore, SettingsCore, SigningKeyCore, trust::TrustEventCore,
};
use imbl::{HashMap, OrdMap, OrdSet};
use kernel::{Agent, Assignment, Connection, Id, RelationStore, Role, Run, Timestamp, Token, User};
use std::sync::Arc;

/// A role with what it gives, worked out once.
#[derive(Debug, PartialEq)]
pub(crate) struct LiveRole {
    pub core: RoleCore,
    pub held: Held,
}

/// What one organization's decisions read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrgState {
    pub(crate) members: OrdMap<Id<User>, MembershipState>,
    pub(crate) roles: HashMap<Id<Role>, Arc<LiveRole>>,
    pub(crate) assignments: HashMap<Id<Assignment>, Arc<AssignmentCore>>,
    pub(crate) assigned: HashMap<Id<User>, OrdSet<Id<Assignment>>>,
    pub(crate) agents: HashMap<Id<Agent>, Arc<AgentCore>>,
    pub(crate) secrets: HashMap<String, Arc<SecretCore>>,
    pub(crate) secrets_of: HashMap<[u8; 16], OrdSet<String>>,
    pub(crate) tokens: HashMap<Id<Token>, Arc<ApiTokenCore>>,
    pub(crate) token_keys: HashMap<String, Id<Token>>,
    pub(crate) connections: OrdMap<Id<Connection>, Arc<ConnectionCore>>,
    pub(crate) audiences: HashMap<String, Id<Connection>>,
    /// By scope: the connections that declare it.
    pub(crate) declared: OrdMap<Scope, OrdSet<Id<Connection>>>,
    pub(crate) runs: HashMap<Id<Run>, Arc<RunCore>>,
    pub(crate) trust: HashMap<Id<Agent>, Arc<Vec<TrustEventCore>>>,
    pub(crate) killed: HashMap<[u8; 16], ()>,
    pub(crate) settings: Arc<SettingsCore>,
    pub(crate) keys: OrdMap<[u8; 16], Arc<SigningKeyCore>>,
    pub(crate) denied: DenySet,
    pub(crate) stores: OrdMap<Id<RelationStore>, RelationStoreCore>,
    /// What is loaded of the stores.
    pub(crate) relations: HashMap<Id<RelationStore>, Arc<Relations>>,
}

impl OrgState {
    /// Takes one step. Changes of the instance's stream have no meaning here and do nothing.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Membership(core) => {
                self.members.insert(core.user, core.state);
            }
            Change::Role(core) => {
                let role = LiveRole {
                    held: core.held(),
                    core: core.clone(),
                };
                self.roles.insert(core.id, Arc::new(role));
            }
            Change::Assignment(core) => self.assign(core),
            Change::AssignmentRemoved(id) => self.unassign(*id),
            Change::Agent(core) => {
                self.agents.insert(core.id, Arc::new(core.clone()));
            }
            Change::Secret(core) => self.put_secret(core),
            Change::ApiToken(core) => {
                self.token_keys.insert(core.key_id.clone(), core.id);
                self.tokens.insert(core.id, Arc::new((**core).clone()));
            }
            Change::Connection(core) => self.put_connection(core),
            Change::Run(core) => self.put_run(core),
            Change::Trust(core) => self.put_trust(core),
            Change::KillSwitch(core) => {
                let key = core.target.key();
                if core.on {
                    self.killed.insert(key, ())
                } else {
                    self.killed.remove(&key)
                };
            }
            Change::Settings(core) => self.settings = Arc::new(core.clone()),
            Change::SigningKey(core) => {
                self.keys
                    .insert(core.id.bytes(), Arc::new((**core).clone()));
            }
            Change::Revoked(core) => {
                self.denied.put(*core);
            }
            Change::RevocationRemoved(node) => self.denied.remove(*node),
            Change::RelationStore(core) => self.put_store(core),
            Change::AuthorizationModel(core) => {
                self.relate(core.store, |relations| relations.put_model(core));
            }
            Change::Relations(core) => self.relate(core.store, |relations| relations.apply(core)),
            Change::Organization(_) | Change::Account(_) => {}
        }
    }

    fn put_store(&mut self, core: &RelationStoreCore) {
        if core.deleted {
            self.stores.remove(&core.id);
            self.relations.remove(&core.id);
        } else {
            self.stores.insert(core.id, *core);
        }
    }

    /// Moves a store that is loaded. One that cannot be moved is loaded no more: whoever asks it is told why.
    fn relate(
        &mut self,
        store: Id<RelationStore>,
        step: impl FnOnce(&mut Relations) -> Result<(), Unusable>,
    ) {
        let Some(relations) = self.relations.get(&store) else {
            return;
        };
        let mut next = (**relations).clone();
        match step(&mut next) {
            Ok(()) => drop(self.relations.insert(store, Arc::new(next))),
            Err(_) => drop(self.relations.remove(&store)),
        }
    }

    fn assign(&mut self, core: &AssignmentCore) {
        self.assignments.insert(core.id, Arc::new(core.clone()));
        self.assigned
            .entry(core.subject)
            .or_default()
            .insert(core.id);
    }

    fn unassign(&mut self, id: Id<Assignment>) {
        let Some(gone) = self.assignments.remove(&id) else {
            return;
        };
        let left = self
            .assigned
            .get(&gone.subject)
            .map(|ids| ids.without(&id))
            .unwrap_or_default();
        if left.is_empty() {
            self.assigned.remove(&gone.subject);
        } else {
            self.assigned.insert(gone.subject, left);
        }
    }

    fn put_secret(&mut self, core: &SecretCore) {
        let holder = match core.holder {
            Holder::Agent(id) => id.bytes(),
            Holder::Connection(id) => id.bytes(),
        };
        self.secrets_of
            .entry(holder)
            .or_default()
            .insert(core.key_id.clone());
        self.secrets
            .insert(core.key_id.clone(), Arc::new(core.clone()));
    }

    fn put_connection(&mut self, core: &ConnectionCore) {
        if let Some(before) = self.connections.get(&core.id).cloned() {
            self.audiences.remove(&before.audience);
            before
                .scopes
                .iter()
                .for_each(|scope| self.withdraw(scope, core.id));
        }
        for scope in &core.scopes {
            self.declared
                .entry(scope.clone())
                .or_default()
                .insert(core.id);
        }
        self.audiences.insert(core.audience.clone(), core.id);
        self.connections.insert(core.id, Arc::new(core.clone()));
    }

    fn withdraw(&mut self, scope: &Scope, connection: Id<Connection>) {
        let left = self.declared.get(scope).map(|ids| ids.without(&connection));
        match left.filter(|left| !left.is_empty()) {
            Some(left) => self.declared.insert(scope.clone(), left),
            None => self.declared.remove(scope),
        };
    }

    fn put_run(&mut self, core: &RunCore) {
        if core.state.is_live() {
            self.runs.insert(core.id, Arc::new(core.clone()));
        } else {
            self.runs.remove(&core.id);
        }
    }

    /// Events are kept in the order of their ids, so that the order of arrival leaves no trace.
    fn put_trust(&mut self, core: &TrustEventCore) {
        let mut events = self
            .trust
            .get(&core.agent)
            .map(|known| (**known).clone())
            .unwrap_or_default();
        match events.binary_search_by_key(&core.id, |event| event.id) {
            Ok(_) => return,
            Err(place) => events.insert(place, core.clone()),
        }
        self.trust.insert(core.agent, Arc::new(events));
    }

    /// Everybody with a membership, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = Id<User>> {
        self.members.keys().copied()
    }
    /// A role by id.
    pub fn role(&self, id: Id<Role>) -> Option<&RoleCore> {
        self.roles.get(&id).map(|role| &role.core)
    }
    /// The role that follows this rule.
    pub fn builtin(&self, builtin: Builtin) -> Option<&RoleCore> {
        self.roles
            .values()
            .map(|role| &role.core)
            .find(|core| core.builtin == Some(builtin))
    }
    /// An assignment.
    pub fn assignment(&self, id: Id<Assignment>) -> Option<&Arc<AssignmentCore>> {
        self.assignments.get(&id)
    }
    /// A person's assignments.
    pub fn assignments_of(&self, user: Id<User>) -> impl Iterator<Item = &Arc<AssignmentCore>> {
        self.assigned
            .get(&user)
            .into_iter()
            .flatten()
            .filter_map(|id| self.assignments.get(id))
    }
    /// Every agent, in no order.
    pub fn agents(&self) -> impl Iterator<Item = &Arc<AgentCore>> {
        self.agents.values()
    }
    /// An agent.
    pub fn agent_core(&self, id: Id<Agent>) -> Option<&Arc<AgentCore>> {
        self.agents.get(&id)
    }
    /// A secret by the eight characters of its key id.
    pub fn secret(&self, key_id: &str) -> Option<&Arc<SecretCore>> {
        self.secrets.get(key_id)
    }
    /// Every secret, in no order.
    pub fn secrets(&self) -> impl Iterator<Item = &Arc<SecretCore>> {
        self.secrets.values()
    }
    /// The secrets of an agent or a connection.
    pub fn secrets_of(&self, holder: [u8; 16]) -> impl Iterator<Item = &Arc<SecretCore>> {
        self.secrets_of
            .get(&holder)
            .into_iter()
            .flatten()
            .filter_map(|key| self.secrets.get(key))
    }
    /// An API token by the eight characters of its key id.
    pub fn token_by_key(&self, key_id: &str) -> Option<&Arc<ApiTokenCore>> {
        self.token_keys
            .get(key_id)
            .and_then(|id| self.tokens.get(id))
    }
    /// An API token.
    pub fn token(&self, id: Id<Token>) -> Option<&Arc<ApiTokenCore>> {
        self.tokens.get(&id)
    }
    /// Every API token, in no order.
    pub fn tokens(&self) -> impl Iterator<Item = &Arc<ApiTokenCore>> {
        self.tokens.values()
    }
    /// A connection.
    pub fn connection_core(&self, id: Id<Connection>) -> Option<&Arc<ConnectionCore>> {
        self.connections.get(&id)
    }
    /// A connection by its canonical audience.
    pub fn connection_by_audience(&self, audience: &str) -> Option<&Arc<ConnectionCore>> {
        self.audiences
            .get(audience)
            .and_then(|id| self.connections.get(id))
    }
    /// Every connection, oldest first.
    pub fn connections(&self) -> impl Iterator<Item = &Arc<ConnectionCore>> {
        self.connections.values()
    }
    /// The scopes that connections declare, in order.
    pub fn declared_scopes(&self) -> impl Iterator<Item = &Scope> {
        self.declared.keys()
    }
    /// A run that has not ended.
    pub fn run_core(&self, id: Id<Run>) -> Option<&Arc<RunCore>> {
        self.runs.get(&id)
    }
    /// Every run that has not ended, in no order.
    pub fn runs(&self) -> impl Iterator<Item = &Arc<RunCore>> {
        self.runs.values()
    }
    /// Every signing key, oldest first.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<SigningKeyCore>> {
        self.keys.values()
    }
    /// Whether this kill switch of the organization is set.
    pub fn switch(&self, target: KillTarget) -> bool {
        self.killed.contains_key(&target.key())
    }
    /// What is revoked at a node.
    pub fn revocation(&self, node: [u8; 16]) -> Option<&RevocationCore> {
        self.denied.get(node)
    }
    /// Everything that is revoked and not forgotten, in no order.
    pub fn revocations(&self) -> impl Iterator<Item = &RevocationCore> {
        self.denied.iter()
    }
    /// How many revocations are held.
    pub fn revocation_count(&self) -> usize {
        self.denied.len()
    }
    /// The tokens of an agent that were revoked one by one, by the agent's grant.
    pub fn revoked_tokens(&self, client: GrantId) -> impl Iterator<Item = &RevocationCore> {
        self.denied.of_client(client)
    }
    /// How many there are of those.
    pub fn revoked_token_count(&self, client: GrantId) -> usize {
        self.denied.count_of_client(client)
    }
    /// At most `limit` revocations that deny nothing any more at `now`, oldest end first. Whoever forgets them
    /// leaves a mark at the highest revision among them, in the same commit.
    pub fn forgettable(&self, now: Timestamp, limit: usize) -> Vec<RevocationCore> {
        self.denied.forgettable(self, now, limit)
    }
    /// A relation store that was not deleted.
    pub fn relation_store(&self, id: Id<RelationStore>) -> Option<&RelationStoreCore> {
        self.stores.get(&id)
    }
    /// Every relation store that was not deleted, oldest first.
    pub fn relation_stores(&self) -> impl ExactSizeIterator<Item = &RelationStoreCore> {
        self.stores.values()
    }
    /// What a relation store holds, if it is loaded.
    pub fn relations(&self, id: Id<RelationStore>) -> Option<&Arc<Relations>> {
        self.relations.get(&id)
    }
    /// The security settings.
    pub fn settings_core(&self) -> &SettingsCore {
        &self.settings
    }
}
