//! Which key documents are accepted, and why each other one is not.

use crate::common::{b64, json_of, unb64};
use jose::{Algorithm, Error, Jwk, JwkSet, KeySet, VerifyingKey};
use serde_json::{Value, json};

fn accept(jwk: Value) -> Result<VerifyingKey, Error> {
    VerifyingKey::from_jwk(&Jwk::parse(jwk.to_string().as_bytes())?)
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

#[test]
fn documents_that_are_refused() {
    let ed = json_of(Algorithm::EdDSA);
    let ec = json_of(Algorithm::ES256);
    let rsa = json_of(Algorithm::RS256);
    let odd = |bits: usize| {
        let mut n = vec![0xff; bits / 8];
        n[0] = 0x80;
        b64(n)
    };
    let table = [
        (with(ed.clone(), "d", json!("AA")), Error::PrivateMember),
        (with(ec.clone(), "d", json!(null)), Error::PrivateMember),
        (with(rsa.clone(), "dp", json!("AA")), Error::PrivateMember),
        (with(rsa.clone(), "oth", json!([])), Error::PrivateMember),
        (json!({"kty": "oct", "k": "AA"}), Error::PrivateMember),
        (json!({"kty": "oct"}), Error::KeyUnsupported),
        (json!({}), Error::KeyUnsupported),
        (
            with(ec.clone(), "crv", json!("P-384")),
            Error::KeyUnsupported,
        ),
        (
            with(ec.clone(), "crv", json!("secp256k1")),
            Error::KeyUnsupported,
        ),
        (
            with(ec.clone(), "crv", json!("Ed25519")),
            Error::KeyUnsupported,
        ),
        (
            with(ed.clone(), "crv", json!("X25519")),
            Error::KeyUnsupported,
        ),
        (
            with(ed.clone(), "crv", json!("Ed448")),
            Error::KeyUnsupported,
        ),
        (with(ed.clone(), "x", json!(7)), Error::JwkMalformed),
        (with(ed.clone(), "x", json!(null)), Error::KeyMalformed),
        (
            with(ed.clone(), "x", json!(b64([9; 31]))),
            Error::KeyMalformed,
        ),
        (
            with(ed.clone(), "x", json!(b64([9; 33]))),
            Error::KeyMalformed,
        ),
        (
            with(ed.clone(), "x", json!(b64([9; 32]) + "=")),
            Error::Encoding,
        ),
        (
            with(ec.clone(), "y", json!(b64([9; 32]))),
            Error::KeyMalformed,
        ),
        (
            with(ec.clone(), "x", json!(b64([0; 32]))),
            Error::KeyMalformed,
        ),
        (with(ec.clone(), "y", json!(null)), Error::KeyMalformed),
        (with(ec.clone(), "use", json!("enc")), Error::KeyUse),
        (with(ec.clone(), "key_ops", json!(["sign"])), Error::KeyUse),
        (
            with(ec.clone(), "alg", json!("ES384")),
            Error::AlgorithmUnsupported,
        ),
        (
            with(rsa.clone(), "alg", json!("RSA-OAEP")),
            Error::AlgorithmUnsupported,
        ),
        (
            with(ec.clone(), "alg", json!("RS256")),
            Error::AlgorithmMismatch(Algorithm::ES256),
        ),
        (with(rsa.clone(), "n", json!(odd(2040))), Error::KeyWeak),
        (with(rsa.clone(), "n", json!(odd(8200))), Error::KeyWeak),
        (with(rsa.clone(), "n", json!("AAECAw")), Error::KeyMalformed),
        (with(rsa.clone(), "n", json!("")), Error::KeyMalformed),
        (with(rsa.clone(), "e", json!("AQ")), Error::KeyWeak),
        (with(rsa.clone(), "e", json!("Aw")), Error::KeyWeak),
        (with(rsa.clone(), "e", json!("AQAA")), Error::KeyWeak),
        (with(rsa.clone(), "e", json!(b64([255; 9]))), Error::KeyWeak),
    ];
    for (jwk, expected) in table {
        assert_eq!(accept(jwk.clone()).err(), Some(expected), "{jwk}");
    }
    for good in [ed, ec, rsa] {
        assert!(accept(with(good.clone(), "key_ops", json!(["verify"]))).is_ok());
        assert!(accept(with(good, "x5t", json!("ignored"))).is_ok());
    }
    for text in ["[]", "", "1", r#"{"keys":[]"#] {
        assert_eq!(
            Jwk::parse(text.as_bytes()).err(),
            Some(Error::JwkMalformed),
            "{text}"
        );
    }
    let twice = r#"{"kty":"OKP","kty":"EC"}"#;
    assert_eq!(
        Jwk::parse(twice.as_bytes()).err(),
        Some(Error::DuplicateMember)
    );
}

/// Under a key of small order the signature (R = identity, S = 0) fits an eighth of all messages
/// or more; without the refusal this is a key whose possession proves nothing.
#[test]
fn ed25519_points_of_small_order_are_refused() {
    let mut points = vec![[0; 32], [0; 32], [0xff; 32], [0xff; 32], [0xff; 32]];
    points[1][0] = 1;
    for (point, low) in points[2..].iter_mut().zip([0xec, 0xed, 0xee]) {
        (point[0], point[31]) = (low, 0x7f);
    }
    for text in [
        "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU",
        "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o",
    ] {
        points.push(unb64(text).try_into().unwrap());
    }
    for mut x in points {
        for sign in [0, 0x80] {
            x[31] = (x[31] & 0x7f) | sign;
            let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": b64(x)});
            assert_eq!(accept(jwk).err(), Some(Error::KeyWeak), "{x:02x?}");
        }
    }
}

#[test]
fn a_set_leaves_out_what_it_cannot_use_and_refuses_what_is_private() {
    let ed = json_of(Algorithm::EdDSA);
    let enc = with(json_of(Algorithm::RS256), "use", json!("enc"));
    let foreign = json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"});
    let text = json!({"keys": [foreign, enc, ed]}).to_string();
    let read = JwkSet::parse(text.as_bytes()).unwrap();
    assert_eq!(read.keys.len(), 2);
    let keys = KeySet::from_jwks(&read).unwrap();
    assert!(keys.find(ed["kid"].as_str().unwrap()).is_some());
    assert!(keys.find(enc["kid"].as_str().unwrap()).is_none());

    let private = json!({"keys": [ed, {"kty": "oct", "k": "AA"}]}).to_string();
    assert_eq!(JwkSet::parse(private.as_bytes()), Err(Error::PrivateMember));
    assert!(serde_json::from_str::<JwkSet>(&private).is_err());
    let weak = json!({"keys": [with(json_of(Algorithm::RS256), "e", json!("AQ"))]}).to_string();
    let weak = JwkSet::parse(weak.as_bytes()).unwrap();
    assert_eq!(KeySet::from_jwks(&weak).err(), Some(Error::KeyWeak));

    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written["keys"].as_array().unwrap()[1], ed);
}
