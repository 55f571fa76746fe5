//! Who may follow a feed: a connection that introspects, by its own credential, or an API token with the permission to
//! introspect. The feed names opaque ids of the whole organization; an agent's own credential follows nothing.

use crate::{
    Caller, Error, Peer, Platform, Result, caller,
    oauth::{self, Basic, Client, ClientForm},
    secret::{self, SecretKind},
};
use authz::{Access, Facts};
use domain::{Holder, Permission, RevocationCore, SecretState};
use kernel::{Code, Connection, Id};
use live::View;

/// Somebody who may follow, with what must go on holding.
pub(super) enum Reader {
    /// A connection, by the secret with this key id.
    Connection(Id<Connection>, String),
    /// An API token.
    Token(Box<Caller>),
}

impl Reader {
    /// Believes a credential.
    ///
    /// # Errors
    /// `unauthenticated`, the same for every cause; `permission_denied` for one that may not follow.
    pub(super) async fn new(
        platform: &Platform,
        view: &View,
        peer: &Peer,
        basic: Option<&Basic>,
        bearer: Option<&str>,
    ) -> Result<Self> {
        let reader = match (basic, bearer) {
            (Some(basic), _) => {
                let form = ClientForm::default();
                let client = oauth::authenticate(platform, view, peer, Some(basic), &form).await;
                let key = secret::parse(SecretKind::Client, &basic.client_secret);
                match (client, key) {
                    (Ok(Client::Connection(connection)), Some(key)) => {
                        Self::Connection(connection.id, key.key_id.to_owned())
                    }
                    (Ok(Client::Agent { .. }), _) => return Err(refused()),
                    _ => return Err(Error::unauthenticated()),
                }
            }
            (None, Some(bearer)) => {
                let caller = caller::authenticate(platform, view, bearer, peer).await?;
                Self::Token(Box::new(caller))
            }
            (None, None) => return Err(Error::unauthenticated()),
        };
        if reader.stands(view) {
            Ok(reader)
        } else {
            Err(refused())
        }
    }

    /// Whether the credential is still good and still may follow.
    pub(super) fn stands(&self, view: &View) -> bool {
        match self {
            Self::Connection(id, key_id) => {
                let introspects = view.connection(*id).is_some_and(|core| core.introspection);
                let valid = view.org.secret(key_id).is_some_and(|secret| {
                    secret.holder == Holder::Connection(*id)
                        && secret.state != SecretState::Revoked
                        && secret.not_after.is_none_or(|end| end > view.now)
                        && !view.revoked(RevocationCore::grant_node(secret.grant))
                });
                introspects && valid
            }
            Self::Token(caller) => caller::still(view, caller).is_ok_and(|caller| {
                caller.agent().is_none()
                    && authz::access(&caller.held, Permission::TokensIntrospect) == Access::All
            }),
        }
    }
}

fn refused() -> Error {
    let text = "this needs a connection that introspects or the permission `tokens.introspect`";
    Error::new(Code::PermissionDenied, text)
}
