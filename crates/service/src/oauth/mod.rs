//! The authorization server: client authentication, the one function that mints tokens, introspection,
//! revocation, metadata and keys. HTTP stays outside.

mod claims;
mod client;
mod introspect;
mod keys;
mod metadata;
mod mint;
mod revoke;
mod token;
mod verify;

pub use claims::Claims;
pub(crate) use client::authenticate;
pub use client::{Basic, Client, ClientForm};
pub use introspect::{IntrospectRequest, introspect};
pub use keys::{KeyCache, new_signing_key, open_log_key, overlap_end, published, rotate_due};
pub use metadata::{jwks, metadata};
pub(crate) use mint::record_decided;
pub use mint::{Mint, MintedToken, issue, mint};
pub use revoke::{RevokeRequest, revoke};
pub use token::{TokenRequest, token};
pub use verify::{Genuine, Signatures, Verified, verify, verify_control};

use crate::redact::redact;
use kernel::Code;
use proto::oauth::ErrorName;
use std::borrow::Cow;

/// A refusal of a protocol endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{description}")]
pub struct OAuthError {
    /// The registered name.
    pub name: ErrorName,
    /// What happened and what to do.
    pub description: Cow<'static, str>,
    /// The stable code of what was refused for another reason than the protocol's.
    pub code: Option<Code>,
    pub(crate) moved: bool,
}

impl OAuthError {
    /// A refusal with this name. A credential that somebody put in the wrong place is not repeated.
    pub fn new(name: ErrorName, description: impl Into<Cow<'static, str>>) -> Self {
        let description = description.into();
        Self {
            name,
            description: redact(&description).map_or(description, Cow::Owned),
            code: None,
            moved: false,
        }
    }
    pub(crate) fn invalid_client() -> Self {
        Self::new(
            ErrorName::InvalidClient,
            "the client is unknown here or did not authenticate",
        )
    }
}

impl From<crate::Error> for OAuthError {
    fn from(error: crate::Error) -> Self {
        use Code as C;
        let name = match error.code {
            C::Internal
            | C::Overloaded
            | C::StaleState
            | C::StorageFull
            | C::StorageUnavailable
            | C::ConcurrentChange
            | C::OrganizationBusy
            | C::LimitReached => ErrorName::TemporarilyUnavailable,
            C::Unauthenticated | C::NotFound => ErrorName::InvalidClient,
            C::PermissionDenied => ErrorName::AccessDenied,
            _ => ErrorName::InvalidRequest,
        };
        Self {
            name,
            description: error.detail,
            code: Some(error.code),
            moved: error.moved,
        }
    }
}
