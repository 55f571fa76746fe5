//! What an operation says of itself for the log: type, verb, resource, before and after. Never a secret.

use crate::redact::redact;
use domain::{
    Principal,
    entry::{After, Details, Issued},
};
use kernel::{Id, Kind};
use serde::Serialize;
use std::collections::BTreeMap;

/// What sort of act it is; the lifecycle follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Something came to be.
    Create,
    /// Something was looked at or asked.
    Read,
    /// Something changed.
    Update,
    /// Something ended.
    Delete,
}

impl Verb {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Read => "read",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
    pub(crate) const fn lifecycle(self) -> &'static str {
        match self {
            Self::Create => "provision",
            Self::Read => "access",
            Self::Update => "modify",
            Self::Delete => "deprovision",
        }
    }
}

/// An act, before actor and context are filled in.
#[derive(Clone, Debug)]
pub struct Act {
    pub(crate) kind: &'static str,
    pub(crate) verb: Verb,
    pub(crate) lifecycle: Option<&'static str>,
    pub(crate) resource: Option<String>,
    pub(crate) resource_type: Option<&'static str>,
    pub(crate) details: Details,
    pub(crate) actor: Option<Principal>,
    pub(crate) run: Option<String>,
    pub(crate) trust: Option<u8>,
    pub(crate) chain: Vec<String>,
    pub(crate) claimed: BTreeMap<String, serde_json::Value>,
    pub(crate) failure: Option<(String, String)>,
    pub(crate) authentication: Vec<String>,
}

impl Act {
    /// An act of type `noun.past-verb`.
    pub fn new(kind: &'static str, verb: Verb) -> Self {
        Self {
            kind,
            verb,
            lifecycle: None,
            resource: None,
            resource_type: None,
            details: Details::default(),
            actor: None,
            run: None,
            trust: None,
            chain: Vec::new(),
            claimed: BTreeMap::new(),
            failure: None,
            authentication: Vec::new(),
        }
    }
    /// Something came to be.
    pub fn create(kind: &'static str) -> Self {
        Self::new(kind, Verb::Create)
    }
    /// Something changed.
    pub fn update(kind: &'static str) -> Self {
        Self::new(kind, Verb::Update)
    }
    /// Something ended.
    pub fn delete(kind: &'static str) -> Self {
        Self::new(kind, Verb::Delete)
    }
    /// Something was looked at or asked.
    pub fn read(kind: &'static str) -> Self {
        Self::new(kind, Verb::Read)
    }
    /// What it was done to.
    #[must_use]
    pub fn on<K: Kind>(mut self, id: Id<K>) -> Self {
        self.resource = Some(id.to_string());
        self.resource_type = Some(K::NOUN);
        self
    }
    /// What it was done to, when it has no identifier of a kind.
    #[must_use]
    pub fn on_text(mut self, resource_type: &'static str, resource: impl Into<String>) -> Self {
        self.resource = Some(resource.into());
        self.resource_type = Some(resource_type);
        self
    }
    /// The state after; names of people and free text do not belong here.
    #[must_use]
    pub fn after(mut self, after: impl Serialize) -> Self {
        self.details.after = serde_json::to_value(after).ok().map(After::Value);
        self
    }
    /// The token that was issued.
    #[must_use]
    pub fn issued(mut self, issued: Issued) -> Self {
        self.details.after = Some(After::Issued(Box::new(issued)));
        self
    }
    /// The state before.
    #[must_use]
    pub fn before(mut self, before: impl Serialize) -> Self {
        self.details.before = serde_json::to_value(before).ok();
        self
    }
    /// Who did it, when it is not the caller.
    #[must_use]
    pub fn by(mut self, actor: Principal, method: &str) -> Self {
        self.actor = Some(actor);
        self.authentication = vec![method.into()];
        self
    }
    /// The run it belongs to.
    #[must_use]
    pub fn in_run(mut self, run: Option<Id<kernel::Run>>) -> Self {
        self.run = run.map(|run| run.to_string());
        self
    }
    /// The agent's trust at that moment.
    #[must_use]
    pub const fn at_trust(mut self, trust: u8) -> Self {
        self.trust = Some(trust);
        self
    }
    /// From the agent back to the human it acts for.
    #[must_use]
    pub fn chain(mut self, chain: impl IntoIterator<Item = Principal>) -> Self {
        self.chain = chain
            .into_iter()
            .map(|principal| principal.to_string())
            .collect();
        self
    }
    /// What the caller said of itself, bounded; nothing relies on it. Sealed before it is stored.
    #[must_use]
    pub fn claimed(mut self, name: &str, text: Option<&str>) -> Self {
        if let Some(text) = text {
            let told = redact(text).unwrap_or_else(|| text.to_owned());
            self.claimed.insert(name.into(), told.into());
        }
        self
    }
    /// It ended in a refusal.
    #[must_use]
    pub fn failed(mut self, code: &str, detail: &str) -> Self {
        self.failure = Some((code.into(), detail.into()));
        self
    }
}
