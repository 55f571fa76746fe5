//! Client assertions: each rule of RFC 7523 section 3, from both sides of its edge.

use crate::common::{forge, key, set};
use jose::{Algorithm, Assertion, AssertionPolicy, Error, SigningKey, verify_client_assertion};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example";
const TOKEN: &str = "https://id.example/oauth/token";

fn policy() -> AssertionPolicy<'static> {
    AssertionPolicy {
        audience: &[ISSUER, TOKEN],
        client_id: "agt_1",
        now_unix: NOW,
        skew: 30,
        max_life: 300,
    }
}

fn claims() -> Value {
    json!({"iss": "agt_1", "sub": "agt_1", "aud": ISSUER, "exp": NOW + 60, "jti": "j"})
}

fn check(key: &SigningKey, claims: &str) -> Result<Assertion, Error> {
    let token = key.sign_jwt("JWT", claims.as_bytes())?;
    verify_client_assertion(&token, &set(&[key]), &policy())
}

#[test]
fn claims_at_their_edges() {
    let key = key(Algorithm::ES256);
    let ok = |exp: i64| {
        Ok(Assertion {
            jti: "j".into(),
            exp,
        })
    };
    let table = [
        (json!({}), ok(NOW + 60)),
        (json!({"iss": "agt_2"}), Err(Error::AssertionClient)),
        (json!({"sub": "agt_2"}), Err(Error::AssertionClient)),
        (
            json!({"iss": "agt_2", "sub": "agt_2"}),
            Err(Error::AssertionClient),
        ),
        (json!({"iss": null}), Err(Error::ClaimsMalformed)),
        (json!({"aud": TOKEN}), ok(NOW + 60)),
        (json!({"aud": [ISSUER]}), ok(NOW + 60)),
        (json!({"aud": [ISSUER, TOKEN]}), ok(NOW + 60)),
        (
            json!({"aud": [ISSUER, "https://evil.example"]}),
            Err(Error::AssertionAudience),
        ),
        (json!({"aud": []}), Err(Error::AssertionAudience)),
        (json!({"aud": null}), Err(Error::AssertionAudience)),
        (
            json!({"aud": "https://id.example/"}),
            Err(Error::AssertionAudience),
        ),
        (
            json!({"aud": "https://ID.example"}),
            Err(Error::AssertionAudience),
        ),
        (json!({"aud": ""}), Err(Error::AssertionAudience)),
        (json!({"aud": 7}), Err(Error::ClaimsMalformed)),
        (json!({"exp": NOW - 29}), ok(NOW - 29)),
        (json!({"exp": NOW - 30}), Err(Error::AssertionExpired)),
        (json!({"exp": i64::MIN}), Err(Error::AssertionExpired)),
        (json!({"exp": -1e300}), Err(Error::AssertionExpired)),
        (json!({"exp": NOW + 330}), ok(NOW + 330)),
        (json!({"exp": NOW + 331}), Err(Error::AssertionLifetime)),
        (json!({"exp": i64::MAX}), Err(Error::AssertionLifetime)),
        (json!({"exp": u64::MAX}), Err(Error::AssertionLifetime)),
        (json!({"exp": 1e300}), Err(Error::AssertionLifetime)),
        (json!({"exp": NOW as f64 + 60.9}), ok(NOW + 60)),
        (
            json!({"exp": (NOW + 60).to_string()}),
            Err(Error::ClaimsMalformed),
        ),
        (json!({"exp": null}), Err(Error::ClaimsMalformed)),
        (json!({"nbf": NOW + 30, "iat": NOW + 30}), ok(NOW + 60)),
        (json!({"nbf": NOW + 31}), Err(Error::AssertionNotYetValid)),
        (json!({"iat": NOW + 31}), Err(Error::AssertionNotYetValid)),
        (json!({"iat": "now"}), Err(Error::ClaimsMalformed)),
        (json!({"jti": ""}), Err(Error::AssertionId)),
        (json!({"jti": null}), Err(Error::AssertionId)),
        (json!({"jti": "j".repeat(257)}), Err(Error::AssertionId)),
    ];
    for (change, expected) in table {
        let mut claims = claims();
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        assert_eq!(check(&key, &claims.to_string()), expected, "{change}");
    }
}

#[test]
fn claims_that_are_missing() {
    let key = key(Algorithm::EdDSA);
    for (name, expected) in [
        ("iss", Error::ClaimsMalformed),
        ("sub", Error::ClaimsMalformed),
        ("exp", Error::ClaimsMalformed),
        ("aud", Error::AssertionAudience),
        ("jti", Error::AssertionId),
    ] {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(check(&key, &claims.to_string()), Err(expected), "{name}");
    }
}

#[test]
fn tokens_of_another_kind_are_no_assertions() {
    let key = key(Algorithm::RS256);
    let keys = set(&[&key]);
    let text = claims().to_string();
    let token = |typ: &str| key.sign_jwt(typ, text.as_bytes()).unwrap();
    for typ in ["at+jwt", "cap+jwt", "logout+jwt", "dpop+jwt", ""] {
        let read = verify_client_assertion(&token(typ), &keys, &policy());
        assert_eq!(read, Err(Error::Type), "{typ}");
    }
    assert!(verify_client_assertion(&token("client-authentication+jwt"), &keys, &policy()).is_ok());
    let untyped = format!(r#"{{"alg":"RS256","kid":"{}"}}"#, key.kid());
    assert!(
        verify_client_assertion(&forge(&key, &untyped, text.as_bytes()), &keys, &policy()).is_ok()
    );
}

#[test]
fn another_clients_key_and_a_repeated_claim_are_refused() {
    let (ours, theirs) = (key(Algorithm::EdDSA), key(Algorithm::EdDSA));
    let token = theirs
        .sign_jwt("JWT", claims().to_string().as_bytes())
        .unwrap();
    let read = verify_client_assertion(&token, &set(&[&ours]), &policy());
    assert_eq!(read, Err(Error::KidUnknown));
    let twice = claims().to_string().replace('{', r#"{"sub":"agt_2","#);
    assert_eq!(check(&ours, &twice), Err(Error::DuplicateMember));
    let long = json!({"x": "x".repeat(9000)}).to_string();
    assert_eq!(check(&ours, &long), Err(Error::Oversize { limit: 8192 }));
}
