//! Reads a presented token: first genuine (signature or seal, issuer, type), then alive (the living state).
//! A token of one organization means nothing to another.

use super::{
    Claims,
    mint::{OPAQUE_BOUND, OPAQUE_PREFIX, SELF_SCOPE},
};
use crate::Platform;
use authz::Presented;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64URL};
use domain::{Lineage, Scope};
use jose::{Algorithm, Policy};
use kernel::{Agent, Connection, Id, Run, Timestamp, limits};
use live::View;

const POLICY: Policy = Policy {
    typ: &["at+jwt"],
    algorithms: &[Algorithm::EdDSA, Algorithm::ES256],
    max_bytes: limits::TOKEN_BYTES,
};

/// A genuine token, not yet known to be alive.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What it says.
    pub claims: Claims,
    /// The grants above it.
    pub lineage: Lineage,
    /// Its identifier.
    pub jti: [u8; 16],
    /// The connection it is for; none for the control plane.
    pub connection: Option<Id<Connection>>,
    /// The scopes it was issued with.
    pub scopes: Vec<Scope>,
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
            expires_at: Timestamp::from_seconds(self.claims.exp),
        }
    }
}

/// Whether a token was issued by this organization, and what it says. Nothing about its life.
pub fn verify(platform: &Platform, view: &View, token: &str) -> Option<Verified> {
    if token.len() > limits::TOKEN_BYTES {
        return None;
    }
    let bytes = match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => {
            let sealed = B64URL.decode(sealed).ok()?;
            platform.keyring.tokens().open(OPAQUE_BOUND, &sealed).ok()?
        }
        None => {
            let keys = platform.keys.of(platform, view).ok()?;
            jose::verify_jwt(token, &keys.verifying, &POLICY)
                .ok()?
                .claims
        }
    };
    let claims: Claims = serde_json::from_slice(&bytes).ok()?;
    if claims.iss != view.organization.issuer || claims.org != view.id() {
        return None;
    }
    let jti = B64URL.decode(&claims.jti).ok()?.try_into().ok()?;
    let lineage = claims.lineage()?;
    if claims.aud == view.organization.issuer {
        let control = claims.scope == SELF_SCOPE;
        return control.then_some(Verified {
            lineage,
            jti,
            connection: None,
            scopes: Vec::new(),
            claims,
        });
    }
    let connection = view.org.connection_by_audience(&claims.aud)?.id;
    let scopes = claims
        .scope
        .split(' ')
        .map(|text| Scope::parse(text).ok())
        .collect::<Option<Vec<_>>>()?;
    Some(Verified {
        lineage,
        jti,
        connection: Some(connection),
        scopes,
        claims,
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
        lineage: verified.lineage.clone(),
        expires_at: Timestamp::from_seconds(verified.claims.exp),
    })
}
