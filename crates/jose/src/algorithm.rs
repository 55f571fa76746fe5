//! The signature algorithms spoken here, under their registered JOSE names.
//! Never grows a symmetric algorithm or `none`: what has no variant cannot be accepted.

use serde::{Deserialize, Serialize};

/// A JWS signature algorithm (RFC 7518 section 3.1, RFC 8037 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519; the cheapest to sign with and our default.
    EdDSA,
    /// ECDSA on P-256 with SHA-256, signature as `r || s` (64 bytes).
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, for relying parties that know nothing newer.
    RS256,
}

impl Algorithm {
    /// Every algorithm, in order of preference.
    pub const ALL: &'static [Algorithm] = &[Self::EdDSA, Self::ES256, Self::RS256];

    /// The registered name, as in the `alg` header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
        }
    }

    /// Reads a registered name. Names are case-sensitive (RFC 7515 section 4.1.1). Ed25519 has two: clients that follow
    /// RFC 9864 sign as `Ed25519`, and both mean the one curve that `EdDSA` means here.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "Ed25519" {
            return Some(Self::EdDSA);
        }
        Self::ALL.iter().copied().find(|alg| alg.as_str() == name)
    }
}

impl std::fmt::Display for Algorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_registered_ones_in_text_and_json() {
        for (alg, name) in [
            (Algorithm::EdDSA, "EdDSA"),
            (Algorithm::ES256, "ES256"),
            (Algorithm::RS256, "RS256"),
        ] {
            assert_eq!(alg.to_string(), name);
            assert_eq!(Algorithm::parse(name), Some(alg));
            assert_eq!(serde_json::to_value(alg).unwrap(), name);
            assert_eq!(
                serde_json::from_value::<Algorithm>(name.into()).unwrap(),
                alg
            );
        }
    }

    #[test]
    fn ed25519_is_read_by_its_newer_name_too() {
        assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDSA));
    }

    #[test]
    fn other_names_have_no_variant() {
        for name in [
            "none", "HS256", "es256", "ES384", "PS256", "Ed448", "ed25519", "",
        ] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }
}
