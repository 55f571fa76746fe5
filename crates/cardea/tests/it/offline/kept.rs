//! A stopped instance as an auditor gets it: its folder or database, what was kept elsewhere, and copies that
//! somebody was at.

use crate::{
    program::{Ended, Place},
    world::{Api, text},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::Stream;
use kernel::ambient::{SystemClock, SystemEntropy};
use serde_json::json;
use std::{fs, path::PathBuf, sync::Arc};
use store::{
    EventRow, Store,
    log::{VerifierKey, note::origin},
};
use testkit::sqlite::Intruder;

/// A stopped instance with a log, and what its auditor keeps elsewhere.
pub struct Kept {
    pub folder: tempfile::TempDir,
    pub place: Place,
    pub stream: Stream,
    /// The log's verifier key.
    pub key: String,
    /// A checkpoint of `acme` at its end, in a file.
    pub anchor: PathBuf,
}

impl Kept {
    pub async fn make(database_url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Place {
            data: folder.path().join("data"),
            database_url,
        };
        let init = place.init();
        let serving = place.serve();
        let api = Api::new(&serving.url, "acme", text(&init, "token").into());
        for n in 0..30 {
            api.post(
                "/roles",
                json!({ "name": format!("role {n}"), "permissions": [], "scopes": [] }),
            )
            .await
            .ok();
        }
        let listed = api.get("/keys").await.ok();
        let note = text(&api.get("/audit/checkpoint").await.ok(), "checkpoint");
        assert_eq!(serving.stop(), 0);
        let stream = Stream::org(text(&init, "org").parse().unwrap());
        let anchor = folder.path().join("anchor");
        fs::write(&anchor, note).unwrap();
        let log = listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["purpose"] == "log")
            .unwrap();
        let x = URL_SAFE_NO_PAD
            .decode(text(&log["public_jwk"], "x"))
            .unwrap();
        let key = VerifierKey::new(&origin(stream), x.try_into().unwrap())
            .unwrap()
            .to_string();
        Self {
            folder,
            place,
            stream,
            key,
            anchor,
        }
    }
    pub fn verify(&self, more: &[&str]) -> Ended {
        self.place.run(&[&["audit", "verify"], more].concat())
    }
    pub fn anchor(&self) -> &str {
        self.anchor.to_str().unwrap()
    }
    /// A copy of the folder's database after somebody was at its bytes.
    pub fn with_bytes(&self, change: impl FnOnce(&mut Vec<u8>)) -> Ended {
        let data = self.folder.path().join("copy");
        fs::create_dir_all(&data).unwrap();
        let mut bytes = fs::read(self.place.data.join("cardea.db")).unwrap();
        change(&mut bytes);
        fs::write(data.join("cardea.db"), bytes).unwrap();
        let ended = Place::new(&data).run(&["audit", "verify", "--deep"]);
        fs::remove_dir_all(data).unwrap();
        ended
    }
    /// The same, at its rows.
    pub fn with_rows(&self, more: &[&str], change: impl FnOnce(&Intruder)) -> Ended {
        let data = self.folder.path().join("copy");
        fs::create_dir_all(&data).unwrap();
        fs::copy(self.place.data.join("cardea.db"), data.join("cardea.db")).unwrap();
        change(&Intruder::open(&data.join("cardea.db")));
        let ended = Place::new(&data).run(&[&["audit", "verify"], more].concat());
        fs::remove_dir_all(data).unwrap();
        ended
    }
    pub async fn rows(&self) -> Vec<EventRow> {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let options = store::Options {
            clock,
            entropy,
            connections: 1,
        };
        let store = Store::sqlite_to_read(&self.place.data.join("cardea.db"), options).unwrap();
        let stream = self.stream;
        let rows = store
            .read(stream, move |reader| reader.event_rows(stream, 0, 1_000))
            .await
            .unwrap();
        tokio::task::spawn_blocking(move || store.close())
            .await
            .unwrap();
        rows
    }
}
