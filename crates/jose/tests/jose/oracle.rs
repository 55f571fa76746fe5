//! Another implementation reads what we sign, and we read what it signs, for every algorithm.

use crate::common::{ACCESS, CLAIMS, set};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jose::{Algorithm, SigningKey, parse_claims, verify_jwt};
use jsonwebtoken as other;
use serde_json::Value;

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// The other side's algorithm, private key and public key; the public one from our JWK's JSON.
fn foreign(
    key: &SigningKey,
    der: &[u8],
) -> (other::Algorithm, other::EncodingKey, other::DecodingKey) {
    let pem = pem(der);
    let (alg, private) = match key.algorithm() {
        Algorithm::EdDSA => (
            other::Algorithm::EdDSA,
            other::EncodingKey::from_ed_pem(pem.as_bytes()),
        ),
        Algorithm::ES256 => (
            other::Algorithm::ES256,
            other::EncodingKey::from_ec_pem(pem.as_bytes()),
        ),
        Algorithm::RS256 => (
            other::Algorithm::RS256,
            other::EncodingKey::from_rsa_pem(pem.as_bytes()),
        ),
    };
    let jwk: other::jwk::Jwk =
        serde_json::from_value(serde_json::to_value(key.public_jwk()).unwrap()).unwrap();
    let public = other::DecodingKey::from_jwk(&jwk).unwrap();
    (alg, private.unwrap(), public)
}

#[test]
fn both_implementations_read_each_other() {
    let claims: Value = serde_json::from_slice(CLAIMS).unwrap();
    for alg in Algorithm::ALL.iter().copied() {
        let (key, der) = SigningKey::generate(alg).unwrap();
        let (foreign_alg, private, public) = foreign(&key, &der);

        let mut validation = other::Validation::new(foreign_alg);
        validation.validate_exp = false;
        for typ in ["at+jwt", "logout+jwt"] {
            let ours = key.sign_jwt(typ, CLAIMS).unwrap();
            let read = other::decode::<Value>(&ours, &public, &validation).unwrap();
            assert_eq!(read.claims, claims, "{alg}");
            assert_eq!(read.header.typ.as_deref(), Some(typ), "{alg}");
            assert_eq!(read.header.kid.as_deref(), Some(key.kid()), "{alg}");
        }

        let header = other::Header {
            typ: Some("at+jwt".into()),
            kid: Some(key.kid().into()),
            ..other::Header::new(foreign_alg)
        };
        let theirs = other::encode(&header, &claims, &private).unwrap();
        let read = verify_jwt(&theirs, &set(&[&key]), &ACCESS).unwrap();
        assert_eq!(parse_claims::<Value>(&read).unwrap(), claims, "{alg}");
        assert_eq!(read.header.alg, alg);
    }
}

#[test]
fn thumbprints_agree() {
    for alg in Algorithm::ALL.iter().copied() {
        let key = SigningKey::generate(alg).unwrap().0;
        let jwk: other::jwk::Jwk =
            serde_json::from_value(serde_json::to_value(key.public_jwk()).unwrap()).unwrap();
        assert_eq!(
            jwk.thumbprint(other::jwk::ThumbprintHash::SHA256).unwrap(),
            key.kid()
        );
    }
}
