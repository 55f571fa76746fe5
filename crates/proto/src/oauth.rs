//! OAuth 2.1 on the wire: token requests and answers, errors, introspection (RFC 7662), metadata (RFC 8414).
//! Unknown parameters are ignored here, as the standards ask; repeated ones are refused by whoever reads forms.

use serde::{Deserialize, Serialize};

/// An error of the token, introspection or revocation endpoint (RFC 6749 section 5.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorAnswer {
    /// The registered error name.
    pub error: String,
    /// What happened and what to do.
    pub error_description: String,
}

/// Registered error names used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorName {
    /// A parameter is missing, repeated or malformed (RFC 6749 section 5.2).
    InvalidRequest,
    /// Client authentication failed (RFC 6749 section 5.2).
    InvalidClient,
    /// The grant is not accepted from this client.
    UnauthorizedClient,
    /// The grant type is not known here.
    UnsupportedGrantType,
    /// A scope may not be had, or nothing is left.
    InvalidScope,
    /// The resource is unknown or not allowed (RFC 8707 section 2).
    InvalidTarget,
    /// The agent may not act at this moment.
    AccessDenied,
    /// The server cannot answer now (RFC 6749 section 4.1.2.1, used as RFC 7009 section 2.2.1 does).
    TemporarilyUnavailable,
}

impl ErrorName {
    /// The registered text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::AccessDenied => "access_denied",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidClient => 401,
            Self::TemporarilyUnavailable => 503,
            _ => 400,
        }
    }
}

/// A token answer (RFC 6749 section 5.1).
#[derive(Clone, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// The token.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: i64,
    /// What it is good for.
    pub scope: String,
}

/// The trust a token was issued at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustClaim {
    /// 0 to 100.
    pub score: u8,
    /// The band.
    pub level: String,
}

/// An introspection answer (RFC 7662 section 2.2). An inactive one holds nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introspection {
    /// Whether the token is good now.
    pub active: bool,
    /// What it is good for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The client it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When it was issued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// The issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// Its identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The run it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The agent's trust now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<TrustClaim>,
    /// Who acts, then who answers for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<Vec<String>>,
}

/// Authorization server metadata (RFC 8414 section 2, OpenID Connect Discovery 1.0 section 3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// The issuer, byte for byte.
    pub issuer: String,
    /// Where tokens are issued.
    pub token_endpoint: String,
    /// Where keys are published.
    pub jwks_uri: String,
    /// Where tokens are introspected.
    pub introspection_endpoint: String,
    /// Where tokens are revoked.
    pub revocation_endpoint: String,
    /// Where resource servers follow what is revoked: signed batches by sequence. An extension of ours.
    pub revocation_feed_endpoint: String,
    /// Response types; none until sign-in exists.
    pub response_types_supported: Vec<String>,
    /// Grant types.
    pub grant_types_supported: Vec<String>,
    /// Client authentication at the token endpoint.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Algorithms of client assertions.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// Client authentication at the introspection endpoint.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// Client authentication at the revocation endpoint.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// PKCE methods (RFC 7636); clients refuse a server that does not say.
    pub code_challenge_methods_supported: Vec<String>,
    /// How subjects are named.
    pub subject_types_supported: Vec<String>,
    /// Algorithms of identity tokens.
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// Whether answers carry `iss` (RFC 9207).
    pub authorization_response_iss_parameter_supported: bool,
}
