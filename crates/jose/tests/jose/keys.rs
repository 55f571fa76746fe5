//! How keys are made, stored, named and written, and that private ones are never shown.

use crate::common::{CLAIMS, json_of, key, set};
use jose::{Algorithm, Error, Jwk, KeySet, PublicKey, SigningKey, VerifyingKey};
use serde_json::json;

#[test]
fn a_key_returns_from_its_document() {
    for alg in Algorithm::ALL.iter().copied() {
        let (made, der) = SigningKey::generate(alg).unwrap();
        let read = SigningKey::from_pkcs8(alg, &der, made.kid().into()).unwrap();
        assert_eq!(read.public_jwk(), made.public_jwk());
        assert_eq!((read.kid(), read.algorithm()), (made.kid(), alg));
        let signature = read.sign(b"m").unwrap();
        let public = made.verifying_key().unwrap();
        assert_eq!(public.verify(b"m", &signature), Ok(()));
        assert_eq!(public.verify(b"n", &signature), Err(Error::Signature));
        for other in Algorithm::ALL.iter().copied().filter(|other| *other != alg) {
            let read = SigningKey::from_pkcs8(other, &der, "k".into());
            assert_eq!(
                read.err(),
                Some(Error::PrivateKeyRejected),
                "{alg} as {other}"
            );
        }
    }
}

#[test]
fn the_public_document_has_the_registered_members_and_no_others() {
    let names = |alg| {
        json_of(alg)
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names.join(" ")
    };
    assert_eq!(sorted(names(Algorithm::EdDSA)), "alg crv kid kty use x");
    assert_eq!(sorted(names(Algorithm::ES256)), "alg crv kid kty use x y");
    assert_eq!(sorted(names(Algorithm::RS256)), "alg e kid kty n use");
    let jwk = json_of(Algorithm::ES256);
    assert_eq!((&jwk["alg"], &jwk["use"]), (&json!("ES256"), &json!("sig")));
    assert_eq!(
        serde_json::from_value::<Jwk>(jwk.clone())
            .unwrap()
            .kid
            .as_deref(),
        jwk["kid"].as_str()
    );
}

#[test]
fn debug_shows_no_key_material() {
    for alg in Algorithm::ALL.iter().copied() {
        let (key, _) = SigningKey::generate(alg).unwrap();
        let expected = format!(
            "SigningKey {{ kid: {:?}, algorithm: {alg:?}, .. }}",
            key.kid()
        );
        assert_eq!(format!("{key:?}"), expected);
        let public = key.verifying_key().unwrap();
        assert_eq!(
            format!("{public:?}"),
            expected.replace("Signing", "Verifying")
        );
    }
}

#[test]
fn keys_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<SigningKey>();
    shared::<KeySet>();
}

#[test]
fn a_key_without_a_name_is_named_by_its_thumbprint() {
    let made = key(Algorithm::ES256);
    let jwk = Jwk {
        kid: None,
        ..made.public_jwk()
    };
    assert_eq!(VerifyingKey::from_jwk(&jwk).unwrap().kid(), made.kid());
    assert!(matches!(jwk.key, PublicKey::P256 { .. }));
}

#[test]
fn only_objects_are_signed_and_any_kid_is_escaped() {
    let (_, der) = SigningKey::generate(Algorithm::EdDSA).unwrap();
    let key = SigningKey::from_pkcs8(Algorithm::EdDSA, &der, r#"a","typ":"JWT"#.into()).unwrap();
    for claims in ["", "[]", "1", "{", "null"] {
        let signed = key.sign_jwt("at+jwt", claims.as_bytes());
        assert_eq!(signed, Err(Error::ClaimsNotObject), "{claims}");
    }
    let token = key.sign_jwt("at+jwt", CLAIMS).unwrap();
    let read = jose::verify_jwt(&token, &set(&[&key]), &crate::common::ACCESS).unwrap();
    assert_eq!(read.header.kid, key.kid());
    assert_eq!(read.header.typ.as_deref(), Some("at+jwt"));
}
