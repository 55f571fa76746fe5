//! A process's means on a temporary database, and calls by operation name as any door makes them.

use domain::Principal;
use kernel::{
    Clock, Entropy, ExposeSecret,
    ambient::{SystemClock, SystemEntropy},
};
use serde_json::Value;
use service::{
    Cx, Envelope, Error, Failures, Node, OPERATIONS, Peer, Platform, SubjectKeys, oauth::KeyCache,
    sealing::Keyring,
};
use std::sync::Arc;
use store::{Options, Store};

/// One organization on one database.
pub struct World {
    pub platform: Arc<Platform>,
    pub owner: String,
    pub token: String,
    _folder: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        let world = Self::still(Arc::new(SystemClock)).await;
        tokio::spawn(world.platform.node.clone().follow());
        world
    }

    /// One whose node polls only when it is told to.
    pub async fn still(clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let options = Options {
            clock: clock.clone(),
            entropy: entropy.clone(),
            connections: 2,
        };
        let store = Store::sqlite(&folder.path().join("cardea.db"), options).unwrap();
        let node = Arc::new(Node::start(store.clone(), clock.clone()).await.unwrap());
        let platform = Arc::new(Platform {
            store,
            node,
            keyring: Keyring::new(&[7; 32]).unwrap(),
            keys: KeyCache::default(),
            addresses: Default::default(),
            decided: Default::default(),
            journal: Default::default(),
            signatures: Default::default(),
            subjects: SubjectKeys::default(),
            failures: Failures::default(),
            gate: Arc::default(),
            clock,
            entropy,
            public_url: "http://localhost:8080".into(),
            node_name: "test".into(),
            build: "test",
        });
        service::setup::prepare_instance(&platform).await.unwrap();
        let done = service::setup::init(&platform, "acme", "owner@acme.example", true)
            .await
            .unwrap();
        let token = done.token.unwrap().expose_secret().to_owned();
        Self {
            platform,
            owner: done.owner.to_string(),
            token,
            _folder: folder,
        }
    }

    pub fn peer() -> Peer {
        Peer {
            ip: "127.0.0.1".parse().ok(),
            user_agent: Some("test".into()),
            request_id: "r".into(),
            door: "api",
        }
    }

    /// Calls an operation with a bearer credential.
    pub async fn call(&self, bearer: &str, name: &str, input: Value) -> Result<Value, Error> {
        let view = self.platform.node.view_of("acme").await?;
        let caller = service::authenticate(&self.platform, &view, bearer, &Self::peer()).await?;
        let cx = Cx::new(
            self.platform.clone(),
            Self::peer(),
            Envelope::default(),
            caller,
            view,
        );
        run(cx, name, input).await
    }

    /// Calls an operation that has no caller.
    pub async fn anonymous(&self, name: &str, input: Value) -> Result<Value, Error> {
        run(
            Cx::anonymous(self.platform.clone(), Self::peer()),
            name,
            input,
        )
        .await
    }

    pub fn owner(&self) -> Principal {
        self.owner.parse().unwrap()
    }
}

async fn run(cx: Cx, name: &str, input: Value) -> Result<Value, Error> {
    let operation = OPERATIONS
        .iter()
        .find(|operation| operation.meta().name == name)
        .expect(name);
    let answer = operation.call(cx, input).await?;
    Ok(serde_json::from_slice(&answer.body).unwrap())
}
