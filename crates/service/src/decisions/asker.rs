//! Who asks for decisions, and about what they may ask: whoever holds the permission about everything, an agent about
//! itself, a connection about its own scopes. A credential is believed on the very view on which is decided.

use crate::{
    Caller, Error, Peer, Platform, Result, caller,
    oauth::{self, Basic, Client, ClientForm},
};
use authz::{
    Access,
    decide::{Reason, Who},
};
use domain::{ConnectionCore, Permission, Principal};
use kernel::{Code, limits};
use live::View;
use proto::oauth::ErrorName;
use std::sync::Arc;

/// What was presented.
#[derive(Clone)]
pub enum Credential {
    /// A bearer token, which was believed already.
    Caller(Box<Caller>),
    /// A client's id and secret.
    Client(Basic),
}

/// Somebody who asks, and may.
pub struct Asker {
    by: By,
}

enum By {
    Caller(Box<Caller>),
    Connection(Arc<ConnectionCore>),
}

impl Asker {
    /// Believes whoever asks. A caller who was believed on the view `before` is believed anew where anything moved
    /// since, or time passed.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub async fn of(
        platform: &Platform,
        (before, view): (&View, &View),
        peer: &Peer,
        credential: Credential,
    ) -> Result<Self> {
        let by = match credential {
            Credential::Caller(known) if is_same(before, view) && known.ends_at > view.now => {
                By::Caller(known)
            }
            Credential::Caller(known) => By::Caller(Box::new(caller::still(view, &known)?)),
            Credential::Client(basic) => {
                By::Connection(connection(platform, view, peer, &basic).await?)
            }
        };
        Ok(Self { by })
    }

    /// Refuses who may not have questions answered.
    ///
    /// # Errors
    /// `permission_denied`.
    pub fn may_evaluate(&self) -> Result<()> {
        match &self.by {
            By::Connection(_) => Ok(()),
            By::Caller(_) if self.reach(Permission::DecisionsEvaluate) != Access::None => Ok(()),
            By::Caller(_) => Err(Error::denied(Permission::DecisionsEvaluate.as_str())),
        }
    }
    /// Refuses who may not search.
    ///
    /// # Errors
    /// `permission_denied`.
    pub fn may_search(&self) -> Result<()> {
        self.require(Permission::DecisionsSearch)
    }
    /// Refuses who may not be told why.
    ///
    /// # Errors
    /// `permission_denied`.
    pub fn may_explain(&self) -> Result<()> {
        self.require(Permission::DecisionsExplain)
    }

    fn require(&self, permission: Permission) -> Result<()> {
        match self.reach(permission) {
            Access::All => Ok(()),
            Access::Own | Access::None => Err(Error::denied(permission.as_str())),
        }
    }
    fn reach(&self, permission: Permission) -> Access {
        match &self.by {
            By::Caller(caller) => authz::access(&caller.held, permission),
            By::Connection(_) => Access::None,
        }
    }

    /// Refuses a question about somebody else than whoever asks, where that is all they may ask about. It says the
    /// same of somebody who does not exist.
    ///
    /// # Errors
    /// `permission_denied`.
    pub(super) fn may_ask_about(&self, who: Who) -> Result<()> {
        let By::Caller(caller) = &self.by else {
            return Ok(());
        };
        let itself = match who {
            Who::User(user) => caller.principal == Principal::User(user),
            Who::Agent(agent) => caller.principal == Principal::Agent(agent),
            Who::Unknown | Who::Stranger => false,
        };
        if itself || self.reach(Permission::DecisionsEvaluate) == Access::All {
            return Ok(());
        }
        let detail = "this credential may ask about its own subject alone";
        Err(Error::new(Code::PermissionDenied, detail))
    }

    /// Whether whoever asks may see this principal in what a search finds. Others than principals are in relations
    /// alone, which a search shows.
    pub(super) fn may_see(&self, who: Who) -> bool {
        let reads = |permission, principal| match self.reach(permission) {
            Access::All => true,
            Access::Own => {
                matches!(&self.by, By::Caller(caller) if caller.principal == principal)
            }
            Access::None => false,
        };
        match who {
            Who::User(user) => reads(Permission::UsersRead, Principal::User(user)),
            Who::Agent(agent) => reads(Permission::AgentsRead, Principal::Agent(agent)),
            Who::Unknown | Who::Stranger => true,
        }
    }

    /// What an explanation may show to whoever asks.
    pub(super) fn sees(&self) -> Sees {
        let all = |permission| self.reach(permission) == Access::All;
        Sees {
            users: all(Permission::UsersRead),
            agents: all(Permission::AgentsRead),
            roles: all(Permission::RolesRead),
            relations: all(Permission::RelationsRead),
        }
    }

    /// The connection, when it is one that asks.
    pub(super) fn connection(&self) -> Option<&ConnectionCore> {
        match &self.by {
            By::Connection(connection) => Some(connection),
            By::Caller(_) => None,
        }
    }
    /// The run, when it is an agent that asks within one.
    pub(super) const fn run(&self) -> Option<kernel::Id<kernel::Run>> {
        match &self.by {
            By::Caller(caller) => caller.run,
            By::Connection(_) => None,
        }
    }
    /// Whoever asks, and by what sort of credential.
    pub(super) fn principal(&self) -> (Principal, &'static str) {
        let principal = match &self.by {
            By::Caller(caller) => caller.principal,
            By::Connection(connection) => Principal::Connection(connection.id),
        };
        (principal, self.kind().as_str())
    }
    /// What sort of caller it is, for figures.
    pub(super) const fn kind(&self) -> Kind {
        match &self.by {
            By::Connection(_) => Kind::Connection,
            By::Caller(caller) if matches!(caller.principal, Principal::Agent(_)) => Kind::Agent,
            By::Caller(_) => Kind::ApiToken,
        }
    }
}

/// What somebody may read of everything there is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sees {
    pub users: bool,
    pub agents: bool,
    pub roles: bool,
    pub relations: bool,
}

impl Sees {
    /// Whether a reason may be told of a subject of this type.
    pub(super) fn may_hear(self, reason: Reason, of: &str) -> bool {
        let subject = match of {
            "agent" => self.agents,
            _ => self.users,
        };
        match reason {
            Reason::SubjectUnknown | Reason::SubjectInactive => subject,
            Reason::OwnerInactive | Reason::OwnerDenied => self.agents && self.users,
            Reason::KillSwitch | Reason::TrustTooLow | Reason::RunNotOpen => self.agents,
            Reason::Role
            | Reason::Relation
            | Reason::NoPermit
            | Reason::MissingContext
            | Reason::TooComplex
            | Reason::Forbidden
            | Reason::OrganizationInactive => true,
        }
    }
}

/// Whether two views are of one state, at moments that are next to each other.
fn is_same(before: &View, view: &View) -> bool {
    before.revision == view.revision
        && before.instance_revision == view.instance_revision
        && view.now.since(before.now) <= limits::STALENESS
}

/// Sorts of callers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ApiToken,
    Agent,
    Connection,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ApiToken => "api_token",
            Self::Agent => "access_token",
            Self::Connection => "client_secret",
        }
    }
}

async fn connection(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    basic: &Basic,
) -> Result<Arc<ConnectionCore>> {
    let form = ClientForm::default();
    match oauth::authenticate(platform, view, peer, Some(basic), &form).await {
        Ok(Client::Connection(connection)) if connection.introspection => Ok(connection),
        Ok(_) => Err(unknown()),
        Err(error) if error.name == ErrorName::InvalidClient => Err(unknown()),
        Err(error) => Err(Error::new(
            error.code.unwrap_or(Code::InvalidInput),
            error.description,
        )),
    }
}

fn unknown() -> Error {
    let detail = "present a valid API token or control token as `Authorization: Bearer`, or a connection's own \
        credential as `Basic`";
    Error::new(Code::Unauthenticated, detail)
}
