//! The instance's state: organizations by id and slug, who administers it, and the switch that stops every agent.

use domain::{Change, KillTarget, OrganizationCore, SigningKeyCore};
use imbl::HashMap;
use kernel::{Id, Org, User};
use std::sync::Arc;

/// What belongs to no organization.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InstanceState {
    organizations: HashMap<Id<Org>, Arc<OrganizationCore>>,
    slugs: HashMap<String, Id<Org>>,
    /// Of the people only those who administer the instance: a million others cost nothing here.
    administrators: HashMap<Id<User>, ()>,
    keys: HashMap<[u8; 16], Arc<SigningKeyCore>>,
    killed: bool,
}

impl InstanceState {
    /// Takes one step. Changes of organizations' own streams have no meaning here and do nothing.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Organization(core) => {
                self.slugs.insert(core.slug.clone(), core.id);
                self.organizations.insert(core.id, Arc::new(core.clone()));
            }
            Change::Account(core) => {
                if core.instance_administrator {
                    self.administrators.insert(core.id, ());
                } else {
                    self.administrators.remove(&core.id);
                }
            }
            Change::SigningKey(core) => {
                self.keys
                    .insert(core.id.bytes(), Arc::new((**core).clone()));
            }
            Change::KillSwitch(core) if core.target == KillTarget::Instance => {
                self.killed = core.on
            }
            _ => {}
        }
    }

    /// An organization by slug or id text.
    pub fn find(&self, name: &str) -> Option<&Arc<OrganizationCore>> {
        let id = self
            .slugs
            .get(name)
            .copied()
            .or_else(|| name.parse().ok())?;
        self.organizations.get(&id)
    }
    /// An organization.
    pub fn organization(&self, org: Id<Org>) -> Option<&Arc<OrganizationCore>> {
        self.organizations.get(&org)
    }
    /// Every organization, in no order.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<OrganizationCore>> {
        self.organizations.values()
    }
    /// Whether this human administers the instance.
    pub fn administers(&self, user: Id<User>) -> bool {
        self.administrators.contains_key(&user)
    }
    /// The instance's own keys: those that sign its checkpoints.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<SigningKeyCore>> {
        self.keys.values()
    }
    /// Whether every agent of every organization is stopped.
    pub const fn killed(&self) -> bool {
        self.killed
    }
}
