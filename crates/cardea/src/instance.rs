//! Opens an instance: data folder, key, database, live state. Whoever needs a platform gets it here, whether a
//! server, a command beside no server, or a test. Refuses a key or a public URL other than the first ones.

use crate::data::{self, Data, DataError, HeldData, KeyError};
use egress::{Guarded, Redis, RedisError};
use kernel::{Clock, Entropy, ExposeSecret, Micros, SecretString, Steady, ambient, limits};
use service::{
    Failures, Node, Platform, SubjectKeys, checkpoint, gate::Gate, oauth::KeyCache,
    sealing::Keyring, setup,
};
use std::{path::PathBuf, sync::Arc};
use store::{Store, StoreError};

const KEY_CHECK: &str = "key_check";
const PUBLIC_URL: &str = "public_url";
const BUILD: &str = concat!("cardea ", env!("CARGO_PKG_VERSION"));
const CONNECTIONS: usize = 4;

/// What to open.
#[derive(Clone)]
pub struct Opening {
    /// The data folder.
    pub data: PathBuf,
    /// The database server; absent for the embedded database in the data folder.
    pub database_url: Option<SecretString>,
    /// Counts that nodes share, for a server.
    pub redis_url: Option<SecretString>,
    /// The instance key, where it is not in the data folder.
    pub instance_key: Option<PathBuf>,
    /// The public origin that somebody asked for.
    pub public_url: Option<String>,
    /// How old a view may be.
    pub max_staleness: Micros,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

impl Opening {
    /// The machine's own time and randomness, the embedded database.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            database_url: None,
            redis_url: None,
            instance_key: None,
            public_url: None,
            max_staleness: limits::STALENESS,
            clock: Arc::new(ambient::SystemClock),
            entropy: Arc::new(ambient::SystemEntropy),
        }
    }
}

/// Why an instance cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The data folder.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The instance key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The database.
    #[error("the database cannot be used: {0}")]
    Store(#[from] StoreError),
    /// The key is not the one of this database.
    #[error(
        "the instance key is not the one this database was made with; restore it, or name it in `keys.instance_file`"
    )]
    OtherKey,
    /// The public URL is fixed.
    #[error(
        "this instance's public URL is {stored}, which tokens and links name; start without `--public-url` or with {stored}, and not with {asked}"
    )]
    OtherUrl {
        /// What the first start stored.
        stored: String,
        /// What was asked for.
        asked: String,
    },
    /// The address of the shared counts.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// The service refused.
    #[error("{0}")]
    Service(String),
}

impl From<service::Error> for OpenError {
    fn from(error: service::Error) -> Self {
        Self::Service(error.to_string())
    }
}

/// An open instance.
pub struct Instance {
    /// Its means.
    pub platform: Arc<Platform>,
    /// The data folder.
    pub data: Data,
    /// Holds the folder for as long as the instance is open.
    _held: Option<HeldData>,
}

impl Instance {
    /// Opens it. An embedded database is held by this process alone; a database server may be shared.
    /// `default_url` is stored as public URL by the first start when nobody asks for another.
    ///
    /// # Errors
    /// When the folder is held by another process, or key, database or public URL do not fit.
    pub async fn open(opening: Opening, default_url: &str) -> Result<Self, OpenError> {
        let data = Data::open(&opening.data)?;
        let held = if opening.database_url.is_none() {
            Some(data.clone().hold()?)
        } else {
            None
        };
        Self::open_in(opening, data, held, default_url).await
    }

    /// Opens it in a folder that is held already, as a server's is.
    ///
    /// # Errors
    /// As `open`.
    pub async fn open_held(
        opening: Opening,
        held: HeldData,
        default_url: &str,
    ) -> Result<Self, OpenError> {
        Self::open_in(opening, (*held).clone(), Some(held), default_url).await
    }

    async fn open_in(
        opening: Opening,
        data: Data,
        held: Option<HeldData>,
        default_url: &str,
    ) -> Result<Self, OpenError> {
        let opening = Opening {
            clock: Arc::new(Steady::over(opening.clock)),
            ..opening
        };
        let store = open_store(&opening, &data).await?;
        let built = build(&opening, &data, store.clone(), default_url).await;
        match built {
            Ok(platform) => Ok(Self {
                platform,
                data,
                _held: held,
            }),
            Err(error) => {
                close(store).await;
                Err(error)
            }
        }
    }

    /// Covers everything in the log by signatures, so that nobody changes it unseen after this process ended.
    /// Gives the instance's last checkpoint.
    pub async fn sign(&self) -> Option<String> {
        signed(&self.platform).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the last checkpoints could not be signed");
            None
        })
    }

    /// Ends the database threads and lets the folder go.
    pub async fn close(self) {
        close(self.platform.store.clone()).await;
    }
}

async fn signed(platform: &Platform) -> service::Result<Option<String>> {
    platform.node.poll().await?;
    checkpoint::sign_all(platform).await?;
    checkpoint::sign_instance_now(platform, &checkpoint::Covered::default()).await
}

async fn close(store: Store) {
    // It waits for the threads; a panic there was already told.
    let _ended = tokio::task::spawn_blocking(move || store.close()).await;
}

async fn open_store(opening: &Opening, data: &Data) -> Result<Store, OpenError> {
    let (clock, entropy) = (opening.clock.clone(), opening.entropy.clone());
    let options = store::Options {
        clock,
        entropy,
        connections: CONNECTIONS,
    };
    let (url, file) = (opening.database_url.clone(), data.file(data::DATABASE));
    let open = move || match url {
        Some(url) => Store::postgres(url.expose_secret(), options),
        None => Store::sqlite(&file, options),
    };
    let opened = tokio::task::spawn_blocking(open).await;
    Ok(opened.map_err(|error| OpenError::Service(error.to_string()))??)
}

async fn build(
    opening: &Opening,
    data: &Data,
    store: Store,
    default_url: &str,
) -> Result<Arc<Platform>, OpenError> {
    let keyring = keyring(opening, data, &store).await?;
    let public_url = public_url(opening, &store, default_url).await?;
    let node =
        Node::start_within(store.clone(), opening.clock.clone(), opening.max_staleness).await?;
    let gate = Arc::new(gate(opening, &keyring)?);
    let platform = Platform {
        store,
        node: Arc::new(node),
        keyring,
        keys: KeyCache::default(),
        addresses: Default::default(),
        decided: Default::default(),
        journal: Default::default(),
        signatures: Default::default(),
        subjects: SubjectKeys::default(),
        failures: Failures::default(),
        gate,
        clock: opening.clock.clone(),
        entropy: opening.entropy.clone(),
        public_url,
        node_name: node_name(),
        build: BUILD,
    };
    setup::prepare_instance(&platform).await?;
    Ok(Arc::new(platform))
}

/// The gate, which counts with other nodes where there is something to count in.
fn gate(opening: &Opening, keyring: &Keyring) -> Result<Gate, OpenError> {
    let Some(url) = &opening.redis_url else {
        return Ok(Gate::default());
    };
    let fast = Arc::new(Guarded::new(Arc::new(Redis::new(url)?)));
    Ok(Gate::default().sharing(fast, keyring.sources()))
}

/// The key's subkeys, if the key is the one that the database knows.
async fn keyring(opening: &Opening, data: &Data, store: &Store) -> Result<Keyring, OpenError> {
    let path = opening
        .instance_key
        .clone()
        .unwrap_or_else(|| data.file(data::INSTANCE_KEY));
    let known = store.meta(KEY_CHECK).await?;
    let key = data::load_or_create(&path, known.is_some(), &*opening.entropy)?;
    let keyring =
        Keyring::new(key.expose_secret()).map_err(|error| OpenError::Service(error.to_string()))?;
    let stands = store
        .set_meta_once(KEY_CHECK, keyring.check_value().to_owned())
        .await?;
    if stands == keyring.check_value() {
        Ok(keyring)
    } else {
        Err(OpenError::OtherKey)
    }
}

/// The public URL of the first start. A later start that asks for another is refused; one that asks for none
/// takes the stored one, so that issuers never change by moving a port.
async fn public_url(
    opening: &Opening,
    store: &Store,
    default_url: &str,
) -> Result<String, OpenError> {
    let wanted = opening.public_url.as_deref().unwrap_or(default_url);
    let stored = store.set_meta_once(PUBLIC_URL, wanted.to_owned()).await?;
    match &opening.public_url {
        Some(asked) if *asked != stored => Err(OpenError::OtherUrl {
            stored,
            asked: asked.clone(),
        }),
        _ => Ok(stored),
    }
}

fn node_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let kept: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .take(64)
        .collect();
    if kept.is_empty() { "node".into() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const URL: &str = "http://localhost:8080";

    async fn opened(opening: &Opening) -> Result<String, OpenError> {
        let instance = Instance::open(opening.clone(), URL).await?;
        let url = instance.platform.public_url.clone();
        instance.close().await;
        Ok(url)
    }

    fn place() -> (tempfile::TempDir, Opening) {
        let folder = tempfile::tempdir().unwrap();
        let opening = Opening::new(folder.path().join("data"));
        (folder, opening)
    }

    #[tokio::test]
    async fn the_first_public_url_stays() {
        let (_folder, opening) = place();
        assert_eq!(opened(&opening).await.unwrap(), URL);
        let asks = |url: &str| Opening {
            public_url: Some(url.into()),
            ..opening.clone()
        };
        assert_eq!(opened(&asks(URL)).await.unwrap(), URL);
        let refused = opened(&asks("https://other.example")).await.unwrap_err();
        assert!(matches!(refused, OpenError::OtherUrl { .. }), "{refused}");
        let moved = Instance::open(opening.clone(), "http://localhost:9")
            .await
            .unwrap();
        assert_eq!(moved.platform.public_url, URL, "nobody asked for another");
    }

    #[tokio::test]
    async fn another_key_or_none_is_refused_and_changes_nothing() {
        let (folder, opening) = place();
        opened(&opening).await.unwrap();
        let key = opening.data.join(data::INSTANCE_KEY);
        let kept = folder.path().join("kept");
        fs::rename(&key, &kept).unwrap();
        let missing = opened(&opening).await.unwrap_err();
        assert!(
            matches!(missing, OpenError::Key(KeyError::Missing(_))),
            "{missing}"
        );
        assert!(!key.exists());
        let (_other, elsewhere) = place();
        opened(&elsewhere).await.unwrap();
        let wrong = elsewhere.data.join(data::INSTANCE_KEY);
        let wrong = Opening {
            instance_key: Some(wrong),
            ..opening.clone()
        };
        assert!(matches!(opened(&wrong).await, Err(OpenError::OtherKey)));
        let right = Opening {
            instance_key: Some(kept),
            ..opening
        };
        opened(&right).await.unwrap();
    }
}
