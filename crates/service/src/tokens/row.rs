//! The rows of an API token: making one with its secret, writing it with the claim by which it is found, ending it
//! with everything that was started by it.

use crate::{
    CREDENTIAL_CLAIM, Cx, Error, Result,
    operation::Target,
    revocation::{self, KEPT_AFTER_END},
    secret::{self, Minted, SecretKind},
};
use domain::{
    ApiToken, ApiTokenCore, GrantId, Lineage, Permission, Permissions, Principal, RevocationCore,
    Scope, Stream,
};
use kernel::{Id, Timestamp, Token, User, limits};
use live::View;
use store::{Refusal, Tx};

/// What a new token is to be.
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) user: Id<User>,
    pub(super) permissions: Permissions,
    pub(super) scopes: Vec<Scope>,
    pub(super) networks: Vec<String>,
    pub(super) above: Lineage,
    pub(super) expires_at: Timestamp,
}

/// The grants of the credential that makes a token, so that what a stolen token made ends with it. A bootstrap
/// token ends within a day by design and leaves none.
///
/// # Errors
/// When there is no caller.
pub(super) fn made_by(cx: &Cx) -> Result<Lineage> {
    let caller = cx.caller()?;
    Ok(if caller.sudo {
        Lineage::default()
    } else {
        caller.lineage.clone()
    })
}

/// A token with its secret, not yet written.
///
/// # Errors
/// When the context has no organization.
pub(super) fn make(cx: &Cx, new: NewToken) -> Result<(ApiToken, Minted)> {
    let (platform, stream, id) = (&cx.platform, cx.stream()?, cx.id::<Token>());
    let minted = secret::mint(
        &platform.keyring,
        &*platform.entropy,
        SecretKind::ApiToken,
        stream,
        id.bytes(),
    );
    let core = ApiTokenCore {
        id,
        key_id: minted.key_id.clone(),
        hash: minted.hash.clone(),
        user: new.user,
        permissions: new.permissions,
        scopes: new.scopes,
        networks: new.networks,
        grant: GrantId::generate(&*platform.entropy),
        expires_at: new.expires_at,
        revoked: false,
        above: new.above,
        bootstrap: false,
    };
    Ok((
        ApiToken {
            core,
            name: new.name,
            created_at: platform.clock.now(),
            revoked_at: None,
        },
        minted,
    ))
}

/// Writes a token and the claim by which paths without an organization find it.
pub(super) fn write(tx: &mut Tx<'_>, stream: Stream, token: &ApiToken) -> Result<(), Refusal> {
    tx.claim(
        Stream::INSTANCE,
        CREDENTIAL_CLAIM,
        &token.core.key_id,
        stream.bytes(),
    )?;
    tx.insert(stream, token)
}

/// Ends a token and its grant: every run and token below is dead with the same write (REV-1).
pub(crate) fn end(
    tx: &mut Tx<'_>,
    stream: Stream,
    mut token: ApiToken,
) -> Result<ApiToken, Refusal> {
    let now = tx.now();
    token.core.revoked = true;
    token.revoked_at = Some(now);
    tx.put(stream, &token)?;
    let until = token
        .core
        .expires_at
        .plus(limits::RUN_DEADLINE)
        .plus(KEPT_AFTER_END);
    let core = RevocationCore::of(RevocationCore::grant_node(token.core.grant), until);
    revocation::write(tx, stream, core)?;
    Ok(token)
}

/// A token of this organization.
///
/// # Errors
/// `not_found`.
pub(super) fn known(view: &View, id: Id<Token>) -> Result<&ApiTokenCore> {
    view.org
        .token(id)
        .map(AsRef::as_ref)
        .ok_or_else(|| Error::not_found("API token"))
}

/// A token of this organization, for the check of permission.
///
/// # Errors
/// `not_found`.
pub(super) fn target(view: &View, id: Id<Token>) -> Result<Target> {
    let owners = vec![Principal::User(known(view, id)?.user)];
    Ok(Target::Thing {
        noun: "API token",
        owners,
        read: Permission::TokensRead,
    })
}
