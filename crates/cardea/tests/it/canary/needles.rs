//! Secrets in every form in which one could have been written, looked for in bytes of any kind. What is found is
//! told without repeating it.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use std::collections::HashMap;

/// Where a secret would show: the text of each form in which it could have been written.
#[derive(Default)]
pub struct Needles {
    forms: Vec<(Vec<u8>, String)>,
    by_start: HashMap<[u8; 8], Vec<usize>>,
}

impl Needles {
    pub fn add(&mut self, form: &[u8], what: &str) {
        let start: [u8; 8] = form[..8].try_into().unwrap();
        self.by_start
            .entry(start)
            .or_default()
            .push(self.forms.len());
        self.forms.push((form.to_vec(), what.to_owned()));
    }
    pub fn bytes(&mut self, secret: &[u8], what: &str) {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        for text in [
            hex.to_uppercase(),
            hex,
            STANDARD.encode(secret),
            URL_SAFE_NO_PAD.encode(secret),
        ] {
            self.add(text.as_bytes(), what);
        }
        self.add(secret, what);
    }
    /// A secret as it was shown: prefix, key id, 43 characters, checksum; or a token.
    pub fn secret(&mut self, text: &str, what: &str) {
        self.add(text.as_bytes(), what);
        if text.len() == 63 {
            let core = &text[13..56];
            self.add(core.as_bytes(), what);
            self.bytes(&URL_SAFE_NO_PAD.decode(core).unwrap(), what);
        }
        if let Some((_, signature)) = text.rsplit_once('.') {
            self.add(signature.as_bytes(), what);
        }
    }
    /// What is found, in words that repeat no secret.
    pub fn found(&self, hay: &[u8], place: &str) -> Vec<String> {
        let mut found = Vec::new();
        for at in 0..hay.len().saturating_sub(7) {
            let start: &[u8; 8] = hay[at..at + 8].try_into().unwrap();
            for index in self.by_start.get(start).into_iter().flatten() {
                let (form, what) = &self.forms[*index];
                if hay[at..].starts_with(form) {
                    found.push(format!("{what} at byte {at} of {place}"));
                }
            }
        }
        found
    }
}

pub fn is_secret(text: &str) -> bool {
    let ours = text.starts_with("cd") && text.get(3..4) == Some("_") && text.len() >= 63;
    ours || (text.starts_with("eyJ") && text.matches('.').count() == 2)
}

#[test]
fn every_form_of_a_planted_secret_is_found() {
    let secret = format!("cda_abcdefgh_{}_abcdef", URL_SAFE_NO_PAD.encode([0xa7; 32]));
    let mut needles = Needles::default();
    needles.secret(&secret, "it");
    needles.bytes(&[0x5b; 32], "the key");
    let planted = [
        secret.clone().into_bytes(),
        secret[13..56].into(),
        vec![0xa7; 32],
        "a7".repeat(32).into(),
        STANDARD.encode([0x5b; 32]).into(),
    ];
    for form in planted {
        let hay = [b"before ".as_slice(), &form, b" after"].concat();
        assert!(
            !needles.found(&hay, "here").is_empty(),
            "{}",
            String::from_utf8_lossy(&form)
        );
    }
    assert!(
        needles
            .found(b"a text without any secret in it", "here")
            .is_empty()
    );
}
