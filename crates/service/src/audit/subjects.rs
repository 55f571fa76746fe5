//! The keys that seal personal values of one subject. They are made with the subject, kept sealed in the
//! database and opened once a process; destroying one erases what it sealed (AUD-5).

use crate::{
    Result,
    sealing::{Keyring, Place, SealingKey},
};
use base64::{Engine, engine::general_purpose::STANDARD as B64};
use domain::{Stream, SubjectKey, entry::Sealed};
use kernel::{Entropy, ExposeSecret, SecretBox};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};
use store::Store;

const KEPT: usize = 65_536;
type Subject = (Stream, [u8; 16]);

/// Opened keys by organization and subject.
#[derive(Default)]
pub struct SubjectKeys {
    open: RwLock<HashMap<Subject, Arc<SealingKey>>>,
}

fn place(stream: Stream, subject: [u8; 16]) -> Place<'static> {
    Place {
        purpose: "subject-key",
        stream,
        table: "subject_key",
        row: subject,
        column: "sealed",
    }
}

/// A new key for a subject, to be stored in the same commit as the subject.
///
/// # Errors
/// When the cryptographic library refuses.
pub fn new_subject_key(
    keyring: &Keyring,
    entropy: &dyn Entropy,
    stream: Stream,
    subject: [u8; 16],
) -> Result<SubjectKey, crate::sealing::SealError> {
    let key = SecretBox::new(Box::new(entropy.bytes::<32>()));
    let sealed = keyring.seal(entropy, place(stream, subject), key.expose_secret())?;
    Ok(SubjectKey { subject, sealed })
}

impl SubjectKeys {
    /// Seals text under a subject's key; without one, under the organization's own. `label` is the subject in text.
    ///
    /// # Errors
    /// When the key cannot be read or opened.
    pub async fn seal(
        &self,
        means: (&Store, &Keyring, &dyn Entropy),
        stream: Stream,
        subject: [u8; 16],
        label: &str,
        text: &str,
    ) -> Result<Sealed> {
        let (store, keyring, entropy) = means;
        let (key, k) = match self.key(store, keyring, stream, subject).await? {
            Some(key) => (key, label.to_owned()),
            None => {
                let own = self.key(store, keyring, stream, stream.bytes()).await?;
                (
                    own.ok_or_else(|| {
                        crate::Error::internal("the organization has no subject key")
                    })?,
                    stream.to_string(),
                )
            }
        };
        let sealed = key
            .seal(entropy, k.as_bytes(), text.as_bytes())
            .map_err(crate::Error::internal)?;
        Ok(Sealed {
            c: B64.encode(sealed),
            k,
        })
    }

    /// Opens what `seal` made; none when the key was destroyed.
    ///
    /// # Errors
    /// When the database does not answer or the value was changed.
    pub async fn open(
        &self,
        store: &Store,
        keyring: &Keyring,
        stream: Stream,
        sealed: &Sealed,
    ) -> Result<Option<String>> {
        let subject = subject_bytes(&sealed.k, stream);
        let Some(key) = self.key(store, keyring, stream, subject).await? else {
            return Ok(None);
        };
        let bytes = B64.decode(&sealed.c).map_err(crate::Error::internal)?;
        let plain = key
            .open(sealed.k.as_bytes(), &bytes)
            .map_err(crate::Error::internal)?;
        Ok(String::from_utf8(plain).ok())
    }

    async fn key(
        &self,
        store: &Store,
        keyring: &Keyring,
        stream: Stream,
        subject: [u8; 16],
    ) -> Result<Option<Arc<SealingKey>>> {
        let known = self
            .open
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(stream, subject))
            .cloned();
        if known.is_some() {
            return Ok(known);
        }
        let row = store
            .read(stream, move |reader| {
                reader.get::<SubjectKey>(stream, subject)
            })
            .await?;
        let Some(row) = row else { return Ok(None) };
        let key = keyring
            .open_key(place(stream, subject), &row.value.sealed)
            .map_err(crate::Error::internal)?;
        let key = Arc::new(key);
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.len() >= KEPT {
            open.clear();
        }
        open.insert((stream, subject), key.clone());
        Ok(Some(key))
    }
}

fn subject_bytes(label: &str, stream: Stream) -> [u8; 16] {
    use domain::Principal as P;
    match label.parse() {
        Ok(P::User(id)) => id.bytes(),
        Ok(P::Agent(id)) => id.bytes(),
        Ok(P::Connection(id)) => id.bytes(),
        _ => stream.bytes(),
    }
}
