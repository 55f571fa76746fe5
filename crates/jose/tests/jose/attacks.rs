//! Attacks on header, shape and claims (RFC 8725 section 2), each with the refusal it must meet.
//! The forged tokens are properly signed by a trusted key: nothing but the rule under test fails.

use crate::common::{ACCESS, CLAIMS, forge, key, refusal, set};
use jose::{Algorithm, Error, Policy, parse_claims, verify_jwt};
use serde_json::Value;

#[test]
fn the_honest_token_passes() {
    for alg in Algorithm::ALL.iter().copied() {
        let key = key(alg);
        let read = verify_jwt(
            &key.sign_jwt("at+jwt", CLAIMS).unwrap(),
            &set(&[&key]),
            &ACCESS,
        );
        let read = read.unwrap();
        assert_eq!(read.claims, CLAIMS);
        assert_eq!(
            (read.header.alg, read.header.kid.as_str()),
            (alg, key.kid())
        );
    }
}

#[test]
fn headers_that_are_refused() {
    let key = key(Algorithm::ES256);
    let keys = set(&[&key]);
    let kid = key.kid();
    let with = |rest: &str| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"{rest}}}"#);
    let alg = |alg: &str| format!(r#"{{"alg":{alg},"typ":"at+jwt","kid":"{kid}"}}"#);
    let typ = |typ: &str| format!(r#"{{"alg":"ES256","typ":{typ},"kid":"{kid}"}}"#);
    let named = |kid: &str| format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":{kid}}}"#);
    assert_eq!(refusal(&forge(&key, &with(""), CLAIMS), &keys), None);

    let table = [
        (alg(r#""none""#), Error::AlgorithmNone),
        (alg(r#""nOnE""#), Error::AlgorithmNone),
        (alg(r#""HS256""#), Error::AlgorithmUnsupported),
        (alg(r#""ES384""#), Error::AlgorithmUnsupported),
        (alg(r#""es256""#), Error::AlgorithmUnsupported),
        (alg(r#""""#), Error::AlgorithmUnsupported),
        (
            alg(r#""RS256""#),
            Error::AlgorithmMismatch(Algorithm::ES256),
        ),
        (
            alg(r#""EdDSA""#),
            Error::AlgorithmMismatch(Algorithm::ES256),
        ),
        (alg("null"), Error::HeaderMalformed),
        (alg(r#"["ES256"]"#), Error::HeaderMalformed),
        (
            format!(r#"{{"typ":"at+jwt","kid":"{kid}"}}"#),
            Error::HeaderMalformed,
        ),
        (
            r#"{"alg":"ES256","typ":"at+jwt"}"#.into(),
            Error::KidMissing,
        ),
        (named("null"), Error::KidMissing),
        (named("7"), Error::HeaderMalformed),
        (named(r#""""#), Error::KidUnknown),
        (named(r#""../../dev/null""#), Error::KidUnknown),
        (named(r#""x' union select 'key""#), Error::KidUnknown),
        (named(r#""https://evil.example/key""#), Error::KidUnknown),
        (
            with(r#","jku":"https://evil.example/jwks""#),
            Error::EmbeddedKey("jku"),
        ),
        (
            with(r#","x5u":"https://evil.example/pem""#),
            Error::EmbeddedKey("x5u"),
        ),
        (
            with(r#","jwk":{"kty":"oct","k":"AA"}"#),
            Error::EmbeddedKey("jwk"),
        ),
        (with(r#","x5c":["MIIB"]"#), Error::EmbeddedKey("x5c")),
        (with(r#","jku":null"#), Error::EmbeddedKey("jku")),
        (with(r#","\u006aku":"x""#), Error::EmbeddedKey("jku")),
        (with(r#","crit":["exp"],"exp":1"#), Error::Critical),
        (with(r#","crit":["b64"],"b64":false"#), Error::Critical),
        (with(r#","crit":[]"#), Error::Critical),
        (with(r#","crit":null"#), Error::Critical),
        (with(r#","alg":"none""#), Error::DuplicateMember),
        (with(&format!(r#","kid":"{kid}""#)), Error::DuplicateMember),
        (with(r#","x":1,"\u0078":2"#), Error::DuplicateMember),
        (with(r#","x":{"y":1,"y":2}"#), Error::DuplicateMember),
        (typ(r#""JWT""#), Error::Type),
        (typ(r#""logout+jwt""#), Error::Type),
        (typ(r#""cap+jwt""#), Error::Type),
        (typ(r#""""#), Error::Type),
        (typ(r#""application/""#), Error::Type),
        (typ(r#""application/application/at+jwt""#), Error::Type),
        (typ(r#""text/at+jwt""#), Error::Type),
        (typ(r#"" at+jwt""#), Error::Type),
        (typ("null"), Error::Type),
        (format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#), Error::Type),
        (format!("[{}]", with("")), Error::HeaderMalformed),
        (
            format!(r#"["ES256","at+jwt","{kid}"]"#),
            Error::HeaderMalformed,
        ),
        (with("") + "{}", Error::HeaderMalformed),
        ("null".into(), Error::HeaderMalformed),
        (String::new(), Error::HeaderMalformed),
        (
            with(&format!(r#","x":"{}""#, "a".repeat(4096))),
            Error::Oversize { limit: 4096 },
        ),
    ];
    for (header, expected) in table {
        assert_eq!(
            refusal(&forge(&key, &header, CLAIMS), &keys),
            Some(expected),
            "{header}"
        );
    }
    for header in [
        typ(r#""AT+JWT""#),
        typ(r#""application/at+jwt""#),
        typ(r#""Application/At+Jwt""#),
    ] {
        assert_eq!(
            refusal(&forge(&key, &header, CLAIMS), &keys),
            None,
            "{header}"
        );
    }
}

#[test]
fn shapes_that_are_no_compact_token() {
    let key = key(Algorithm::EdDSA);
    let keys = set(&[&key]);
    let good = key.sign_jwt("at+jwt", CLAIMS).unwrap();
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = message.split_once('.').unwrap();
    let table = [
        (String::new(), Error::Parts),
        (header.to_owned(), Error::Parts),
        (message.to_owned(), Error::Parts),
        (format!("{good}."), Error::Parts),
        (
            format!("{header}.{payload}.{signature}.{signature}"),
            Error::Parts,
        ),
        (
            format!("{header}.AA.AA.{payload}.{signature}"),
            Error::Parts,
        ),
        ("..".into(), Error::HeaderMalformed),
        (format!("{message}."), Error::Signature),
        (format!("{header}..{signature}"), Error::Signature),
        (format!("{message}.{signature}="), Error::Encoding),
        (format!("{message}.{signature}=="), Error::Encoding),
        (format!("{header}=.{payload}.{signature}"), Error::Encoding),
        (format!("{message}.{signature}\n"), Error::Encoding),
        (format!(" {good}"), Error::Encoding),
        (format!("{message}.{signature}AAAA"), Error::Signature),
    ];
    for (token, expected) in table {
        assert_eq!(refusal(&token, &keys), Some(expected), "{token}");
    }
}

#[test]
fn the_policy_chooses_the_algorithms() {
    let key = key(Algorithm::ES256);
    let policy = Policy {
        algorithms: &[Algorithm::EdDSA, Algorithm::RS256],
        ..ACCESS
    };
    let token = key.sign_jwt("at+jwt", CLAIMS).unwrap();
    assert_eq!(
        verify_jwt(&token, &set(&[&key]), &policy),
        Err(Error::AlgorithmRefused(Algorithm::ES256))
    );
}

#[test]
fn the_limit_is_on_the_whole_token() {
    let key = key(Algorithm::EdDSA);
    let token = key.sign_jwt("at+jwt", CLAIMS).unwrap();
    let policy = |max_bytes| Policy {
        max_bytes,
        ..ACCESS
    };
    assert!(verify_jwt(&token, &set(&[&key]), &policy(token.len())).is_ok());
    let limit = token.len() - 1;
    assert_eq!(
        verify_jwt(&token, &set(&[&key]), &policy(limit)),
        Err(Error::Oversize { limit })
    );
}

#[test]
fn claims_that_are_refused_after_a_good_signature() {
    let key = key(Algorithm::EdDSA);
    let header = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, key.kid());
    let parse = |claims: &str| {
        let token = forge(&key, &header, claims.as_bytes());
        let read = verify_jwt(&token, &set(&[&key]), &ACCESS).unwrap();
        parse_claims::<std::collections::BTreeMap<String, Value>>(&read)
    };
    assert!(parse(r#"{"a":1}"#).is_ok());
    for (claims, expected) in [
        (r#"{"sub":"a","sub":"b"}"#, Error::DuplicateMember),
        (
            r#"{"act":{"sub":"a","s\u0075b":"b"}}"#,
            Error::DuplicateMember,
        ),
        ("[]", Error::ClaimsNotObject),
        ("", Error::ClaimsNotObject),
        (r#"{"a":1"#, Error::ClaimsNotObject),
        (r#"{"a":1}x"#, Error::ClaimsNotObject),
        ("{\"a\":\"\u{0}\"}", Error::ClaimsNotObject),
    ] {
        assert_eq!(parse(claims), Err(expected), "{claims}");
    }
}
