//! Reads a presented token: first genuine (signature or seal, issuer, type), then alive (the living state).
//! A token of one organization means nothing to another.

use super::{
    Claims,
    keys::OrgKeys,
    mint::{OPAQUE_BOUND, OPAQUE_PREFIX, SELF_SCOPE},
};
use crate::{Platform, caller::Leaf, sealing};
use authz::Presented;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::{Lineage, Scope};
use jose::{Algorithm, Policy};
use kernel::{Agent, Connection, Id, Run, Timestamp, limits};
use live::View;
use quick_cache::sync::Cache;
use std::{ops::Deref, sync::Arc};

const POLICY: Policy = Policy {
    typ: &["at+jwt"],
    algorithms: &[Algorithm::EdDSA, Algorithm::ES256],
    max_bytes: limits::TOKEN_BYTES,
};

/// What a genuine token says, read once.
#[derive(Debug)]
pub struct Genuine {
    /// What it says.
    pub claims: Claims,
    /// The grants above it.
    pub lineage: Lineage,
    /// Its identifier.
    pub jti: [u8; 16],
    /// The scopes it was issued with; none for the control plane.
    pub scopes: Vec<Scope>,
}

/// A genuine token, not yet known to be alive.
#[derive(Clone, Debug)]
pub struct Verified {
    genuine: Arc<Genuine>,
    /// The connection it is for; none for the control plane.
    pub connection: Option<Id<Connection>>,
}

impl Deref for Verified {
    type Target = Genuine;
    fn deref(&self) -> &Genuine {
        &self.genuine
    }
}

impl Verified {
    /// The form in which its life is judged.
    pub fn presented(&self) -> Presented<'_> {
        Presented {
            jti: self.jti,
            agent: self.claims.sub,
            connection: self.connection,
            run: self.claims.run_id,
            lineage: &self.lineage,
            scopes: &self.scopes,
            rev: self.claims.rev,
            expires_at: Timestamp::from_seconds(self.claims.exp),
        }
    }
}

/// Signatures that were found good, by the digest of the whole token. It knows nothing of a token's life, and what it
/// knows is worth nothing once the organization's keys are others.
pub struct Signatures(Cache<[u8; 32], (Arc<OrgKeys>, Arc<Genuine>)>);

impl Default for Signatures {
    fn default() -> Self {
        Self(Cache::new(limits::VERIFIED_TOKENS))
    }
}

impl Signatures {
    fn genuine(&self, platform: &Platform, view: &View, token: &str) -> Option<Arc<Genuine>> {
        let keys = platform.keys.of(platform, view).ok()?;
        let digest = sealing::sha256(token.as_bytes());
        if let Some((by, genuine)) = self.0.get(&digest)
            && Arc::ptr_eq(&by, &keys)
        {
            return Some(genuine);
        }
        let verified = jose::verify_jwt(token, &keys.verifying, &POLICY).ok()?;
        let genuine = Arc::new(read(&verified.claims)?);
        self.0.insert(digest, (keys, genuine.clone()));
        Some(genuine)
    }
}

fn read(claims: &[u8]) -> Option<Genuine> {
    let claims: Claims = serde_json::from_slice(claims).ok()?;
    let jti = B64URL.decode(&claims.jti).ok()?.try_into().ok()?;
    let lineage = claims.lineage()?;
    let scopes = match claims.scope.as_str() {
        SELF_SCOPE => Vec::new(),
        scopes => scopes
            .split(' ')
            .map(|text| Scope::parse(text).ok())
            .collect::<Option<_>>()?,
    };
    Some(Genuine {
        claims,
        lineage,
        jti,
        scopes,
    })
}

/// Whether a token was issued by this organization, and what it says. Nothing about its life.
pub fn verify(platform: &Platform, view: &View, token: &str) -> Option<Verified> {
    if token.len() > limits::TOKEN_BYTES {
        return None;
    }
    let genuine = match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => {
            let sealed = B64URL.decode(sealed).ok()?;
            let opened = platform.keyring.tokens().open(OPAQUE_BOUND, &sealed).ok()?;
            Arc::new(read(&opened)?)
        }
        None => platform.signatures.genuine(platform, view, token)?,
    };
    let claims = &genuine.claims;
    if claims.iss != view.organization.issuer || claims.org != view.id() {
        return None;
    }
    let control = claims.scope == SELF_SCOPE;
    let connection = if claims.aud == view.organization.issuer {
        control.then_some(None)?
    } else {
        let named = view.org.connection_by_audience(&claims.aud)?.id;
        (!control).then_some(Some(named))?
    };
    Some(Verified {
        genuine,
        connection,
    })
}

/// A live control-plane token.
#[derive(Clone, Debug)]
pub struct Control {
    /// The agent.
    pub agent: Id<Agent>,
    /// The run, when it is a run token.
    pub run: Option<Id<Run>>,
    /// Its identifier in text.
    pub jti: String,
    /// What shows that it was revoked meanwhile.
    pub leaf: Leaf,
    /// The grants above it.
    pub lineage: Lineage,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Believes a control-plane token: genuine, for this issuer, and alive now. A capability is never one (CAP-7).
pub fn verify_control(platform: &Platform, view: &View, token: &str) -> Option<Control> {
    let verified =
        verify(platform, view, token).filter(|v| v.connection.is_none() && !v.claims.cap)?;
    authz::live_scopes(view, verified.presented(), view.now)?;
    Some(Control {
        agent: verified.claims.sub,
        run: verified.claims.run_id,
        jti: verified.claims.jti.clone(),
        leaf: Leaf {
            jti: verified.jti,
            rev: verified.claims.rev,
        },
        lineage: verified.lineage.clone(),
        expires_at: Timestamp::from_seconds(verified.claims.exp),
    })
}
