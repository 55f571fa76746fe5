//! A view: one moment of the instance and of one organization. Everything a request decides, it decides here.

use crate::{Compiled, InstanceState, OrgState, Relations, Revision};
use authz::{
    Facts,
    relation::{Plan, Tuples},
};
use domain::{
    AgentCore, AgentState, ApiTokenCore, AuthMethod, Builtin, ConnectionCore, Held, KillTarget,
    MembershipState, OrganizationCore, OrganizationState, RevocationCore, RunCore, SecretState,
    SettingsCore, trust::TrustEventCore,
};
use kernel::{Agent, Connection, Id, Org, RelationStore, Run, Timestamp, Token, User};
use std::sync::Arc;

/// One moment of an organization.
#[derive(Clone, Debug)]
pub struct View {
    /// The instance.
    pub instance: Arc<InstanceState>,
    /// The organization's own state.
    pub org: Arc<OrgState>,
    /// The organization itself.
    pub organization: Arc<OrganizationCore>,
    /// The revision of the organization's state.
    pub revision: Revision,
    /// The revision of the instance's state.
    pub instance_revision: Revision,
    /// The moment for which questions are answered.
    pub now: Timestamp,
}

impl View {
    /// What the organization's own relation store holds, with the latest version of its model; none while it is not
    /// loaded.
    fn own_relations(&self) -> Option<(&Relations, &Compiled)> {
        let relations = self.org.relations(self.own_store()?)?;
        let latest = relations.compiled(relations.latest()?)?;
        Some((relations, latest))
    }
    /// The organization's own relation store, if it has one.
    pub fn own_store(&self) -> Option<Id<RelationStore>> {
        let mut stores = self.org.relation_stores();
        stores.find(|store| store.main).map(|store| store.id)
    }
    /// The latest version of the model of the organization's own relation store.
    pub fn relation_model(&self) -> Option<&Compiled> {
        self.own_relations().map(|(_, latest)| latest)
    }
    /// The organization's id.
    pub fn id(&self) -> Id<Org> {
        self.organization.id
    }
}

impl Facts for View {
    fn organization_active(&self) -> bool {
        self.organization.state == OrganizationState::Active
    }
    fn membership(&self, user: Id<User>) -> Option<MembershipState> {
        self.org.members.get(&user).copied()
    }
    fn members(&self) -> impl Iterator<Item = Id<User>> {
        self.org.members.keys().copied()
    }
    fn roles(&self, user: Id<User>) -> impl Iterator<Item = (&Held, bool, Option<Timestamp>)> {
        self.org.assignments_of(user).filter_map(|given| {
            let role = self.org.roles.get(&given.role)?;
            Some((
                &role.held,
                role.core.builtin == Some(Builtin::Owner),
                given.expires_at,
            ))
        })
    }
    fn agent(&self, agent: Id<Agent>) -> Option<&AgentCore> {
        self.org.agents.get(&agent).map(AsRef::as_ref)
    }
    fn credential_since(&self, agent: &AgentCore, now: Timestamp) -> Option<Timestamp> {
        if agent.state == AgentState::Revoked {
            return None;
        }
        if agent.method == AuthMethod::PrivateKeyJwt {
            return (!agent.keys.is_empty()).then_some(agent.credential_since);
        }
        let secrets = self.org.secrets_of(agent.id.bytes());
        let valid = secrets
            .filter(|s| s.state != SecretState::Revoked && s.not_after.is_none_or(|end| end > now));
        valid.map(|secret| secret.created_at).max()
    }
    fn connection(&self, connection: Id<Connection>) -> Option<&ConnectionCore> {
        self.org.connections.get(&connection).map(AsRef::as_ref)
    }
    fn declaring(&self, scope: &str) -> impl Iterator<Item = &ConnectionCore> {
        let declaring = self.org.declared.get(scope).into_iter().flatten();
        declaring.filter_map(|id| self.connection(*id))
    }
    fn relations(&self) -> Option<(&Tuples, &Plan)> {
        let (relations, latest) = self.own_relations()?;
        Some((relations.tuples(), &latest.plan))
    }
    fn run(&self, run: Id<Run>) -> Option<&RunCore> {
        self.org.runs.get(&run).map(AsRef::as_ref)
    }
    fn api_token(&self, token: Id<Token>) -> Option<&ApiTokenCore> {
        self.org.tokens.get(&token).map(AsRef::as_ref)
    }
    fn trust_events(&self, agent: Id<Agent>) -> &[TrustEventCore] {
        self.org
            .trust
            .get(&agent)
            .map_or(&[], |events| events.as_slice())
    }
    fn settings(&self) -> &SettingsCore {
        &self.org.settings
    }
    fn killed(&self, target: KillTarget) -> bool {
        match target {
            KillTarget::Instance => self.instance.killed(),
            _ => self.org.switch(target),
        }
    }
    fn issued_before(&self, node: [u8; 16]) -> u64 {
        self.org
            .revocation(node)
            .map_or(0, RevocationCore::issued_before)
    }
}
