//! The one function that mints tokens (I6). It is given what the hinge allowed, writes the claims, signs or seals
//! them, and makes the entry; nothing leaves before the entry is durable.

use super::Claims;
use crate::{Act, Caller, Error, Peer, Platform, Result, audit};
use authz::TokenKind;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::{
    AgentCore, ConnectionCore, Lineage, Principal, RunCore, Scope, Stream, TokenFormat,
    entry::{Issued, TOKEN_ISSUED},
    trust::Level,
};
use kernel::{Micros, Timestamp, limits};
use live::View;
use proto::oauth::TrustClaim;
use store::{CommitError, Decided, Once, Prepared, Record};

/// The prefix of opaque tokens.
pub const OPAQUE_PREFIX: &str = "cdx_";
/// What the claims of an opaque token are bound to.
pub(crate) const OPAQUE_BOUND: &[u8] = b"cardea opaque token 1";
/// The scope of a control-plane token.
pub const SELF_SCOPE: &str = "self";

/// What to mint, as the hinge allowed it.
#[derive(Clone, Debug)]
pub struct Mint<'a> {
    /// The agent.
    pub agent: &'a AgentCore,
    /// What sort of token.
    pub kind: TokenKind,
    /// The connection; none for the control plane.
    pub connection: Option<&'a ConnectionCore>,
    /// The run.
    pub run: Option<&'a RunCore>,
    /// What it is good for.
    pub scopes: Vec<Scope>,
    /// The agent's trust now.
    pub trust: u8,
    /// The grants of the credential that asked.
    pub asked_by: &'a Lineage,
    /// Ends that the token may not outlive.
    pub ends: Vec<Timestamp>,
    /// How the agent authenticated, for the entry, when it called itself.
    pub method: Option<&'static str>,
}

/// A token that may leave once its entry is durable.
pub struct MintedToken {
    /// The token.
    pub token: String,
    /// Its entry.
    pub entry: Prepared,
    /// Seconds until it ends.
    pub expires_in: i64,
    /// What it is good for, joined by spaces.
    pub scope: String,
}

const fn life(mint: &Mint<'_>) -> Micros {
    match (mint.kind, mint.run) {
        (TokenKind::Capability, _) => limits::CAPABILITY_LIFE,
        (TokenKind::Control, Some(_)) => limits::RUN_TOKEN_LIFE,
        _ => limits::ACCESS_LIFE,
    }
}

/// The earliest end of everything the token rests on (CAP-6).
fn ends_at(view: &View, mint: &Mint<'_>) -> Timestamp {
    let roles = mint
        .scopes
        .iter()
        .filter_map(|scope| authz::scope_end(view, mint.agent.owner.0, scope, view.now));
    let run = mint.run.map(|run| run.deadline);
    let bounds = mint.ends.iter().copied().chain(run).chain(roles);
    bounds.fold(view.now.plus(life(mint)), Timestamp::min)
}

/// Mints a token. The entry it comes with must be durable before the token leaves.
///
/// # Errors
/// When the lineage would be too long, the token would have ended already, or a key does not open.
pub async fn mint(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    caller: Option<&Caller>,
    mint: Mint<'_>,
) -> Result<MintedToken> {
    let above = mint.run.map(|run| run.lineage.clone()).unwrap_or_default();
    let lineage = above
        .with(mint.asked_by.iter().chain([mint.agent.grant]))
        .map_err(|error| Error::state(format!("lineage_too_long: {error}")))?;
    let expires_at = ends_at(view, &mint);
    let expires_in = expires_at.seconds() - view.now.seconds();
    if expires_in < 1 {
        return Err(Error::state(
            "what this token rests on ends within a second; renew it first",
        ));
    }
    let claims = claims(platform, view, &mint, &lineage, expires_at);
    let token = write(platform, view, mint.connection, &claims)?;
    let act = act(&mint, &claims, lineage, expires_at);
    let entry = audit::prepare(platform, Stream::org(view.id()), caller, peer, act).await?;
    Ok(MintedToken {
        token,
        entry,
        expires_in,
        scope: claims.scope,
    })
}

fn claims(
    platform: &Platform,
    view: &View,
    mint: &Mint<'_>,
    lineage: &Lineage,
    expires_at: Timestamp,
) -> Claims {
    let issuer = &view.organization.issuer;
    let joined = mint
        .scopes
        .iter()
        .map(Scope::as_str)
        .collect::<Vec<_>>()
        .join(" ");
    Claims {
        iss: issuer.clone(),
        sub: mint.agent.id,
        aud: mint
            .connection
            .map_or_else(|| issuer.clone(), |connection| connection.audience.clone()),
        exp: expires_at.seconds(),
        iat: view.now.seconds(),
        jti: B64URL.encode(platform.entropy.bytes::<16>()),
        client_id: mint.agent.id,
        scope: if mint.connection.is_none() {
            SELF_SCOPE.into()
        } else {
            joined
        },
        org: view.id(),
        lin: lineage.iter().collect(),
        rev: view.revision.state,
        run_id: mint.run.map(|run| run.id),
        txn: mint.run.map(|run| run.transaction.clone()),
        trust: TrustClaim {
            score: mint.trust,
            level: Level::of(mint.trust).as_str().into(),
        },
        cap: mint.kind == TokenKind::Capability,
    }
}

fn write(
    platform: &Platform,
    view: &View,
    connection: Option<&ConnectionCore>,
    claims: &Claims,
) -> Result<String> {
    let mut body = Vec::with_capacity(768);
    serde_json::to_writer(&mut body, claims).map_err(Error::internal)?;
    if connection.is_some_and(|connection| connection.format == TokenFormat::Opaque) {
        let sealed = platform
            .keyring
            .tokens()
            .seal(&*platform.entropy, OPAQUE_BOUND, &body);
        return Ok(format!(
            "{OPAQUE_PREFIX}{}",
            B64URL.encode(sealed.map_err(Error::internal)?)
        ));
    }
    let keys = platform.keys.of(platform, view)?;
    keys.signer()
        .sign_jwt("at+jwt", &body)
        .map_err(Error::internal)
}

fn act(mint: &Mint<'_>, claims: &Claims, lineage: Lineage, expires_at: Timestamp) -> Act {
    let issued = Issued {
        agent: mint.agent.id,
        aud: claims.aud.clone(),
        expires_at,
        jti: claims.jti.clone(),
        kind: match (mint.kind, mint.run) {
            (TokenKind::Control, Some(_)) => "run",
            (TokenKind::Control, None) => "control",
            (TokenKind::Access, _) => "access",
            (TokenKind::Capability, _) => "capability",
        }
        .into(),
        lineage,
        scope: claims.scope.clone(),
    };
    let act = Act::create(TOKEN_ISSUED)
        .on_text("token", claims.jti.clone())
        .issued(issued)
        .in_run(claims.run_id)
        .at_trust(mint.trust)
        .chain([
            Principal::Agent(mint.agent.id),
            Principal::User(mint.agent.owner.0),
        ]);
    match mint.method {
        Some(method) => act.by(Principal::Agent(mint.agent.id), method),
        None => act,
    }
}

/// What a decision made on this view rests on.
pub fn decided(view: &View) -> Decided {
    Decided {
        stream: view.revision.authority,
        instance: view.instance_revision.authority,
    }
}

/// Mints and records: the token leaves only when nothing it was decided on has moved and its entry is durable.
///
/// # Errors
/// As `mint`; a decision that moved says so, and the caller decides again.
pub async fn issue(
    platform: &Platform,
    view: &View,
    peer: &Peer,
    request: Mint<'_>,
    once: Option<Once>,
) -> Result<MintedToken> {
    let minted = mint(platform, view, peer, None, request).await?;
    record_decided(platform, view, minted.entry.clone(), once).await?;
    platform.node.require_fresh(view.id())?;
    Ok(minted)
}

/// Records an entry about something decided on this view; a decision that moved meanwhile leaves none.
///
/// # Errors
/// A decision that moved says so, when this node has caught up with what moved it.
pub(crate) async fn record_decided(
    platform: &Platform,
    view: &View,
    entry: Prepared,
    once: Option<Once>,
) -> Result<()> {
    let stream = Stream::org(view.id());
    let record = Record {
        stream,
        entry,
        decided_at: Some(decided(view)),
        once,
    };
    match platform.store.record(record).await {
        Ok(_) => Ok(()),
        Err(CommitError::AuthorityMoved { stream, .. }) => {
            platform.node.reach_head(stream).await?;
            Err(Error::moved())
        }
        Err(error) => Err(error.into()),
    }
}
