//! The one trait through which decisions look at the world. An implementation answers everything from a
//! single moment of a single organization; it never reads a clock and never waits.

use crate::relation::{Plan, Tuples};
use domain::{
    AgentCore, ApiTokenCore, ConnectionCore, Held, KillTarget, MembershipState, RunCore,
    SettingsCore, trust::TrustEventCore,
};
use kernel::{Agent, Connection, Id, Run, Timestamp, Token, User};

/// What decisions may ask about one organization at one revision.
pub trait Facts {
    /// Whether the organization is in use.
    fn organization_active(&self) -> bool;
    /// A person's membership.
    fn membership(&self, user: Id<User>) -> Option<MembershipState>;
    /// Every person with a membership.
    fn members(&self) -> impl Iterator<Item = Id<User>>;
    /// What each role of a person gives, whether it makes an owner, and when it ends.
    fn roles(&self, user: Id<User>) -> impl Iterator<Item = (&Held, bool, Option<Timestamp>)>;
    /// An agent.
    fn agent(&self, agent: Id<Agent>) -> Option<&AgentCore>;
    /// When the agent's present valid credential began to count.
    fn credential_since(&self, agent: &AgentCore, now: Timestamp) -> Option<Timestamp>;
    /// A connection.
    fn connection(&self, connection: Id<Connection>) -> Option<&ConnectionCore>;
    /// The connections that declare the scope with this text, oldest first.
    fn declaring(&self, scope: &str) -> impl Iterator<Item = &ConnectionCore>;
    /// The tuples of the organization's own relation store and the latest version of its model, where both are there.
    fn relations(&self) -> Option<(&Tuples, &Plan)>;
    /// A run that has not ended.
    fn run(&self, run: Id<Run>) -> Option<&RunCore>;
    /// An API token.
    fn api_token(&self, token: Id<Token>) -> Option<&ApiTokenCore>;
    /// What moved an agent's trust.
    fn trust_events(&self, agent: Id<Agent>) -> &[TrustEventCore];
    /// The security settings.
    fn settings(&self) -> &SettingsCore;
    /// Whether this kill switch is set.
    fn killed(&self, target: KillTarget) -> bool;
    /// Tokens of this node that were decided on an earlier revision than the answer are dead: zero when nothing of
    /// it is revoked, the largest number when the node is revoked itself.
    fn issued_before(&self, node: [u8; 16]) -> u64;
    /// Whether a grant or a token is revoked.
    fn revoked(&self, node: [u8; 16]) -> bool {
        self.issued_before(node) == u64::MAX
    }
}
