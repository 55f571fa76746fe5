//! Attacks on the signature and on the choice of its key (RFC 8725 section 2).

use crate::common::{CLAIMS, b64, forge, key, refusal, set, unb64};
use aws_lc_rs::hmac;
use jose::{Algorithm, Error, Jwk, KeySet, VerifyingKey};

#[test]
fn an_rsa_or_ec_public_key_is_no_hmac_secret() {
    for alg in Algorithm::ALL.iter().copied() {
        let key = key(alg);
        let public = serde_json::to_vec(&key.public_jwk()).unwrap();
        let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{}"}}"#, key.kid());
        let message = format!("{}.{}", b64(header), b64(CLAIMS));
        let mac = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &public),
            message.as_bytes(),
        );
        let token = format!("{message}.{}", b64(mac));
        assert_eq!(
            refusal(&token, &set(&[&key])),
            Some(Error::AlgorithmUnsupported)
        );
    }
}

#[test]
fn trailing_bits_of_a_signature_are_not_ignored() {
    let key = key(Algorithm::EdDSA);
    let good = key.sign_jwt("at+jwt", CLAIMS).unwrap();
    // 64 octets end in a character of two significant bits; set one of the four that are not.
    let last = good.chars().last().unwrap();
    let next = char::from_u32(u32::from(last) + 1).unwrap();
    let token = good[..good.len() - 1].to_owned() + &next.to_string();
    assert!("AQgw".contains(last));
    assert_eq!(refusal(&token, &set(&[&key])), Some(Error::Encoding));
}

#[test]
fn signatures_that_are_no_signatures() {
    for alg in Algorithm::ALL.iter().copied() {
        let key = key(alg);
        let keys = set(&[&key]);
        let good = key.sign_jwt("at+jwt", CLAIMS).unwrap();
        let (message, _) = good.rsplit_once('.').unwrap();
        // The all-zero ECDSA signature (CVE-2022-21449) and its relatives at every length.
        for octet in [0, 1, 255] {
            for len in [0, 1, 63, 64, 65, 128, 256] {
                let token = format!("{message}.{}", b64(vec![octet; len]));
                assert_eq!(
                    refusal(&token, &keys),
                    Some(Error::Signature),
                    "{alg} {octet} {len}"
                );
            }
        }
        // r = s = n of P-256, which is zero again modulo n.
        let n = b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\
                  \xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
        let token = format!("{message}.{}", b64([n.as_slice(), n].concat()));
        assert_eq!(refusal(&token, &keys), Some(Error::Signature));
    }
}

#[test]
fn a_der_signature_is_not_an_es256_one() {
    let key = key(Algorithm::ES256);
    let good = key.sign_jwt("at+jwt", CLAIMS).unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let raw = unb64(signature);
    assert_eq!(raw.len(), 64);
    let integer = |half: &[u8]| [b"\x02\x21\x00", half].concat();
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    let der = [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat();
    let token = format!("{message}.{}", b64(der));
    assert_eq!(refusal(&token, &set(&[&key])), Some(Error::Signature));
}

#[test]
fn another_key_does_not_verify_even_under_the_same_name() {
    for alg in Algorithm::ALL.iter().copied() {
        let (ours, theirs) = (key(alg), key(alg));
        let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{}"}}"#, ours.kid());
        let token = forge(&theirs, &header, CLAIMS);
        assert_eq!(
            refusal(&token, &set(&[&ours, &theirs])),
            Some(Error::Signature)
        );
        let token = theirs.sign_jwt("at+jwt", CLAIMS).unwrap();
        assert_eq!(refusal(&token, &set(&[&ours])), Some(Error::KidUnknown));
    }
}

#[test]
fn two_key_types_of_one_name_do_not_mix() {
    let (ed, ec) = (key(Algorithm::EdDSA), key(Algorithm::ES256));
    let named = |jwk: Jwk| Jwk {
        kid: Some("k".into()),
        ..jwk
    };
    let parsed = [named(ed.public_jwk()), named(ec.public_jwk())]
        .map(|jwk| VerifyingKey::from_jwk(&jwk).unwrap());
    let keys = KeySet::new(parsed.to_vec());
    let token = forge(&ec, r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#, CLAIMS);
    assert_eq!(
        refusal(&token, &keys),
        Some(Error::AlgorithmMismatch(Algorithm::EdDSA))
    );
}
