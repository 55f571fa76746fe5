//! What the crate promises, seen from outside: published vectors, another implementation as an
//! oracle, attacks, and mutation. One binary, so that it links once.

#[cfg(test)]
mod assertions;
#[cfg(test)]
mod attacks;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod forgeries;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod vectors;

/// What every test file needs: a key, its set, a policy, and tokens with any header at all.
#[cfg(test)]
mod common {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jose::{Algorithm, Error, KeySet, Policy, SigningKey, verify_jwt};

    pub const ACCESS: Policy = Policy {
        typ: &["at+jwt"],
        algorithms: Algorithm::ALL,
        max_bytes: 4096,
    };

    pub const CLAIMS: &[u8] = br#"{"iss":"https://id.example","sub":"agt_1","exp":300}"#;

    pub fn b64(bytes: impl AsRef<[u8]>) -> String {
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub fn unb64(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    pub fn key(alg: Algorithm) -> SigningKey {
        SigningKey::generate(alg).unwrap().0
    }

    pub fn set(keys: &[&SigningKey]) -> KeySet {
        KeySet::new(
            keys.iter()
                .map(|key| key.verifying_key().unwrap())
                .collect(),
        )
    }

    /// A token over `header` exactly as written, with a good signature.
    pub fn forge(key: &SigningKey, header: &str, claims: &[u8]) -> String {
        let message = format!("{}.{}", b64(header), b64(claims));
        let signature = key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", b64(signature))
    }

    /// Why `token` is refused as an access token, if it is.
    pub fn refusal(token: &str, keys: &KeySet) -> Option<Error> {
        verify_jwt(token, keys, &ACCESS).err()
    }

    /// The JSON of a new public key.
    pub fn json_of(alg: Algorithm) -> serde_json::Value {
        serde_json::to_value(key(alg).public_jwk()).unwrap()
    }
}
